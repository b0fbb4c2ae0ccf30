"""The pretended Stripe refuses what the real one refuses."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from sandbox import SandboxClient
from tests.connectors.stripe.conftest import DAY, KEY, NOW, Clock

AUTH = {"Authorization": f"Bearer {KEY}"}


def ask(world: SandboxClient, path: str, **params: Any) -> requests.Response:
    return requests.get(f"{world.url}/stripe/v1/{path}", params=params, headers=AUTH, timeout=10)


def ids(answer: requests.Response) -> list[str]:
    answer.raise_for_status()
    return [one["id"] for one in answer.json()["data"]]


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("customers", {"limit": 0}, "parameter_invalid_integer"),
        ("customers", {"limit": 101}, "parameter_invalid_integer"),
        ("customers", {"limit": "ten"}, "parameter_invalid_integer"),
        ("customers", {"updated[gte]": 1}, "parameter_unknown"),
        ("customers", {"status": "all"}, "parameter_unknown"),
        ("customers", {"created[gte]": "yesterday"}, "parameter_invalid_integer"),
        ("customers", {"starting_after": "cus_000000999999"}, "resource_missing"),
        ("customers", {"starting_after": "ch_000000000001"}, "resource_missing"),
        ("events", {"ending_before": "evt_9999999999999999"}, "resource_missing"),
    ],
)
def test_odd_parameters_are_refused_by_name(
    path: str, params: dict[str, Any], code: str, world: SandboxClient
) -> None:
    answer = ask(world, path, **params)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("customers", {"starting_after": "cus_000000000001", "ending_before": "cus_000000000002"}),
        ("subscriptions", {"status": "asleep"}),
        ("events", {f"types[{n}]": f"customer.{n}" for n in range(21)}),
    ],
)
def test_what_does_not_go_together_is_refused(
    path: str, params: dict[str, Any], world: SandboxClient
) -> None:
    assert ask(world, path, **params).status_code == 400


def test_a_page_has_ten_unless_told_otherwise(world: SandboxClient) -> None:
    first = ids(ask(world, "customers"))
    assert len(first) == 10
    second = ids(ask(world, "customers", starting_after=first[-1]))
    assert not set(first) & set(second)
    back = ask(world, "customers", ending_before=second[0])
    assert ids(back) == first
    assert back.json()["has_more"] is False


def test_the_page_before_an_object_is_the_one_next_to_it(world: SandboxClient) -> None:
    whole = ids(ask(world, "customers", limit=100))
    assert ids(ask(world, "customers", ending_before=whole[50], limit=5)) == whole[45:50]
    found = ids(ask(world, "events", limit=100))
    near = ask(world, "events", ending_before=found[50], limit=5)
    assert ids(near) == found[45:50]
    assert near.json()["has_more"] is True


def test_an_event_of_another_type_is_a_place_as_well(world: SandboxClient) -> None:
    events = ask(world, "events", limit=100).json()["data"]
    other = next(n for n, one in enumerate(events) if n > 20 and not one["type"].startswith("charge."))
    wanted = [one["id"] for one in events[:other] if one["type"] == "charge.updated"]
    asked = {"types[0]": "charge.updated", "ending_before": events[other]["id"], "limit": 100}
    assert ids(ask(world, "events", **asked)) == wanted


def test_without_a_status_ended_subscriptions_are_left_out(world: SandboxClient) -> None:
    def statuses(**params: Any) -> set[str]:
        return {one["status"] for one in ask(world, "subscriptions", limit=100, **params).json()["data"]}

    assert "canceled" not in statuses()
    assert "canceled" in statuses(status="all")
    assert statuses(status="canceled") == {"canceled"}


def test_a_deleted_customer_is_a_stub_and_other_things_are_not_found(world: SandboxClient) -> None:
    [gone] = set(ids(ask(world, "customers", limit=100))) - set(_after_deleting(world, "customers"))
    assert ask(world, f"customers/{gone}").json() == {"id": gone, "object": "customer", "deleted": True}
    assert ask(world, "customers/cus_000000999999").status_code == 404
    assert ask(world, "unicorns").json()["error"]["message"].startswith("Unrecognized request URL")


def _after_deleting(world: SandboxClient, name: str) -> list[str]:
    world.change(f"stripe.{name}", delete=1)
    return ids(ask(world, name, limit=100))


def test_the_key_may_come_as_a_user_name(world: SandboxClient) -> None:
    url = f"{world.url}/stripe/v1/customers"
    assert requests.get(url, auth=(KEY, ""), timeout=10).status_code == 200
    assert requests.get(url, auth=("somebody", KEY), timeout=10).status_code == 401
    assert requests.get(url, timeout=10).status_code == 401


def test_an_unknown_version_is_refused(world: SandboxClient) -> None:
    url = f"{world.url}/stripe/v1/customers"
    answer = requests.get(url, headers={**AUTH, "Stripe-Version": "newest"}, timeout=10)
    assert answer.status_code == 400


@pytest.mark.parametrize(
    "form",
    [
        {"report_type": "balance.summary.1"},
        {"parameters[interval_start]": NOW},
        {"parameters[interval_end]": NOW + 30 * DAY},
        {"parameters[interval_start]": 1},
        {"parameters[columns][0]": "colour"},
    ],
)
def test_reports_are_made_of_what_there_is_only(
    form: dict[str, Any], world: SandboxClient, clock: Clock
) -> None:
    kind = ask(world, "reporting/report_types/payout_reconciliation.itemized.5").json()
    good = {
        "report_type": kind["id"],
        "parameters[interval_start]": kind["data_available_start"],
        "parameters[interval_end]": kind["data_available_end"],
    }
    url = f"{world.url}/stripe/v1/reporting/report_runs"
    assert requests.post(url, data=good, headers=AUTH, timeout=10).json()["status"] == "pending"
    assert requests.post(url, data={**good, **form}, headers=AUTH, timeout=10).status_code == 400


def test_a_file_of_a_report_needs_the_key(world: SandboxClient, clock: Clock) -> None:
    kind = ask(world, "reporting/report_types/payout_reconciliation.itemized.5").json()
    form = {
        "report_type": kind["id"],
        "parameters[interval_start]": kind["data_available_start"],
        "parameters[interval_end]": kind["data_available_end"],
    }
    url = f"{world.url}/stripe/v1/reporting/report_runs"
    run = requests.post(url, data=form, headers=AUTH, timeout=10).json()
    assert run["result"] is None
    clock.wind(60)
    file = ask(world, f"reporting/report_runs/{run['id']}").json()["result"]["url"]
    assert requests.get(file, timeout=10).status_code == 401
    assert requests.get(file, headers=AUTH, timeout=10).text.startswith("automatic_payout_id,")
