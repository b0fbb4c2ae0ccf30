"""
What is read from the strict world, who connects accounts again, and what that world must have seen.

A source is marked as to be connected again only where the provider has taken back what came of its consent;
a refresh token is shown twice only where the answer to the first time was lost; calls too many are ours only
where Redis had just forgotten how many there were; a report is read to its last row, and no row twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import Count

from ingest import tokens
from ingest.models import CollectionJob, ReportRun, Source, SourceStream
from sandbox import api
from sandbox.shopify_doors import CLIENT_ID, CLIENT_SECRET
from tests.chaos import strict
from tests.chaos.journal import Journal
from tests.chaos.oracle import Difference
from tests.chaos.plan import WORKERS
from tests.chaos.strict import OFFICE, SHOP, VAULT
from tests.chaos.strict_client import Seen, StrictClient
from tests.chaos.strict_desk import KEY
from tests.chaos.strict_tokens import Use
from tests.story import shops

#: Pool processes of all workers: so many calls may be on their way at once.
CALLS_AT_ONCE = 4
ATTEMPTS = 2
#: From the lock until the token is shown.
BEFORE_USE_SECONDS = 2.0
#: They carry a token to the provider, or the answer into the database.
CARRIERS = frozenset({*WORKERS, "postgres", "postgres link", "strict world"})
REDIS = frozenset({"redis", "redis link"})
#: So long after a blow to it workers may still go without Redis, or their calls be on their way.
WITHOUT_REDIS_SECONDS = 12.0


# Sources


def lay_out_strict(world: StrictClient, *, page_size: int) -> dict[SourceStream, str]:
    """Make a source at each provider of the strict world; return the dataset of each stream."""
    sources = (
        (_add_shop(world, page_size), "shopify"),
        (_add_vault(world, page_size), "api"),
        (_add_office(world, page_size), "api"),
    )
    return {
        stream: f"{prefix}.{stream.name}"
        for source, prefix in sources
        for stream in source.streams.order_by("name")
    }


def _add_shop(world: StrictClient, page_size: int) -> Source:
    config = {
        "shop": "sandbox.myshopify.com",
        "api": "rest",
        "base_url": f"{world.url}/shopify",
        "rest_rate": strict.RATE,
        "rest_burst": strict.OUR_BURST,
    }
    app = {"mode": "oauth", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    credentials = {**app, "refresh_token": world.consent(SHOP)}
    shop = shops.add_source(SHOP, "shopify", page_size=page_size, config=config, credentials=credentials)
    shop.streams.exclude(name__in=strict.SHOP_STREAMS).delete()
    return shop


def _add_vault(world: StrictClient, page_size: int) -> Source:
    config = {
        "auth": {"type": "oauth2", "grant": "refresh_token"},
        "targetTable": "content_item",
        "fieldMapping": {"title": "name", "artist": "artist.name", "external_id": "id"},
        "incremental": {"param": "updated_since", "field": "updated_at"},
        "streams": {
            paging: {
                "sourceIdentifier": f"{world.url}/api/{paging}/items",
                "dataPath": "data.items",
                "pagination": {"limitParam": "limit", **api.PAGINATION[paging]},
            }
            for paging in strict.VAULT_PAGINGS
        },
    }
    credentials = {
        "client_id": strict.VAULT_ID,
        "client_secret": strict.VAULT_SECRET,
        "token_url": f"{world.url}/vault/token",
        "refresh_token": world.consent(VAULT),
    }
    return shops.add_source(VAULT, "rest", page_size=page_size, config=config, credentials=credentials)


def _add_office(world: StrictClient, page_size: int) -> Source:
    config = {"base_url": f"{world.url}/office"}
    return shops.add_source(OFFICE, "office", page_size=page_size, config=config, credentials={"token": KEY})


# People


class Keeper:
    """Whoever is told that an account must be connected again, and does it; notes whether it was so."""

    def __init__(self, world: StrictClient, journal: Journal) -> None:
        self._world = world
        self._journal = journal

    def act(self) -> None:
        """Connect what is marked; where PostgreSQL or the strict world is away, another time."""
        try:
            for source in Source.objects.filter(needs_reconnect_since__isnull=False):
                self._reconnect(source)
        except (DatabaseError, InterfaceError):
            connection.close()
        except OSError as error:
            self._journal.note("reconnect not possible", why=str(error))

    def _reconnect(self, source: Source) -> None:
        is_revoked = False
        if source.name in (SHOP, VAULT):
            is_revoked = self._world.is_revoked(source.name, source.credentials["refresh_token"])
            source.credentials = {**source.credentials, "refresh_token": self._world.consent(source.name)}
        self._journal.note(
            "reconnect", source=source.name, revoked=is_revoked, reason=source.needs_reconnect_reason
        )
        with transaction.atomic():
            source.save(update_fields=["credentials"])
            tokens.let_ask_again(source.pk)


# What must hold


class Blow(NamedTuple):
    """When something was struck, until it was well again; epoch seconds."""

    whom: str
    name: str
    begin: float
    end: float


def blows(journal: Journal) -> list[Blow]:
    """Return what was struck, each cut link at the moment it was cut."""
    began = journal.began_at
    found = [
        Blow(event["whom"], event["deed"], began + event["at"], began + event["at"] + event["seconds"])
        for event in journal.named("deed")
    ]
    for event in journal.named("trap"):
        if event["sprung"]:
            at = began + event["sprung_at"]
            found.append(Blow(event["whom"], event["deed"], at, at))
    return found


def differences(world: StrictClient, journal: Journal) -> list[Difference]:
    """Return all that the strict world should not have seen, or we not have said of it."""
    seen, struck = world.seen(), blows(journal)
    return [
        *wrongly_marked(journal),
        *(one for name, uses in seen.uses.items() for one in shown_twice(name, uses, struck)),
        *too_many_calls(seen.refused, struck),
        *reports_amiss(seen),
    ]


def wrongly_marked(journal: Journal) -> Iterator[Difference]:
    for event in journal.named("reconnect"):
        if not event["revoked"]:
            yield Difference("tokens", event["source"], f"was not revoked, but: {event['reason']}")
    for source in Source.objects.filter(needs_reconnect_since__isnull=False):
        yield Difference("tokens", source.name, f"is still marked: {source.needs_reconnect_reason}")


def repeated(uses: list[Use]) -> Iterator[tuple[Use, Use]]:
    """Yield each use of a refresh token that had been good before, with that earlier use."""
    granted: dict[str, Use] = {}
    for use in uses:
        if use.token in granted:
            yield granted[use.token], use
        if use.is_granted:
            granted[use.token] = use


def shown_twice(name: str, uses: list[Use], struck: list[Blow]) -> Iterator[Difference]:
    for first, again in repeated(uses):
        begin = first.at - BEFORE_USE_SECONDS
        is_struck = any(one.whom in CARRIERS and one.begin <= again.at and one.end >= begin for one in struck)
        if not first.is_lost and not is_struck:
            told = (
                f"refresh token {first.token} shown again {again.at - first.at:.2f} s later, nothing was lost"
            )
            yield Difference("tokens", name, told)


def too_many_calls(refused: list[float], struck: list[Blow]) -> Iterator[Difference]:
    blows_to_redis = [one for one in struck if one.whom in REDIS]
    for at in refused:
        if not any(one.begin <= at <= one.end + WITHOUT_REDIS_SECONDS for one in blows_to_redis):
            yield Difference("calls", SHOP, f"one too many at {at:.1f}, when Redis was well")
    most = allowed_429s(struck)
    if len(refused) > most:
        told = f"{len(refused)} calls too many, where {most} can be told by what befell Redis"
        yield Difference("calls", SHOP, told)


def allowed_429s(struck: list[Blow]) -> int:
    """Return how many calls too many are no fault: those on their way while Redis had forgotten the rest."""
    return CALLS_AT_ONCE * sum(1 for one in struck if one.whom in REDIS)


def reports_amiss(seen: Seen) -> Iterator[Difference]:
    if seen.betrayed:
        yield Difference("reports", OFFICE, f"{seen.betrayed} files asked for with the key of the API")
    for run in ReportRun.objects.select_related("job"):
        where = f"{OFFICE} {run.external_id} of job {run.job_id}"
        if run.state in ReportRun.OPEN and run.job.status not in CollectionJob.LIVE:
            yield Difference("reports", where, f"is still {run.state} although its job is {run.job.status}")
        if run.attempt > ATTEMPTS:
            yield Difference("reports", where, f"is attempt {run.attempt}")
        if run.state == ReportRun.State.DOWNLOADED and run.rows != seen.rows[run.external_id]:
            yield Difference("reports", where, f"{run.rows} of {seen.rows[run.external_id]} rows were read")


def figures(world: StrictClient, journal: Journal) -> Iterator[str]:
    """Yield lines for people."""
    seen, struck = world.seen(), blows(journal)
    marked = journal.named("reconnect")
    for name, uses in seen.uses.items():
        again = list(repeated(uses))
        lost = sum(use.is_lost for use in uses)
        connected = sum(1 for event in marked if event["source"] == name)
        yield (
            f"{name}: {len(uses)} renewals asked for, {lost} answers lost on their way, "
            f"{len(again)} tokens shown again, connected again {connected} times"
        )
    calls = world.requests()["by_status"]
    yield (
        f"{SHOP}: {len(seen.refused)} calls too many at {strict.RATE:g} a second "
        f"(at most {allowed_429s(struck)} by what befell Redis), {sum(calls.values())} calls to that world"
    )
    states = dict(ReportRun.objects.values_list("state").annotate(Count("pk")))
    second = ReportRun.objects.filter(attempt=ATTEMPTS).count()
    told = ", ".join(f"{state} {count}" for state, count in sorted(states.items()))
    yield f"{OFFICE}: {len(seen.rows)} reports begun, {second} of them second tries; {told}"
