"""What people read: a line now and then, and in the end who suffered what, and whether anything was lost."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Count

from ingest.models import CollectionJob, FailedSync, Page, RawRecord
from tests.chaos.journal import Journal, say
from tests.chaos.oracle import Difference

SHOWN = 30
TAIL = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run came to."""

    seed: int
    seconds: float
    #: How long it took until every job had ended; None: not in time.
    settled: float | None
    caught_up: float | None
    synced: float | None
    #: What incremental runs alone had left undone.
    behind: Sequence[Difference]
    differences: Sequence[Difference]
    #: What the strict world saw, in lines for people.
    accounts: Sequence[str]
    answers: Mapping[str, int]
    web_in_the_end: str
    lies: Mapping[str, int]

    @property
    def is_good(self) -> bool:
        is_settled = None not in (self.settled, self.caught_up, self.synced)
        return is_settled and not self.differences and self.web_in_the_end == "200"

    def count(self, what: str) -> int:
        return sum(1 for one in self.differences if one.what == what)


class Progress:
    """A line every few seconds."""

    def __init__(self, journal: Journal, *, deeds: int) -> None:
        self._journal = journal
        self._deeds = deeds

    def tell(self) -> None:
        done = self._journal.count("deed")
        say(f"{self._journal.now:7.1f} s  {done:3} of {self._deeds} deeds  {_standing()}")


def _standing() -> str:
    try:
        versions = RawRecord.objects.count()
        ended = CollectionJob.objects.exclude(status__in=CollectionJob.LIVE).count()
        live = CollectionJob.objects.filter(status__in=CollectionJob.LIVE).count()
    except (DatabaseError, InterfaceError):
        connection.close()
        return "PostgreSQL is away"
    return f"{versions:6} versions landed  {ended:4} jobs ended  {live:2} live"


def tell(result: Result, journal: Journal) -> None:
    """Print the table and the verdict; where something is wrong, what led to it."""
    for line in (*_deeds(journal), *_figures(result)):
        say(line)
    if not result.is_good:
        for line in _accusation(result, journal):
            say(line)
    say(verdict(result))


def verdict(result: Result) -> str:
    """Return the line that is the point of it all."""
    counts = ", ".join(f"{result.count(what)} {what}" for what in ("lost", "doubled", "stale"))
    word = "ok" if result.is_good else "NOT OK"
    records = RawRecord.objects.values("stream", "external_id").distinct().count()
    return f"chaos: {word}, seed {result.seed}, {result.seconds:.0f} s, {records} records, {counts}"


def _deeds(journal: Journal) -> Iterator[str]:
    yield f"{'what was done':<34}{'times':>6}{'median s':>10}{'worst s':>9}  until the next page landed"
    recoveries = _recoveries(journal)
    for deed, times in sorted(Counter(event["deed"] for event in journal.named("deed")).items()):
        took = recoveries[deed]
        figures = f"{median(took):10.1f}{max(took):9.1f}" if took else f"{'-':>10}{'-':>9}"
        yield f"{deed:<34}{times:>6}{figures}"
    ended = Counter(event["whom"] for event in journal.named("ended by itself"))
    sprung = Counter(event["deed"] for event in journal.named("trap") if event["sprung"])
    yield f"cuts that met their moment: {_listed(sprung)}"
    yield f"ended by themselves and were started again: {_listed(ended)}"
    yield f"what people did: {_listed(Counter(event['whim'] for event in journal.named('whim')))}"


def _recoveries(journal: Journal) -> dict[str, list[float]]:
    """Return per deed how long after each the next page landed."""
    landed = sorted(moment.timestamp() - journal.began_at for moment in _landings())
    found: defaultdict[str, list[float]] = defaultdict(list)
    for event in journal.named("over"):
        position = bisect_left(landed, event["at"])
        if position < len(landed):
            found[event["deed"]].append(landed[position] - event["at"])
    return found


def _landings() -> Iterator:
    return Page.objects.values_list("landed_at", flat=True).iterator()


def _figures(result: Result) -> Iterator[str]:
    by_status = CollectionJob.objects.values_list("status").annotate(Count("pk"))
    letters = FailedSync.objects
    yield f"jobs: {_listed(dict(by_status))}"
    yield f"raw versions: {RawRecord.objects.count()}, pages: {Page.objects.count()}"
    yield f"dead letters: {letters.count()}, open {letters.filter(resolved_at__isnull=True).count()}"
    yield from result.accounts
    yield f"the sandbox lied: {_listed(result.lies)}"
    yield f"the web answered: {_listed(result.answers)}; in the end {result.web_in_the_end}"
    yield f"found only by the full sync in the end (older than every window): {len(result.behind)}"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "nothing"


def _accusation(result: Result, journal: Journal) -> Iterator[str]:
    yield f"--- the last events of {journal.file}"
    yield from journal.tail(TAIL)
    yield f"--- {len(result.differences)} differences"
    yield from (str(one) for one in result.differences[:SHOWN])
    yield f"--- replay: make chaos SECONDS={result.seconds:.0f} SEED={result.seed}"
