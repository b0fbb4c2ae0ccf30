"""HubSpot: listing, searching, the archive, merges and associations, against a strict account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from connectors import exact_json
from connectors.base import Connector, Deletes, Page
from connectors.errors import CursorExpired, SchemaError, TransientError
from sandbox.hubspot_door import Rules
from sandbox.hubspot_ids import object_id
from sandbox.hubspot_records import ASSOCIATIONS
from sandbox.messages import Answer, Request, json_answer
from tests.connectors.auth.conftest import NOON, Clock
from tests.connectors.hubspot.conftest import PLENTY, Account, fetch, gone, ids, read, serving

OBJECTS = ("contacts", "companies", "deals", "tickets")
LONG_AGO = NOON - timedelta(days=4_000)


@pytest.fixture
def hubspot(account: Account) -> Iterator[Connector]:
    connector = account.connector()
    yield connector
    connector.close()


def expected(account: Account, stream: str) -> set[str]:
    dataset = account.datasets[stream]
    return {version.external_id for version in dataset.versions()}


def bodies(pages: list[Page]) -> dict[str, bytes]:
    return {one.external_id: one.body for page in pages for one in page.records}


def tie(account: Account, stream: str, count: int, *, at: int) -> None:
    """Let so many objects change in one moment, as an import does."""
    dataset = account.datasets[stream]
    dataset.renew(list(dataset.order)[:count], at=at)


@pytest.mark.parametrize("stream", OBJECTS)
def test_listing_and_searching_give_the_same_records(
    stream: str, account: Account, hubspot: Connector
) -> None:
    listed = read(hubspot, stream)
    searched = read(hubspot, stream, window_start=LONG_AGO, page_size=17)
    assert sorted(ids(listed)) == sorted(ids(searched)) == sorted(expected(account, stream))
    assert bodies(listed) == bodies(searched)


@pytest.mark.parametrize("version", ["v3", "2026-09"])
def test_the_version_is_part_of_every_path(version: str, account: Account) -> None:
    connector = account.connector(version=version)
    for stream in connector.streams():
        read(connector, stream.name)
    read(connector, "deals", window_start=LONG_AGO)
    asked = {path.split("?")[0] for path in account.paths()}
    if version == "v3":
        assert {"GET /crm/v3/objects/deals", "GET /crm/v3/owners", "GET /crm/v3/pipelines/tickets"} <= asked
        assert "POST /crm/v4/associations/deals/contacts/batch/read" in asked
    else:
        assert {"GET /crm/objects/2026-09/deals", "POST /crm/objects/2026-09/deals/search"} <= asked
        assert {"GET /crm/owners/2026-09", "GET /crm/pipelines/2026-09/deals"} <= asked
        assert not [path for path in asked if "/v3/" in path or "/v4/" in path]


def test_a_path_may_differ_from_the_version(account: Account) -> None:
    connector = account.connector(version="2026-09", paths={"owners": "/crm/v3/owners"})
    fetch(connector, "owners")
    assert account.paths() == ["GET /crm/v3/owners"]


def test_pages_are_no_larger_than_hubspot_gives(account: Account, hubspot: Connector) -> None:
    fetch(hubspot, "contacts", page_size=100_000)
    fetch(hubspot, "contacts", page_size=100_000, window_start=LONG_AGO)
    listed, searched = account.requests
    assert listed.query["limit"] == "100"
    assert msgspec.json.decode(searched.body)["limit"] == 200


def test_properties_of_ones_own_are_kept(account: Account) -> None:
    connector = account.connector(properties={"contacts": ["shoe_size", "email"]})
    fetch(connector, "contacts")
    assert account.requests[0].query["properties"].split(",").count("email") == 1
    assert "shoe_size" in account.requests[0].query["properties"].split(",")


def test_what_was_not_asked_for_does_not_come(account: Account, hubspot: Connector) -> None:
    record = exact_json.loads(fetch(hubspot, "deals", page_size=1).records[0].body)
    assert list(record) == ["id", "properties", "createdAt", "updatedAt", "archived", "associations"]


# Searching


def test_a_window_holds_its_edges_and_nothing_else(hubspot: Connector) -> None:
    records = [record for page in read(hubspot, "tickets") for record in page.records]
    times = sorted({record.updated_at for record in records if record.updated_at})
    start, end = times[10], times[-10]
    found = read(hubspot, "tickets", window_start=start, window_end=end, page_size=9)
    inside = [record.updated_at for page in found for record in page.records]
    assert {start, end} <= set(inside)
    assert all(start <= one <= end for one in inside if one)
    assert len(set(ids(found))) == len(ids(found))


@pytest.mark.parametrize("page_size", [1, 2, 7, 40, 200])
def test_many_changes_of_one_millisecond_are_all_found_once(
    page_size: int, account: Account, hubspot: Connector
) -> None:
    tie(account, "contacts", 50, at=int(NOON.timestamp()) - 100)
    found = ids(read(hubspot, "contacts", window_start=LONG_AGO, page_size=page_size))
    assert sorted(found) == sorted(expected(account, "contacts"))


def test_more_than_a_search_can_count_are_found(clock: Clock) -> None:
    rules = Rules(**PLENTY, search_cap=20)
    with serving(Account(clock, scale=0.2, rules=rules)) as account:
        tie(account, "contacts", 90, at=int(NOON.timestamp()) - 50)
        connector = account.connector()
        found = ids(read(connector, "contacts", window_start=LONG_AGO, page_size=10))
        assert len(found) == len(set(found)) == len(expected(account, "contacts")) > 100


def test_what_the_search_does_not_know_yet_is_found_by_the_overlap_of_the_next_run(clock: Clock) -> None:
    with serving(Account(clock, scale=0.1, rules=Rules(**PLENTY, index_lag=120.0))) as account:
        connector = account.connector()
        dataset = account.datasets["companies"]
        dataset.renew(list(dataset.order)[:3], at=int(NOON.timestamp()))
        read_at, lookback = clock.now(), timedelta(minutes=10)
        assert ids(read(connector, "companies", window_start=read_at - timedelta(seconds=1))) == []
        clock.seconds += 180
        assert len(ids(read(connector, "companies", window_start=read_at - lookback))) == 3
        connector.close()


def test_what_changes_while_it_is_read_moves_nothing_out_of_sight(
    account: Account, hubspot: Connector
) -> None:
    dataset = account.datasets["companies"]
    before = expected(account, "companies")
    found: list[str] = []
    cursor = None
    for step in range(200):
        page = fetch(hubspot, "companies", window_start=LONG_AGO, page_size=5, cursor=cursor)
        found += [record.external_id for record in page.records]
        cursor = page.next_cursor
        if cursor is None or "archived" in cursor:
            break
        if step < 20:
            # The oldest of all goes to the end: by counted pages, another would take its place unseen.
            dataset.renew(list(dataset.order)[:1], at=int(NOON.timestamp()) + step)
    assert set(found) == before


def test_one_sort_is_asked_for_and_times_are_milliseconds(account: Account, hubspot: Connector) -> None:
    start = datetime.fromisoformat("2026-03-01T12:00:00.123900+00:00")
    fetch(hubspot, "contacts", window_start=start, window_end=start)
    fetch(hubspot, "deals", window_start=start)
    contacts, deals = (msgspec.json.decode(one.body) for one in account.requests[:2])
    assert contacts["filterGroups"] == [
        {
            "filters": [
                {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "1772366400123"},
                {"propertyName": "lastmodifieddate", "operator": "LTE", "value": "1772366400124"},
            ]
        }
    ]
    assert deals["sorts"] == [{"propertyName": "hs_lastmodifieddate", "direction": "ASCENDING"}]


def answering(account: Account, *bodies: Any) -> None:
    """Answer the first requests with these bodies."""
    waiting = list(bodies)

    def instead(request: Request) -> Answer | None:
        return json_answer(waiting.pop(0)) if waiting else None

    account.before = instead


def hit(number: int, second: int | None) -> dict[str, Any]:
    when = None if second is None else f"2026-03-01T12:00:{second:02d}.000Z"
    return {"id": str(number), "properties": {"lastmodifieddate": when}, "updatedAt": when}


def more(*hits: dict[str, Any]) -> dict[str, Any]:
    return {"total": 99, "results": list(hits), "paging": {"next": {"after": "3"}}}


def test_results_in_another_order_are_refused(account: Account, hubspot: Connector) -> None:
    answering(account, more(hit(1, 5), hit(2, 3)))
    with pytest.raises(SchemaError, match="order"):
        fetch(hubspot, "contacts", window_start=LONG_AGO)


def test_a_record_without_a_time_is_not_lost(account: Account, hubspot: Connector) -> None:
    answering(account, more(hit(1, None), hit(2, 3), hit(3, None), hit(4, 4), hit(5, None)))
    page = fetch(hubspot, "contacts", window_start=LONG_AGO)
    assert [record.external_id for record in page.records] == ["1", "2", "3"]
    # Those after it come again with the next search, which starts at its time.
    fetch(hubspot, "contacts", window_start=LONG_AGO, cursor=page.next_cursor)
    asked = msgspec.json.decode(account.requests[-1].body)["filterGroups"][0]["filters"][0]
    assert (asked["operator"], asked["value"]) == ("GTE", "1772366404000")


def test_a_page_without_any_time_is_left_the_way_hubspot_says(account: Account, hubspot: Connector) -> None:
    answering(account, more(hit(1, None), hit(2, None)))
    page = fetch(hubspot, "contacts", window_start=LONG_AGO)
    assert len(page.records) == 2
    fetch(hubspot, "contacts", window_start=LONG_AGO, cursor=page.next_cursor)
    assert msgspec.json.decode(account.requests[-1].body)["after"] == "3"


def test_a_cursor_of_another_time_is_an_expired_one(hubspot: Connector) -> None:
    with pytest.raises(CursorExpired):
        fetch(hubspot, "contacts", cursor="page 3")


# The archive, merges


@pytest.mark.parametrize("window", [{}, {"window_start": NOON - timedelta(minutes=1)}])
def test_each_run_ends_with_what_was_deleted(
    window: dict[str, Any], account: Account, hubspot: Connector
) -> None:
    dataset = account.datasets["companies"]
    dataset.change(at=int(NOON.timestamp()), seed=3, share=0, delete=15)
    pages = read(hubspot, "companies", **window, page_size=10)
    archived = dataset.deleted()
    assert len(archived) > 15
    assert set(archived) <= gone(pages)
    assert not set(archived) & set(ids(pages))
    stone = next(one for page in pages for one in page.tombstones if one.external_id in archived)
    assert stone.deleted_at is not None


def test_without_the_archive_a_full_refresh_tells_what_is_gone(account: Account) -> None:
    connector = account.connector(archived=False)
    assert {connector.stream(one).deletes for one in OBJECTS} == {Deletes.FULL_PASS}
    assert {account.connector().stream(one).deletes for one in OBJECTS} == {Deletes.TOMBSTONES}
    read(connector, "companies")
    assert {one.query["archived"] for one in account.requests} == {"false"}


def test_what_was_merged_away_is_gone(account: Account, hubspot: Connector) -> None:
    kept, lost = str(object_id("contacts", 3)), str(object_id("contacts", 9))
    assert lost in ids(read(hubspot, "contacts"))
    account.clock.seconds += 60
    body = msgspec.json.encode({"primaryObjectId": kept, "objectIdToMerge": lost})
    merging = Request(
        method="POST",
        path="/hubspot/crm/v3/objects/contacts/merge",
        query={},
        headers={"authorization": "Bearer pat-na1-sandbox"},
        body=body,
        origin=account.url,
        client="",
    )
    assert account.answer(merging).status == 200
    pages = read(hubspot, "contacts", window_start=NOON + timedelta(seconds=1))
    assert ids(pages) == [kept]
    stone = next(one for page in pages for one in page.tombstones if one.external_id == lost)
    assert stone.deleted_at == pages[0].records[0].updated_at
    assert lost not in ids(read(hubspot, "contacts"))


# Associations


def test_associations_are_those_the_account_has(account: Account, hubspot: Connector) -> None:
    numbers: Counter[int] = Counter()
    [page, *_] = read(hubspot, "deals")
    for record in page.records:
        theirs = exact_json.loads(record.body)["associations"]
        numbers[len(theirs["companies"])] += 1
    assert len(numbers) > 2
    dataset = account.datasets["deals"]
    stored = {exact_json.loads(row)["id"]: row for row in dataset.rows(list(dataset.order))}
    assert all(ASSOCIATIONS in record.body for record in page.records)
    assert {one.external_id: one.body for one in page.records}.items() <= stored.items()


def test_long_lists_of_associations_are_read_to_their_end(clock: Clock) -> None:
    with serving(Account(clock, scale=0.1, rules=Rules(**PLENTY))) as account:
        whole = bodies(read(account.connector(), "tickets"))
    with serving(Account(clock, scale=0.1, rules=Rules(**PLENTY, associations_at_once=1))) as account:
        assert bodies(read(account.connector(), "tickets")) == whole


def test_associations_can_be_left_out(account: Account) -> None:
    connector = account.connector(associations=False)
    read(connector, "deals")
    assert not [path for path in account.paths() if "associations" in path]
    assert connector.stream("deals").scopes == ("crm.objects.deals.read",)


def test_a_part_that_failed_is_tried_again_later(account: Account, hubspot: Connector) -> None:
    listed = {"results": [{"id": "1", "properties": {}}]}
    broken = {"results": [], "errors": [{"category": "INTERNAL", "message": "shard down"}], "numErrors": 1}
    answering(account, listed, broken)
    with pytest.raises(TransientError, match="shard down"):
        fetch(hubspot, "deals")


@pytest.mark.parametrize("body", [{"status": "COMPLETE"}, [], {"results": [{"to": []}]}])
def test_associations_that_are_none_are_a_schema_error(
    body: Any, account: Account, hubspot: Connector
) -> None:
    answering(account, {"results": [{"id": "1", "properties": {}}]}, body)
    with pytest.raises(SchemaError, match="association"):
        fetch(hubspot, "deals")


# Owners and pipelines


def test_owners_come_with_those_that_are_archived(account: Account, hubspot: Connector) -> None:
    pages = read(hubspot, "owners", page_size=2)
    assert sorted(ids(pages)) == sorted(expected(account, "owners"))
    assert {exact_json.loads(body)["archived"] for body in bodies(pages).values()} == {True, False}
    assert gone(pages) == set()


def test_pipelines_have_ids_of_their_type(hubspot: Connector) -> None:
    deals, tickets = ids(read(hubspot, "deal_pipelines")), ids(read(hubspot, "ticket_pipelines"))
    assert deals == ["deals/default", "deals/75e28846-ad0d", "deals/3"]
    assert tickets == ["tickets/0", "tickets/3"]
