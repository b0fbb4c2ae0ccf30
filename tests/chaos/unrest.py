"""What is synced, and the life the pretended world leads meanwhile: it changes, and it lies."""

from __future__ import annotations

from ingest.models import Source, SourceStream
from sandbox import SandboxClient
from tests.story import shops

LIE_SHARE = 0.05
CHANGES_PER_SECOND = 20
#: Small pages make many boundaries at which something can go wrong.
PAGE_SIZE = 25
AMOUNTS = "--customers 300 --products 150 --orders 600 --items 250 --latency-ms 20"
#: Full every time; the others fetch what changed since the watermark.
FULL = ("customers", "page", "next")
SCHEDULES = ("every 10s", "every 15s", "every 20s")


def lay_out_sources(world: SandboxClient) -> dict[SourceStream, str]:
    """Make a shop and an API in all its ways of paging, scheduled; return the dataset of each stream."""
    shop = shops.add_shop(world, page_size=PAGE_SIZE)
    songs = shops.add_songs(world, page_size=PAGE_SIZE)
    datasets = shops.datasets_of(shop, songs)
    for number, stream in enumerate(datasets):
        stream.schedule = SCHEDULES[number % len(SCHEDULES)]
        stream.mode = SourceStream.Mode.FULL if stream.name in FULL else SourceStream.Mode.INCREMENTAL
        stream.save(update_fields=["schedule", "mode"])
    return datasets


def stir(world: SandboxClient, *, seed: int) -> None:
    """Let the world change all the while, and lie now and then."""
    world.live(changes_per_second=CHANGES_PER_SECOND, seed=seed)
    world.lie(share=LIE_SHARE, seed=seed)


def calm(world: SandboxClient) -> None:
    """Let the world stand still and tell the truth; nothing is scheduled or paused any more."""
    world.quiet()
    world.honest()
    Source.objects.update(is_paused=False)
    SourceStream.objects.update(schedule="", next_run_at=None)
