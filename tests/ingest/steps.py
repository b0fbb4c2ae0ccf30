"""Steps that tests of the core take, and what they look at afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models import Sum
from django.utils import timezone

from connectors.base import FetchRequest, Json, Stream
from connectors.base import Page as FetchedPage
from connectors.errors import RecordError
from connectors.kinds import CatalogItem, Customer, Kind, Order, OrderLine, Product, ProductVariant, build
from ingest import applying, fetching, jobs, landing, leases
from ingest.leases import Lease
from ingest.models import CollectionJob, SourceStream
from tests.scripted import START, Script

Run = Callable[..., CollectionJob]
StreamNamed = Callable[[str], SourceStream]
Result = TypeVar("Result")

COUNTERS = ("fetched", "inserted", "updated", "unchanged", "skipped", "failed")


def refine_customer(payload: Json) -> Kind:
    return build(Customer, {"external_id": payload["id"], "email": payload.get("email")})


def refine_product(payload: Json) -> Kind:
    return Product(
        external_id=payload["id"],
        title=payload.get("title"),
        variants=tuple(ProductVariant(external_id=one) for one in payload.get("variants", ())),
    )


def refine_catalog_item(payload: Json) -> Kind:
    known = ("price", "content_count", "currency")
    return build(CatalogItem, {"external_id": payload["id"], **{name: payload.get(name) for name in known}})


def refine_sale(payload: Json) -> Kind:
    """An order whose lines name products and variants."""
    if "lines" not in payload:
        raise RecordError("sale without lines")
    return Order(
        external_id=payload["id"],
        lines=tuple(
            OrderLine(
                external_id=line["id"],
                product_external_id=line.get("product"),
                variant_external_id=line.get("variant"),
            )
            for line in payload["lines"]
        ),
    )


MORE_STREAMS = (
    Stream(name="customers", kind="customer", refine=refine_customer, default_schedule=""),
    Stream(name="products", kind="product", refine=refine_product, default_schedule=""),
    Stream(name="catalog", kind="catalog_item", refine=refine_catalog_item, default_schedule=""),
    Stream(name="sales", kind="order", refine=refine_sale, default_schedule=""),
)


def refines(script: Script, stream: str, refine: Callable[[Json], Any]) -> None:
    """Let the connector understand a stream's records in another way, as after a deploy."""
    script.streams = tuple(
        Stream(name=one.name, kind=one.kind, refine=refine, is_incremental=one.is_incremental)
        if one.name == stream
        else one
        for one in script.streams
    )


def start(stream: SourceStream, **how: Any) -> CollectionJob:
    return jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND, **how)[0]


def claim(job: CollectionJob) -> Lease:
    lease = leases.claim(job.pk)
    assert lease is not None
    job.refresh_from_db()
    return lease


def land(job: CollectionJob, *pages: FetchedPage) -> None:
    """Land pages one after the other, as a worker does; a last one without a cursor ends the fetching."""
    lease = claim(job)
    for page in pages:
        landing.land(job, lease, page, fetch_ms=0)
        job.refresh_from_db()
    if not job.is_fetched:
        jobs.release(lease)


def fetch(job: CollectionJob) -> int:
    """Take one worker's turn at fetching, whatever the job waits for."""
    CollectionJob.objects.filter(pk=job.pk).update(next_run_at=START)
    landed = fetching.fetch_slice(job.pk, now=timezone.now, until=far(), after_landing=lambda waiting: None)
    job.refresh_from_db()
    return landed


def apply(job: CollectionJob) -> int:
    applied = applying.apply_landed(job.pk, now=timezone.now, until=far(), after_batch=lambda waiting: None)
    job.refresh_from_db()
    return applied


def far() -> Any:
    return timezone.now() + timedelta(minutes=5)


def in_threads(count: int, step: Callable[[int], Result]) -> list[Result]:
    """Run the step in as many threads at once, each with a connection of its own."""
    ready = threading.Barrier(count)

    def turn(number: int) -> Result:
        try:
            ready.wait(20)
            return step(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(turn, range(count)))


@contextmanager
def refused(table: str, *, on: str = "INSERT", when: str = "true") -> Iterator[None]:
    """Let PostgreSQL fail each write of a kind to a table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION refuse_it() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'refused by the test'; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER refuse_it BEFORE {on} ON {table} FOR EACH ROW WHEN ({when})"
            " EXECUTE FUNCTION refuse_it()"
        )
        try:
            yield
        finally:
            cursor.execute(f"DROP TRIGGER refuse_it ON {table}")


def rows_on_disk(*tables: type[models.Model]) -> set[tuple[str, str, str]]:
    """Return where each row lies and which transaction wrote it; an update moves a row, even to itself."""
    found = set()
    with connection.cursor() as cursor:
        for model in tables:
            name = model._meta.db_table
            cursor.execute(f"SELECT ctid::text, xmin::text FROM {name}")
            found |= {(name, place, writer) for place, writer in cursor.fetchall()}
    return found


def raw_texts(stream: SourceStream) -> list[str]:
    """Return the stored payloads as PostgreSQL spells them, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT payload::text FROM ingest_rawrecord WHERE stream_id = %s ORDER BY id", [stream.pk]
        )
        return [row[0] for row in cursor.fetchall()]


def counts(job: CollectionJob) -> dict[str, int]:
    return {name: getattr(job, name) for name in COUNTERS if getattr(job, name)}


def assert_accounted(job: CollectionJob) -> None:
    """The job's counters are the sum of its pages', and every record is among them."""
    sums = job.pages.aggregate(**{name: Sum(name, default=0) for name in COUNTERS})
    assert {name: getattr(job, name) for name in COUNTERS} == sums
    assert job.fetched == sum(sums[name] for name in COUNTERS if name != "fetched")
    assert (job.pages_landed, job.pages_applied) == (job.pages.count(), job.pages.count())


def request(script: Script, place: int = -1) -> FetchRequest:
    """Return what the connector was last asked."""
    return script.requests[place][1]
