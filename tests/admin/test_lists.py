from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ingest.admin import paging
from ingest.admin.paging import BoundedPaginator
from ingest.models import CollectionJob, Customer, FailedSync, Order, OrderLine, Page, RawRecord, Source
from tests.admin.pages import detail_of, list_of, our_models
from tests.admin.shop import Shop, build_shop

QUERIES_PER_LIST = 16
QUERIES_PER_DETAIL = 30


def statements(client: Client, address: str) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return [query["sql"] for query in captured.captured_queries]


@pytest.fixture
def crowd(shop: Shop) -> Shop:
    """Many rows in the lists, so that a query per row shows."""
    for number in range(6):
        build_shop(name=f"shop-{number}", now=timezone.now())
    return shop


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model.__name__)
def test_a_list_takes_a_bounded_number_of_queries(crowd: Shop, boss: Client, model: type[Model]) -> None:
    assert len(statements(boss, list_of(model))) <= QUERIES_PER_LIST


def test_many_rows_take_no_more_queries_than_few(shop: Shop, boss: Client) -> None:
    lists = [list_of(model) for model in our_models()]
    few = {address: len(statements(boss, address)) for address in lists}
    for number in range(4):
        build_shop(name=f"shop-{number}", now=timezone.now())
    many = {address: len(statements(boss, address)) for address in lists}
    assert {address: count for address, count in many.items() if count > few[address]} == {}


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model.__name__)
def test_a_list_counts_no_whole_table(crowd: Shop, boss: Client, model: type[Model]) -> None:
    for sql in statements(boss, list_of(model)):
        if re.search(r"count\(", sql, re.IGNORECASE):
            assert "LIMIT" in sql or "= ANY" in sql or "WHERE" in sql, sql
            assert not re.search(r'COUNT\(\*\) AS "__count" FROM "\w+"$', sql), sql


@pytest.mark.parametrize("model", our_models(), ids=lambda model: model.__name__)
def test_a_list_reads_no_secrets_and_no_payloads(crowd: Shop, boss: Client, model: type[Model]) -> None:
    for sql in statements(boss, list_of(model)):
        assert '"credentials"' not in sql, sql
        assert '"payload"' not in sql, sql
        assert '"raw_data"' not in sql, sql
        assert "ILIKE" not in sql.upper(), sql


def test_details_take_a_bounded_number_of_queries(crowd: Shop, boss: Client) -> None:
    counts = {str(type(row)): len(statements(boss, detail_of(row))) for row in crowd.rows}
    assert max(counts.values()) <= QUERIES_PER_DETAIL, counts


def test_the_dashboard_takes_a_bounded_number_of_queries(crowd: Shop, boss: Client) -> None:
    assert len(statements(boss, "/admin/")) <= QUERIES_PER_LIST


# Search


def found(client: Client, model: type[Model], **asked: Any) -> list[object]:
    return list(client.get(list_of(model), asked).context["cl"].result_list)


@pytest.mark.parametrize(
    "term", ["450789469", " 450789469 ", "bob.norman@example.org", "Bob.Norman@Example.org"]
)
def test_orders_are_found_by_id_and_e_mail(shop: Shop, boss: Client, term: str) -> None:
    assert found(boss, Order, q=term) == [shop.order]


@pytest.mark.parametrize("term", ["45078946", "bob.norman", "%", "450789469%", "'", "x" * 5000, "\u202e"])
def test_anything_else_is_not_found(shop: Shop, boss: Client, term: str) -> None:
    for model in (Order, Customer, RawRecord, FailedSync):
        assert found(boss, model, q=term) == []


def many(shop: Shop, model: type[Model], count: int = 3000) -> None:
    """Enough rows beside those of the shop for the planner to care."""
    numbers = range(count)
    if model is Order:
        rows: list[Model] = [
            Order(source=shop.source, external_id=f"n{n}", email=f"n{n}@example.org", day=shop.order.day)
            for n in numbers
        ]
    elif model is RawRecord:
        first = shop.raw[0]
        shared = {"stream_id": first.stream_id, "version": 1, "payload": {}, "body_hash": first.body_hash}
        rows = [RawRecord(external_id=f"n{n}", **shared) for n in numbers]
    else:
        letter = shop.letter
        shared = {
            "source_id": letter.source_id,
            "stream_id": letter.stream_id,
            "raw_data": {},
            "kind": "order",
        }
        rows = [FailedSync(external_id=f"n{n}", fingerprint=f"{n}", **shared) for n in numbers]
    model._default_manager.bulk_create(rows)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {model._meta.db_table}")


@pytest.mark.parametrize(
    ("model", "term", "index"),
    [
        (Order, "450789469", "one_order_per_external_id"),
        (Order, "bob.norman@example.org", "order_email"),
        (RawRecord, "450789469", "one_row_per_version"),
        (FailedSync, "450789469", "letter_object"),
    ],
)
def test_searching_is_answered_by_an_index(
    shop: Shop, boss: Client, model: type[Model], term: str, index: str
) -> None:
    many(shop, model)
    searching = [sql for sql in statements(boss, f"{list_of(model)}?q={term}") if f"'{term}'" in sql]
    assert len(searching) == 2  # the count and the rows
    for sql in searching:
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + sql.replace("%", "%%"))
            assert index in "\n".join(row[0] for row in cursor.fetchall())


# Filters


def test_rows_are_narrowed_by_source_day_and_deletion(crowd: Shop, boss: Client) -> None:
    day = crowd.order.day.isoformat()
    assert found(boss, Order, source=crowd.source.pk) == [crowd.order]
    assert crowd.order in found(boss, Order, day_from=day, day_to=day)
    assert found(boss, Order, day_from="2001-01-01", day_to="2001-01-02") == []
    assert found(boss, Order, deleted="yes") == []
    assert len(found(boss, Order, deleted="no")) == 7


def test_jobs_are_narrowed_by_source_stream_status_and_mode(crowd: Shop, boss: Client) -> None:
    assert set(found(boss, CollectionJob, source=crowd.source.pk)) == {
        crowd.live,
        crowd.failed,
        crowd.succeeded,
    }
    assert found(boss, CollectionJob, stream=crowd.failed.stream_id) == [crowd.failed]
    assert crowd.live in found(boss, CollectionJob, status__exact="RUNNING")
    assert crowd.failed not in found(boss, CollectionJob, status__exact="RUNNING")
    assert found(boss, CollectionJob, mode__exact="REPLAY") == []


def test_raw_versions_are_narrowed_by_source(crowd: Shop, boss: Client) -> None:
    assert set(found(boss, RawRecord, source=crowd.source.pk)) == set(crowd.raw)
    assert len(found(boss, RawRecord, external_id="450789469", stream__id__exact=crowd.raw[0].stream_id)) == 3


@pytest.mark.parametrize("value", ["x", "-1", "1e9", "9" * 40, "\x00", "' OR 1=1 --"])
@pytest.mark.parametrize(
    "name", ["q", "source", "stream", "job__id__exact", "day_from", "p", "status__exact", "o"]
)
def test_nonsense_in_the_address_is_no_error(shop: Shop, boss: Client, name: str, value: str) -> None:
    for model in (CollectionJob, FailedSync, Order, RawRecord, Page):
        assert boss.get(list_of(model), {name: value}, follow=True).status_code == 200


@pytest.mark.parametrize("key", ["x", "-1", "9" * 40, "_00", "01a20423-88b5-729d-907e-3fb4a64bdc98"])
def test_nonsense_for_an_id_leads_back(shop: Shop, boss: Client, key: str) -> None:
    for model in our_models():
        assert boss.get(f"{list_of(model)}{key}/change/").status_code == 302, model


def test_rows_that_belong_together_are_linked(shop: Shop, boss: Client) -> None:
    order = boss.get(detail_of(shop.order)).content.decode()
    for row in (shop.line, shop.customer, shop.source, shop.raw[-1], shop.variant):
        assert detail_of(row) in order, row
    assert detail_of(shop.order) in boss.get(detail_of(shop.customer)).content.decode()
    assert detail_of(shop.variant) in boss.get(detail_of(shop.product)).content.decode()
    line = boss.get(detail_of(shop.line)).content.decode()
    assert detail_of(shop.order) in line
    assert "not-here-yet (not synced yet)" in line
    letter = boss.get(detail_of(shop.letter)).content.decode()
    for target in (shop.failed, shop.raw[-1], shop.order):
        assert detail_of(target) in letter, target


def test_more_related_rows_than_shown_are_one_link_away(shop: Shop, boss: Client) -> None:
    for number in range(25):
        OrderLine.objects.create(
            source=shop.source, external_id=f"more-{number}", day=shop.order.day, order=shop.order
        )
    page = boss.get(detail_of(shop.order)).content.decode()
    assert f"?order__id__exact={shop.order.pk}" in page
    assert len(found(boss, OrderLine, order__id__exact=shop.order.pk)) == 26


# Counting


def test_a_short_list_is_counted_exactly(crowd: Shop) -> None:
    pages = BoundedPaginator(Source.objects.order_by("pk"), 5)
    assert (pages.count, pages.label, pages.num_pages) == (7, "7", 2)


def test_a_long_list_shows_the_planners_estimate(crowd: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "COUNTED", 10)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingest_rawrecord")
    pages = BoundedPaginator(RawRecord.objects.order_by("-id"), 5)
    assert (pages.count, pages.label) == (21, "about 21")


def test_a_long_filtered_list_says_that_counting_stopped(
    crowd: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "COUNTED", 10)
    pages = BoundedPaginator(RawRecord.objects.filter(version__gt=1).order_by("-id"), 5)
    assert (pages.count, pages.label, pages.num_pages) == (10, "10+", 2)


def test_a_table_never_analyzed_is_no_negative_number(crowd: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "COUNTED", 2)
    monkeypatch.setattr(paging, "estimated_rows", lambda table: -1)
    assert BoundedPaginator(RawRecord.objects.order_by("-id"), 5).count == 3


def test_the_source_list_needs_no_key_for_the_credentials(shop: Shop, boss: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE ingest_source SET credentials = 'not a token'")
    assert boss.get(list_of(Source)).status_code == 200
    assert boss.get(list_of(CollectionJob)).status_code == 200
    page = boss.get(detail_of(shop.source))
    assert "cannot be read with any key in FIELD_ENCRYPTION_KEYS" in page.content.decode()
