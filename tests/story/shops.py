"""Sources at the sandbox, and what must hold for the copy we have of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import Count, F, JSONField, Q, Sum, Window
from django.db.models.functions import Cast, Lag

from ingest import jobs
from ingest.connecting import lay_out_streams
from ingest.models import REFINED_MODELS, CollectionJob, FailedSync, Page, RawRecord, Source, SourceStream
from sandbox import SandboxClient

#: The streams of a shop that are one list each; of the others some are a call per order, or parts of these.
LISTED = ("customers", "orders", "products")
PAGINGS = ("page", "offset", "cursor", "next", "link")
_STYLES: dict[str, dict[str, Any]] = {
    "page": {"type": "page", "limitParam": "limit", "totalPath": "meta.total"},
    "offset": {"type": "offset", "limitParam": "limit", "totalPath": "meta.total"},
    "cursor": {
        "type": "cursor",
        "limitParam": "limit",
        "cursorPath": "meta.next_cursor",
        "totalPath": "meta.total",
    },
    "next": {"type": "next", "limitParam": "limit", "nextPath": "meta.next", "totalPath": "meta.total"},
    "link": {"type": "link", "limitParam": "limit"},
}


def add_source(name: str, connector: str, *, page_size: int | None = None, **settings: Any) -> Source:
    """Make a source with its streams; nothing of it is scheduled."""
    source = Source.objects.create(name=name, connector=connector, **settings)
    lay_out_streams(source)
    source.streams.update(schedule="", next_run_at=None)
    if page_size is not None:
        source.streams.update(page_size=page_size)
    return source


def add_shop(
    world: SandboxClient,
    *,
    name: str = "shop",
    page_size: int | None = None,
    streams: Collection[str] | None = None,
) -> Source:
    """Make a shop with these of its streams, or all."""
    config = {"shop": "sandbox.myshopify.com", "base_url": f"{world.url}/shopify", "rest_rate": 1_000}
    credentials = {"access_token": "shpat_sandbox"}
    shop = add_source(name, "shopify", page_size=page_size, config=config, credentials=credentials)
    if streams is not None:
        shop.streams.exclude(name__in=streams).delete()
    return shop


def add_songs(
    world: SandboxClient,
    *,
    name: str = "songs",
    page_size: int | None = None,
    pagings: Iterable[str] = PAGINGS,
) -> Source:
    shared = {
        "auth": {"type": "bearer"},
        "targetTable": "content_item",
        "fieldMapping": {"title": "name", "artist": "artist.name", "external_id": "id"},
        "incremental": {"param": "updated_since", "field": "updated_at"},
    }
    streams = {paging: _listing(world, paging) for paging in pagings}
    config = {**shared, "streams": streams}
    return add_source(
        name, "rest", page_size=page_size, config=config, credentials={"token": "sandbox-token"}
    )


def _listing(world: SandboxClient, paging: str) -> dict[str, Any]:
    is_bare = paging == "link"
    return {
        "sourceIdentifier": f"{world.url}/api/{paging}/items",
        "dataPath": "" if is_bare else "data.items",
        "pagination": _STYLES[paging],
        **({"totalHeader": "X-Total"} if is_bare else {}),
    }


#: Of inventory items a shop shows those that its products name.
_SHOWN_IN_PARTS = {"inventory_items": "items_of_products"}


def datasets_of(shop: Source | None, songs: Source | None) -> dict[SourceStream, str]:
    """Return the sandbox's name of each stream's data."""
    prefixes = ((shop, "shopify"), (songs, "api"))
    return {
        stream: f"{prefix}.{_SHOWN_IN_PARTS.get(stream.name, stream.name)}"
        for source, prefix in prefixes
        if source is not None
        for stream in source.streams.order_by("name")
    }


def start_all(streams: Iterable[SourceStream], **how: Any) -> list[CollectionJob]:
    return [jobs.start(stream, trigger=CollectionJob.Trigger.COMMAND, **how)[0] for stream in streams]


def all_ended() -> bool:
    return not CollectionJob.objects.filter(status__in=CollectionJob.LIVE).exists()


def pages_landed() -> int:
    return CollectionJob.objects.aggregate(landed=Sum("pages_landed"))["landed"] or 0


def assert_all_succeeded() -> None:
    unwell = [
        f"{job.stream} {job.status} {job.error_type} {job.error}"
        for job in CollectionJob.objects.exclude(status="SUCCEEDED").select_related("stream")
    ]
    letters = [f"{letter.external_id}: {letter.error}" for letter in FailedSync.objects.all()[:5]]
    assert not unwell, (unwell, letters)


def assert_equal_to(world: SandboxClient, datasets: dict[SourceStream, str]) -> None:
    """Compare every id and the newest version of every object with the world's own ledger."""
    for stream, dataset in datasets.items():
        newest = world.ledger(dataset, full=True)["expected"]["newest"]
        theirs = {external_id: said["sha256"] for external_id, said in newest.items()}
        assert newest_versions(stream) == theirs, f"raw versions of {dataset} differ from the ledger"
        refined = REFINED_MODELS[stream.kind]._base_manager.filter(source=stream.source_id)
        if REFINED_MODELS[stream.kind].__name__ == "ContentItem":
            refined = refined.filter(external_id__startswith=f"{stream.name}-")
        ids = list(refined.values_list("external_id", flat=True))
        assert sorted(ids) == sorted(theirs), f"refined rows of {dataset} differ from the ledger"


def newest_versions(stream: SourceStream) -> dict[str, str]:
    """Return the hash of the newest version of each object, by id."""
    rows = (
        RawRecord.objects.filter(stream=stream)
        .order_by("external_id", "-version")
        .distinct("external_id")
        .values_list("external_id", "body_hash")
    )
    return {external_id: bytes(body_hash).hex() for external_id, body_hash in rows}


def assert_no_version_twice() -> None:
    content = Cast("payload", JSONField())
    before = Window(Lag("content"), partition_by=["stream", "external_id"], order_by="version")
    twice = RawRecord.objects.annotate(content=content, before=before).filter(before=F("content"))
    assert not twice.exists(), "the same content was stored as two consecutive versions"


def assert_counters_are_sums_of_pages() -> None:
    names = ("fetched", "inserted", "updated", "unchanged", "skipped", "failed")
    for job in CollectionJob.objects.all():
        pages = Page.objects.filter(job=job)
        sums = pages.aggregate(**{name: Sum(name) for name in names})
        assert sums == {name: getattr(job, name) for name in names}, f"{job} does not add up"
        states = pages.aggregate(landed=Count("pk"), open=Count("pk", filter=~Q(state=Page.State.COUNTED)))
        assert states == {"landed": job.pages_landed, "open": 0}, f"{job} has pages that are not counted"
        assert job.pages_applied == job.pages_landed


def assert_no_lease_left() -> None:
    assert not CollectionJob.objects.filter(lease_until__isnull=False).exists()


def assert_exact(world: SandboxClient, datasets: dict[SourceStream, str]) -> None:
    """Compare with the ledger, count for count; nothing may be left over."""
    assert_all_succeeded()
    assert_equal_to(world, datasets)
    assert_no_version_twice()
    assert_counters_are_sums_of_pages()
    assert_no_lease_left()


def refetched(world: SandboxClient, datasets: dict[SourceStream, str]) -> dict[str, int]:
    """Return how many answers were asked for again, by dataset."""
    return {
        dataset: sum(times - 1 for times in world.ledger(dataset)["served"]["pages"].values())
        for dataset in datasets.values()
    }
