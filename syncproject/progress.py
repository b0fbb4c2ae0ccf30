"""Progress of jobs as it happens: bars on a terminal, a line every few seconds in a pipe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Protocol, Self, cast

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from ingest.management.text import Output, duration, one_line
from ingest.models import CollectionJob

LINE_EVERY = 3.0  # seconds, where there is no terminal
SILENCE_WORTH_SAYING = 10.0
_COLOURS = {
    "SUCCEEDED": "green",
    "PARTIAL": "yellow",
    "FAILED": "red",
    "QUARANTINED": "red",
    "CANCELLED": "red",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where one job stands, for people."""

    job_id: int
    label: str
    status: str
    is_live: bool
    done: int
    expected: int | None
    per_second: float
    dead_letters: int
    #: Changes whenever anything happened.
    stage: tuple[object, ...]
    is_waiting: bool
    state: str

    @property
    def share(self) -> float | None:
        """Return how much is done, 0.0 to 1.0; None while nobody knows."""
        if not self.is_live:
            return 1.0
        return min(1.0, self.done / self.expected) if self.expected else None

    @property
    def line(self) -> str:
        of_all = f" of {self.expected:,}" if self.expected and self.is_live else ""
        return (
            f"{self.label}: {self.done:,}{of_all} records, {self.per_second:,.0f}/s, "
            f"{_letters(self.dead_letters)}, {self.state}"
        )


def _letters(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count:,} dead letters"


def standings(job_ids: Iterable[int], *, now: datetime) -> list[Standing]:
    """Return where the jobs stand, in the order of their ids."""
    jobs = CollectionJob.objects.select_related("source", "stream").defer("source__credentials")
    return [standing(job, now=now) for job in jobs.filter(pk__in=list(job_ids)).order_by("pk")]


def standing(job: CollectionJob, *, now: datetime) -> Standing:
    done = job.inserted + job.updated + job.unchanged + job.skipped + job.failed
    seconds = ((job.finished_at or now) - job.started_at).total_seconds() if job.started_at else 0.0
    return Standing(
        job_id=job.pk,
        label=f"{job.source.name}/{job.stream.name}",
        status=job.status,
        is_live=job.is_live,
        done=done,
        expected=job.expected_total,
        # A run over in no time has no meaningful speed.
        per_second=done / max(seconds, 0.5) if seconds > 0 else 0.0,
        dead_letters=job.failed,
        stage=(job.status, job.fetched, done, job.is_fetched, job.lease_token),
        is_waiting=_wait(job, now=now) > 0,
        state=_state(job, now=now),
    )


def _state(job: CollectionJob, *, now: datetime) -> str:
    if not job.is_live:
        return f"{job.status.lower()}: {one_line(job.error)}" if job.error else job.status.lower()
    if job.source.is_paused:
        return "paused"
    if job.error and _wait(job, now=now) > 0:
        return f"waits {duration(_wait(job, now=now))}: {one_line(job.error)}"
    if job.cancel_requested:
        return "stops at the next page"
    if job.started_at is None:
        return "queued"
    doing = "writing the last pages" if job.is_fetched else f"page {job.next_page_number}"
    silence = (now - (job.progress_at or job.started_at)).total_seconds()
    return f"{doing}, nothing for {duration(silence)}" if silence > SILENCE_WORTH_SAYING else doing


def _wait(job: CollectionJob, *, now: datetime) -> float:
    """Return for how many seconds the job has to wait still."""
    return max(0.0, (job.next_run_at - now).total_seconds()) if job.is_live else 0.0


class Display(Protocol):
    """Shows standings until closed."""

    def show(self, now: datetime, found: Sequence[Standing]) -> None: ...

    def note(self, text: str) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def display_for(out: Output) -> Display:
    return Bars(out) if out.isatty() else Lines(out)


class Bars:
    """A bar per job, with the sum below, drawn again in place."""

    def __init__(self, out: Output) -> None:
        self._console = Console(file=cast(IO[str], out))
        self._live = Live(
            console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def note(self, text: str) -> None:
        self._console.print(Text(text))

    def show(self, now: datetime, found: Sequence[Standing]) -> None:
        table = Table.grid(padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(width=24)
        for _ in range(3):
            table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for one in found:
            table.add_row(*_bar_cells(one, pulse_at=now.timestamp()))
        self._live.update(Group(table, Text(_total(found), style="bold")), refresh=True)


def _bar_cells(one: Standing, *, pulse_at: float) -> list[Text | ProgressBar]:
    share = one.share
    bar = ProgressBar(
        total=1.0 if share is not None else None,
        completed=share or 0.0,
        pulse=share is None and one.done > 0,
        animation_time=pulse_at,
        width=24,
    )
    return [
        Text(one.label),
        bar,
        Text(f"{one.done:,}"),
        Text(f"{one.per_second:,.0f}/s", style="cyan"),
        Text(f"{one.dead_letters:,} dead", style="yellow" if one.dead_letters else "dim"),
        Text(one.state, style=_COLOURS.get(one.status, "")),
    ]


def _total(found: Sequence[Standing]) -> str:
    done = sum(one.done for one in found)
    letters = _letters(sum(one.dead_letters for one in found))
    live = [one for one in found if one.is_live]
    if not live:
        return f"{done:,} records, {letters}, all {len(found)} streams done"
    speed = sum(one.per_second for one in live)
    return f"{done:,} records, {speed:,.0f}/s, {letters}, {len(live)} of {len(found)} streams at work"


class Lines:
    """A line when a job ends or has to wait and, every few seconds, one for each that moved."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._shown: dict[int, Standing] = {}
        self._latest: datetime | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is held open."""

    def note(self, text: str) -> None:
        self._out.write(text + "\n")

    def show(self, now: datetime, found: Sequence[Standing]) -> None:
        is_time = self._latest is None or (now - self._latest).total_seconds() >= LINE_EVERY
        for one in found:
            before = self._shown.get(one.job_id)
            if _is_urgent(one, before) or (is_time and _is_news(one, before)):
                self._out.write(one.line + "\n")
                self._shown[one.job_id] = one
        if is_time:
            self._latest = now


def _is_urgent(one: Standing, before: Standing | None) -> bool:
    """Tell whether the job has ended, or was told to wait, since it was shown."""
    if before is None:
        return False
    return (before.is_live and not one.is_live) or (one.is_waiting and not before.is_waiting)


def _is_news(one: Standing, before: Standing | None) -> bool:
    return before is None or (one.stage, one.is_waiting) != (before.stage, before.is_waiting)
