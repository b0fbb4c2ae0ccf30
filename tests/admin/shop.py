"""A small synced shop, written straight into the tables: one row or more of everything the admin shows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ingest.models import (
    REFINED_MODELS,
    CatalogItem,
    CollectionJob,
    ContentItem,
    Customer,
    FailedSync,
    GenericRecord,
    Order,
    OrderLine,
    Page,
    Product,
    ProductVariant,
    RawRecord,
    Source,
    SourceStream,
)
from ingest.tables import uuid7s
from metrics.models import DailyMetric, DailyRevenue
from tests.admin.observed import observed

SECRET = "shpat_0123456789abcdefwxyz"
CONFIG = {"shop": "demo.myshopify.com", "base_url": "http://127.0.0.1:9"}

#: Of every kind, given by `_shared` or by the database.
SHARED_COLUMNS = {"id", "source", "raw", "day", "previous_day", "deleted_at", "created_at", "synced_at"}
Write = Callable[[str], str]


def as_is(text: str) -> str:
    return text


@dataclass(frozen=True, kw_only=True)
class Shop:
    source: Source
    streams: dict[str, SourceStream]
    live: CollectionJob
    failed: CollectionJob
    succeeded: CollectionJob
    customer: Customer
    order: Order
    line: OrderLine
    product: Product
    variant: ProductVariant
    raw: list[RawRecord]
    letter: FailedSync
    others: list[Any]

    @property
    def rows(self) -> list[Any]:
        """One row of each model that has an admin page."""
        own = [self.source, self.live, self.failed, self.customer, self.order, self.line, self.product]
        return [*own, self.variant, self.raw[-1], self.letter, *self.others]


def build_shop(*, name: str = "shopify-eu", now: datetime, write: Write = as_is) -> Shop:
    """Return the shop; `write` is put over every text a provider could have sent."""
    source = Source.objects.create(
        name=name, connector="shopify", config=CONFIG, credentials={"access_token": SECRET}
    )
    streams = {kind: _stream(source, kind, now, write) for kind in ("customers", "orders", "products")}
    live, failed, succeeded = _jobs(source, streams, now, write)
    raw = _versions(streams["orders"], succeeded, write)
    customer, product, variant, order, line = _records(source, raw, now, write)
    page = _page(succeeded, 1, now, write)
    _page(live, 1, now, write)
    letter = _letters(source, streams["orders"], failed, raw[-1], write)
    return Shop(
        source=source,
        streams=streams,
        live=live,
        failed=failed,
        succeeded=succeeded,
        customer=customer,
        order=order,
        line=line,
        product=product,
        variant=variant,
        raw=raw,
        letter=letter,
        others=[
            page,
            *_other_kinds(source, now, write),
            *_one_of_each(source, now, write, [customer, product, variant, order, line]),
            *_metrics(source, now),
            *observed(succeeded, now, write),
        ],
    )


def _stream(source: Source, name: str, now: datetime, write: Write = as_is) -> SourceStream:
    return SourceStream.objects.create(
        source=source,
        name=f"{name}{write('')}"[:100],
        kind=name.removesuffix("s"),
        page_size=250,
        schedule="every 15m",
        watermark=now - timedelta(minutes=12),
        last_success_at=now - timedelta(minutes=10),
        next_run_at=now + timedelta(minutes=5),
    )


def _jobs(
    source: Source, streams: dict[str, SourceStream], now: datetime, write: Write
) -> tuple[CollectionJob, CollectionJob, CollectionJob]:
    statuses = CollectionJob.Status
    succeeded = _job(
        source, streams["customers"], now, status=statuses.SUCCEEDED, fetched=1200, inserted=1200
    )
    failed = _job(
        source,
        streams["orders"],
        now,
        status=statuses.FAILED,
        fetched=750,
        inserted=700,
        failed=50,
        error_type="authentication",
        error=write(
            "The provider answered 401 to GET /admin/api/2026-10/orders.json: the token was revoked."
        ),
        cursor=write("page_info=abc"),
        lease_holder=write("worker-1:4711")[:200],
    )
    live = _job(
        source,
        streams["products"],
        now,
        status=statuses.RUNNING,
        finished_at=None,
        fetched=3250,
        inserted=3000,
        unchanged=250,
        expected_total=5000,
        cursor=write("page_info=def"),
        lease_until=now + timedelta(seconds=30),
        lease_holder=write("worker-2:4712")[:200],
    )
    return live, failed, succeeded


def _job(source: Source, stream: SourceStream, now: datetime, **values: Any) -> CollectionJob:
    defaults = {
        "started_at": now - timedelta(seconds=90),
        "progress_at": now - timedelta(seconds=2),
        "finished_at": now - timedelta(seconds=2),
        "created_at": now - timedelta(seconds=95),
        "pages_landed": 13,
        "pages_applied": 12,
    }
    return CollectionJob.objects.create(source=source, stream=stream, **{**defaults, **values})


def _page(job: CollectionJob, number: int, now: datetime, write: Write) -> Page:
    return Page.objects.create(
        job=job,
        number=number,
        cursor=write("page_info=abc"),
        cursor_digest=digest(f"{job.pk} {number}"),
        content_digest=digest("content"),
        state=Page.State.COUNTED,
        fetched=250,
        inserted=250,
        fetch_ms=180,
        landed_at=now,
        applied_at=now,
    )


def _versions(stream: SourceStream, job: CollectionJob, write: Write) -> list[RawRecord]:
    return [
        RawRecord.objects.create(
            stream=stream,
            external_id=write("450789469")[:255],
            version=version,
            payload={
                "id": 450789469,
                "note": write("please ring twice"),
                "total_price": "409.94",
                "status": write(status),
            },
            body_hash=digest(status),
            job=job,
        )
        for version, status in enumerate(("open", "paid", "refunded"), start=1)
    ]


def _records(
    source: Source, raw: list[RawRecord], now: datetime, write: Write
) -> tuple[Customer, Product, ProductVariant, Order, OrderLine]:
    shared = _shared(source, now)
    customer = Customer.objects.create(
        **shared(),
        external_id=write("207119551")[:255],
        name=write("Bob Norman"),
        email="bob.norman@example.org",
        country="US",
    )
    product = Product.objects.create(
        **shared(),
        external_id="632910392",
        title=write("IPod Nano - 8GB"),
        vendor=write("Apple"),
        status="active",
    )
    variant = ProductVariant.objects.create(
        **shared(),
        external_id="808950810",
        product=product,
        product_external_id=product.external_id,
        title=write("Pink"),
        sku=write("IPOD2008PINK"),
        price=Decimal("199.00"),
        currency="USD",
        inventory_quantity=10,
    )
    order = Order.objects.create(
        **shared(),
        external_id=raw[-1].external_id,
        raw=raw[-1],
        number=write("#1001"),
        customer=customer,
        customer_external_id=customer.external_id,
        email="bob.norman@example.org",
        status=write("refunded"),
        currency="USD",
        total_amount=Decimal("409.94"),
        tax_amount=Decimal("11.94"),
        occurred_at=now,
        source_updated_at=now,
    )
    line = OrderLine.objects.create(
        **shared(),
        external_id="466157049",
        order=order,
        order_external_id=order.external_id,
        variant=variant,
        variant_external_id=variant.external_id,
        product_external_id=write("not-here-yet")[:255],
        title=write("IPod Nano - 8gb"),
        sku=write("IPOD2008PINK"),
        quantity=Decimal(1),
        unit_price=Decimal("199.00"),
        currency="USD",
    )
    return customer, product, variant, order, line


def _shared(source: Source, now: datetime) -> Callable[[], dict[str, Any]]:
    ids = uuid7s(int(now.timestamp() * 1000))
    return lambda: {"id": UUID(next(ids)), "source": source, "day": now.date()}


def _other_kinds(source: Source, now: datetime, write: Write) -> list[Any]:
    shared = _shared(source, now)
    song = ContentItem.objects.create(
        **shared(),
        external_id=write("song-1")[:255],
        title=write("Blue in Green"),
        artist=write("Miles Davis"),
        url=write("javascript:1"),
    )
    plan = CatalogItem.objects.create(
        **shared(),
        external_id="plan-1",
        category_id=write("data"),
        capacity=write("5 GB"),
        price=Decimal("9.9"),
    )
    entry = GenericRecord.objects.create(
        **shared(),
        external_id="entry-1",
        title=write("An entry"),
        url=write("https://example.org/1"),
        deleted_at=now,
    )
    return [song, plan, entry]


def _one_of_each(source: Source, now: datetime, write: Write, known: list[Any]) -> list[Any]:
    """Return a row of each further kind, every column filled, that points to the rows made before."""
    shared = _shared(source, now)
    rows = {type(row): row for row in known}
    for model in REFINED_MODELS.values():
        if model not in {*rows, ContentItem, CatalogItem, GenericRecord}:
            own = [field for field in model._meta.concrete_fields if field.name not in SHARED_COLUMNS]
            values = {field.name: _some(field, rows, now, write) for field in own}
            rows[model] = model._default_manager.create(**shared(), **values)
    return [row for model, row in rows.items() if row not in known]


def _some(field: Any, rows: dict[Any, Any], now: datetime, write: Write) -> Any:
    if field.is_relation:
        return rows.get(field.related_model)
    fixed: dict[str, Any] = {
        "DecimalField": Decimal("12.50"),
        "BigIntegerField": 3,
        "BooleanField": True,
        "DateTimeField": now,
    }
    if field.get_internal_type() in fixed:
        return fixed[field.get_internal_type()]
    if field.name == "currency":
        return "USD"
    return write(field.name.replace("_", " "))[: field.max_length]


def _letters(
    source: Source, stream: SourceStream, job: CollectionJob, raw: RawRecord, write: Write
) -> FailedSync:
    return FailedSync.objects.create(
        source=source,
        stream=stream,
        job=job,
        kind="order",
        external_id=raw.external_id,
        raw=raw,
        raw_data={"id": 450789469, "total_price": write("n/a")},
        error_type="validation",
        error=write("total_price: 'n/a' is no decimal number"),
        fingerprint="a" * 64,
        attempts=3,
    )


def _metrics(source: Source, now: datetime) -> list[Any]:
    kinds = {"order": 120, "customer": 40, "product": 25}
    rows = [
        DailyMetric(
            source=source, kind=kind, day=now.date() - timedelta(days=age), records=most + age * 3 % 17, new=3
        )
        for age in range(30)
        for kind, most in kinds.items()
    ]
    DailyMetric.objects.bulk_create(rows)
    revenue = DailyRevenue.objects.create(
        source=source, day=now.date(), currency="USD", orders=120, amount=Decimal("49192.80")
    )
    return [rows[0], revenue]


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def midday() -> datetime:
    return datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
