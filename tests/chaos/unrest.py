"""What is synced, and the life the pretended worlds lead meanwhile: they change, and they lie."""

from __future__ import annotations

from typing import NamedTuple

from ingest.models import Source, SourceStream
from sandbox import SandboxClient
from tests.chaos import accounts, oracle, strict
from tests.chaos.strict_client import StrictClient
from tests.story import shops

LIE_SHARE = 0.05
CHANGES_PER_SECOND = 20
STRICT_CHANGES_PER_SECOND = 5
#: Small pages make many boundaries at which something can go wrong.
PAGE_SIZE = 25
AMOUNTS = "--customers 300 --products 150 --orders 600 --items 250 --latency-ms 20"
#: Full every time; the others fetch what changed since the watermark.
FULL = ("customers", "page", "next", "report")
SCHEDULES = ("every 10s", "every 15s", "every 20s")
#: Often enough to want more calls than are allowed, and a new token each time.
STRICT = "every 5s"
# After half an hour a full pass of its streams together must still end within a minute at two calls a second.
STRICT_PAGE_SIZE = 40


class Told(NamedTuple):
    """Who tells what a stream should hold."""

    world: SandboxClient
    dataset: str

    def newest(self) -> oracle.Newest:
        newest: oracle.Newest = self.world.ledger(self.dataset, full=True)["expected"]["newest"]
        return newest


def lay_out_sources(world: SandboxClient, strict_world: StrictClient) -> dict[SourceStream, Told]:
    """Make a shop, an API in all its ways of paging, and what is strict, scheduled; say who tells of each."""
    shop = shops.add_shop(world, page_size=PAGE_SIZE)
    # A call per order: after half an hour a full pass takes longer than any job is given in the end.
    shop.streams.filter(name="transactions").delete()
    songs = shops.add_songs(world, page_size=PAGE_SIZE)
    told = {
        **{stream: Told(world, name) for stream, name in shops.datasets_of(shop, songs).items()},
        **{
            stream: Told(strict_world, name)
            for stream, name in accounts.lay_out_strict(strict_world, page_size=STRICT_PAGE_SIZE).items()
        },
    }
    for number, (stream, teller) in enumerate(told.items()):
        stream.schedule = STRICT if teller.world is strict_world else SCHEDULES[number % len(SCHEDULES)]
        stream.mode = SourceStream.Mode.FULL if stream.name in FULL else SourceStream.Mode.INCREMENTAL
        stream.save(update_fields=["schedule", "mode"])
    return told


def stir(world: SandboxClient, strict_world: StrictClient, *, seed: int) -> None:
    """Let both worlds change all the while, and lie now and then."""
    world.live(changes_per_second=CHANGES_PER_SECOND, seed=seed)
    strict_world.live(changes_per_second=STRICT_CHANGES_PER_SECOND, seed=seed, datasets=strict.ALIVE)
    for one in (world, strict_world):
        one.lie(share=LIE_SHARE, seed=seed)


def calm(world: SandboxClient, strict_world: StrictClient) -> None:
    """Let both stand still and tell the truth; nothing is scheduled or paused any more."""
    for one in (world, strict_world):
        one.quiet()
        one.honest()
    strict_world.rest()
    Source.objects.update(is_paused=False)
    SourceStream.objects.update(schedule="", next_run_at=None)
