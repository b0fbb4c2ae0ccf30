"""Recorded objects of Stripe's: every one of a kind we read becomes a row."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors import connect, exact_json
from connectors.base import Access, Stream
from connectors.errors import RecordError
from connectors.kinds import Kind
from connectors.pages import split_records
from connectors.providers.stripe.events import changes_in

#: By what Stripe calls an object of a stream.
STREAMS = {
    "customer": "customers",
    "product": "products",
    "price": "prices",
    "subscription": "subscriptions",
    "invoice": "invoices",
    "line_item": "invoice_lines",
    "payment_intent": "payment_intents",
    "charge": "charges",
    "refund": "refunds",
    "dispute": "disputes",
    "payout": "payouts",
    "balance_transaction": "balance_transactions",
}


@pytest.fixture(scope="module")
def streams() -> dict[str, Stream]:
    stripe = connect("stripe", config={}, credentials={"secret_key": "rk_test_1"}, access=Access())
    return {name: stripe.stream(stream) for name, stream in STREAMS.items()}


def recorded(samples: Path) -> list[dict[str, Any]]:
    text = (samples / "stripe" / "recorded_objects.jsonl").read_bytes()
    return [exact_json.loads(line) for line in text.splitlines()]


def test_every_recorded_object_of_ours_becomes_a_row(samples: Path, streams: dict[str, Stream]) -> None:
    states = recorded(samples)
    rows: defaultdict[str, dict[str, Kind]] = defaultdict(dict)
    others: Counter[str] = Counter()
    for state in states:
        if state["object"] not in streams:
            others[state["object"]] += 1
            continue
        row = streams[state["object"]].refine(state)
        assert type(row).kind == streams[state["object"]].kind
        rows[state["object"]][row.external_id] = row
    seen = Counter((state["object"], state["id"]) for state in states)
    assert (len(states), len(seen)) == (305, 232)
    assert sum(count > 1 for count in seen.values()) == 66
    assert {name: len(found) for name, found in rows.items()} == {
        "customer": 79,
        "invoice": 21,
        "line_item": 21,
        "payment_intent": 14,
        "charge": 13,
        "subscription": 8,
        "balance_transaction": 7,
        "price": 4,
        "refund": 2,
    }
    assert sum(others.values()) == 305 - 239
    assert not others.keys() & streams.keys()


def test_every_recorded_answer_of_a_list_is_cut_into_its_objects(samples: Path) -> None:
    with (samples / "stripe" / "recorded_exchanges.jsonl").open("rb") as lines:
        exchanges = [exact_json.loads(line) for line in lines]
    assert Counter(one["status"] for one in exchanges) == {200: 252, 401: 9, 400: 5, 404: 3}
    lists = [one["body"] for one in exchanges if (one["body"] or {}).get("object") == "list"]
    assert lists
    for body in lists:
        listed = split_records(
            exact_json.dumps(body), path="data", id_path="id", updated_path=None, connector="stripe"
        )
        assert [one.external_id for one in listed.records] == [one["id"] for one in body["data"]]
        assert [one.problem for one in listed.records if one.problem] == []
        assert isinstance(listed.envelope["has_more"], bool)
    for refused in (one["body"]["error"] for one in exchanges if one["status"] != 200):
        assert refused["message"]


def test_recorded_money_is_in_major_units(samples: Path, streams: dict[str, Stream]) -> None:
    for state in recorded(samples):
        if state["object"] in {"charge", "payment_intent", "refund", "balance_transaction"}:
            row: Any = streams[state["object"]].refine(state)
            assert row.currency == "USD"
            assert row.amount * 100 == state["amount"]


def test_a_recorded_list_has_79_customers_on_four_pages(samples: Path, streams: dict[str, Stream]) -> None:
    ids, more = [], []
    for number in range(1, 5):
        listed = split_records(
            (samples / "stripe" / "list_pages" / f"customers_page{number}.json").read_bytes(),
            path="data",
            id_path="id",
            updated_path=None,
            connector="stripe",
        )
        more.append(listed.envelope["has_more"])
        for record in listed.records:
            assert not record.problem
            row = streams["customer"].refine(exact_json.loads(record.body))
            assert row.external_id == record.external_id
            ids.append(row.external_id)
    assert more == [True, True, True, False]
    assert len(ids) == len(set(ids)) == 79


def test_recorded_events_show_objects_that_become_rows(samples: Path, streams: dict[str, Stream]) -> None:
    files = sorted((samples / "stripe" / "webhook_events").glob("*.json"))
    assert len(files) == 88
    rows: Counter[str] = Counter()
    for file in files:
        body = b'{"data":[%b]}' % file.read_bytes()
        event = exact_json.loads(file.read_bytes())
        shown = event["data"]["object"]
        if shown.get("object") not in streams or not shown.get("id"):
            continue
        listed = split_records(body, path="data", id_path="id", updated_path=None, connector="stripe")
        [change] = changes_in(listed.records)
        assert change.event.type == event["type"]
        row = streams[shown["object"]].refine(exact_json.loads(change.record.body))
        assert row.external_id == change.record.external_id == shown["id"]
        rows[shown["object"]] += 1
    # An invoice that is only coming up has no id.
    assert rows["invoice"] >= 7
    assert rows.keys() >= {"customer", "charge", "dispute", "payment_intent", "payout", "product", "price"}


def test_official_examples_become_rows(samples: Path, streams: dict[str, Stream]) -> None:
    examples = exact_json.loads((samples / "stripe" / "openapi_fixtures3.json").read_bytes())["resources"]
    for name, stream in streams.items():
        row = stream.refine(examples[name])
        assert row.external_id == examples[name]["id"]


@pytest.mark.parametrize("name", ["customer", "product", "invoice", "price"])
def test_official_deleted_objects_are_dead_letters_that_say_so(
    name: str, samples: Path, streams: dict[str, Stream]
) -> None:
    examples = exact_json.loads((samples / "stripe" / "openapi_fixtures3.json").read_bytes())["resources"]
    with pytest.raises(RecordError, match="deleted"):
        streams[name].refine(examples[f"deleted_{name}"])


def test_fixtures_of_another_project_become_rows(samples: Path, streams: dict[str, Stream]) -> None:
    found: Counter[str] = Counter()
    for file in sorted((samples / "stripe" / "djstripe_fixtures").glob("*.json")):
        state = exact_json.loads(file.read_bytes())
        if isinstance(state, dict) and state.get("object") in streams:
            row = streams[state["object"]].refine(state)
            assert row.external_id == state["id"]
            found[state["object"]] += 1
    assert found.keys() >= {"customer", "charge", "dispute", "invoice", "subscription", "payout"}


def table(samples: Path, name: str) -> list[dict[str, str]]:
    with (samples / "stripe" / "dbt_seeds" / f"{name}_data.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def as_sent(row: dict[str, str]) -> dict[str, Any]:
    """Return a row of a warehouse's table as the API has it: relations without _id, plans in full."""
    found = {name if name == "id" else name.removesuffix("_id"): value or None for name, value in row.items()}
    return {**found, "plan": found.get("plan") and {"id": found["plan"]}}


@pytest.mark.parametrize(
    ("name", "table_name", "count"),
    [
        ("charge", "charge", 16),
        ("customer", "customer", 12),
        ("dispute", "dispute", 12),
        ("invoice", "invoice", 2),
        ("line_item", "invoice_line_item", 3),
        ("payment_intent", "payment_intent", 11),
        ("payout", "payout", 15),
        ("price", "price", 4),
        ("product", "product", 10),
        ("refund", "refund", 4),
        ("subscription", "subscription", 2),
        ("subscription", "subscription_history", 2),
    ],
)
def test_every_row_of_a_warehouse_becomes_one_of_ours(
    name: str, table_name: str, count: int, samples: Path, streams: dict[str, Stream]
) -> None:
    rows = table(samples, table_name)
    kinds: list[Any] = [streams[name].refine(as_sent(row)) for row in rows]
    assert [kind.external_id for kind in kinds] == [row["id"] for row in rows]
    assert len({kind.external_id for kind in kinds}) == count
    for kind, row in zip(kinds, rows, strict=True):
        if "charge_id" in row and name != "payment_intent":
            assert kind.payment_external_id == row["charge_id"]
        if "amount" in row and name in {"charge", "refund", "dispute", "payout", "payment_intent"}:
            assert kind.amount * 100 == Decimal(row["amount"])


def test_balance_transactions_of_a_warehouse_add_up(samples: Path, streams: dict[str, Stream]) -> None:
    rows = table(samples, "balance_transaction")
    stream = streams["balance_transaction"]
    kinds: list[Any] = [stream.refine({k: v or None for k, v in row.items()}) for row in rows]
    assert len({kind.external_id for kind in kinds}) == len(rows)
    wanted = sum(Decimal(row["net"]) for row in rows)
    assert sum(kind.net_amount for kind in kinds) * 100 == wanted
