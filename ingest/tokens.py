"""
The token of a source, kept for all workers: whoever needs a new one asks for it alone, under the row's lock.

The provider is asked while that lock is held, which is why sessions with token endpoints are impatient. What
it gave is committed before anyone uses it, as a refresh token that was used up may be good for nothing more.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from connectors.auth.tokens import Mint, Token, token_from
from connectors.errors import (
    BadResponse,
    ConfigError,
    ConnectorError,
    NeedsReconnect,
    NotAsked,
    RateLimited,
    TransientError,
)
from ingest.models import Source, SourceToken

log = logging.getLogger(__name__)

# Longer than any answer of a token endpoint is waited for.
LOCK_SECONDS = 15
# Who waited for the lock while a renewal failed need not try the same at once.
QUIET = timedelta(seconds=5)
# Told to slow down without being told for how long.
SLOWED = timedelta(seconds=30)
LOST = (
    "The answer to an earlier renewal, at {:%Y-%m-%d %H:%M} UTC, was lost on its way and the new refresh "
    "token with it; that is the likely reason."
)


class SourceTokens:
    """The store of one source's token."""

    def __init__(
        self,
        source_id: int,
        *,
        credentials: Mapping[str, Any],
        asks_anyway: bool = False,
        access_version: int | None = None,
    ) -> None:
        """
        Take the credentials that tokens are minted from: one that came of others is none of ours.

        `asks_anyway`: a person wants to know, although the source is marked as to be connected again.
        `access_version`: the source's; once it has another, nothing refused here marks it any more.
        """
        self._source_id = source_id
        self._access_version = access_version
        self._origin = digest(credentials)
        self._asks_anyway = asks_anyway

    def held(self) -> Token | None:
        """:raises ConfigError: if none of the keys reads it"""
        return self._token_in(SourceToken.objects.defer("token").filter(pk=self._source_id).first())

    def renew(self, stale: Token | None, mint: Mint) -> Token:
        """
        Return a token newer than `stale`: another's, or one minted now and committed.

        :raises NeedsReconnect: if a person must connect the account again; the source is marked
        :raises TransientError: if another renewal is under way and takes its time, or PostgreSQL is away
        :raises ConnectorError: if minting failed otherwise
        """
        minted: list[Token] = []

        def mint_and_remember(held: Token | None) -> Token:
            minted.append(mint(held))
            return minted[0]

        try:
            with transaction.atomic(durable=True):
                outcome = self._renewed(stale, mint_and_remember)
        except (OperationalError, InterfaceError) as error:
            if not minted:
                raise _busy(error) from None
            outcome = self._kept_after_all(stale, minted[0])
        if isinstance(outcome, ConnectorError):
            raise outcome
        return outcome

    def keep(self, token: Token) -> None:
        """
        Store what a person has just been given at the provider; the source may ask again.

        :raises TransientError: if a renewal is under way and takes its time, or PostgreSQL is away
        """
        try:
            with transaction.atomic():
                self._store(_locked(self._source_id), token)
                let_ask_again(self._source_id)
        except (OperationalError, InterfaceError) as error:
            raise _busy(error) from None

    def _renewed(self, stale: Token | None, mint: Mint) -> Token | ConnectorError:
        """Return what came of it; errors are returned, as what is noted of them has to be committed."""
        row = _locked(self._source_id)
        held = self._token_in(row)
        if held is not None and held.is_newer_than(stale):
            return held
        if not self._asks_anyway and (refusal := _refusal(row)):
            return refusal
        try:
            token = mint(held)
        except ConnectorError as error:
            return self._noted(row, error)
        self._store(row, token)
        return token

    def _noted(self, row: SourceToken, error: ConnectorError) -> ConnectorError:
        """Note what those who ask next have to know of a failure."""
        if isinstance(error, NeedsReconnect):
            return self._marked(row, error)
        if isinstance(error, RateLimited):
            wait = timedelta(seconds=error.retry_after) if error.retry_after else SLOWED
            SourceToken.objects.filter(pk=row.pk).update(quiet_until=Now() + wait)
        elif isinstance(error, TransientError | BadResponse):
            SourceToken.objects.filter(pk=row.pk).update(unanswered_at=Now())
        return error

    def _kept_after_all(self, stale: Token | None, token: Token) -> Token:
        """Store a token whose transaction was lost, unless another has renewed in its absence."""
        log.warning("connection lost while a token was renewed", extra={"source": self._source_id})
        connection.close()
        try:
            with transaction.atomic(durable=True):
                row = _locked(self._source_id)
                held = self._token_in(row)
                if held is not None and held.is_newer_than(stale):
                    return held
                self._store(row, token)
        except (OperationalError, InterfaceError) as error:
            raise _busy(error) from None
        return token

    def _token_in(self, row: SourceToken | None) -> Token | None:
        try:
            kept = row.token if row is not None else None
        except ImproperlyConfigured as error:
            raise ConfigError(str(error)) from None
        return token_from(kept["token"]) if kept and kept["origin"] == self._origin else None

    def _store(self, row: SourceToken, token: Token) -> None:
        row.token = {"origin": self._origin, "token": token.stored()}
        row.expires_at, row.renewed_at, row.unanswered_at = token.expires_at, Now(), None
        row.quiet_until, row.renewals = None, F("renewals") + 1
        row.save()

    def _marked(self, row: SourceToken, error: NeedsReconnect) -> NeedsReconnect:
        row.refresh_from_db(fields=["unanswered_at"])
        reason = f"{error} {LOST.format(row.unanswered_at)}" if row.unanswered_at else str(error)
        if digest(Source.objects.values_list("credentials", flat=True).get(pk=row.pk)) == self._origin:
            needs_reconnect(row.pk, reason, access_version=self._access_version)
        return NeedsReconnect(reason, body=error.body)


def digest(credentials: Mapping[str, Any]) -> str:
    """Return what tells credentials from others; to be kept encrypted only, as passwords can be guessed."""
    return hashlib.sha256(json.dumps(credentials, sort_keys=True).encode()).hexdigest()


def needs_reconnect(source_id: int, reason: str, *, access_version: int | None = None) -> None:
    """
    Mark the source: nothing more is asked of its provider until a person has connected it again.

    `access_version`: what was refused; if a person has let us in anew meanwhile, the source stays as it is.
    """
    unmarked = Source.objects.filter(pk=source_id, needs_reconnect_since__isnull=True)
    if access_version is not None:
        unmarked = unmarked.filter(access_version=access_version)
    if unmarked.update(needs_reconnect_since=Now(), needs_reconnect_reason=reason):
        log.error("source needs reconnecting", extra={"source": source_id, "reason": reason})


def let_ask_again(source_id: int) -> None:
    """Take the mark off: the source was connected again, or was given new credentials."""
    Source.objects.filter(pk=source_id).update(
        needs_reconnect_since=None, needs_reconnect_reason="", access_version=F("access_version") + 1
    )


def _locked(source_id: int) -> SourceToken:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
    SourceToken.objects.defer("token").get_or_create(pk=source_id)
    # What no key reads any more can be replaced all the same.
    return SourceToken.objects.select_for_update(no_key=True).defer("token").get(pk=source_id)


def _refusal(row: SourceToken) -> ConnectorError | None:
    """Return why the provider is not asked now, by the clock of PostgreSQL: workers' clocks differ."""
    since, reason, now = (
        Source.objects.filter(pk=row.pk)
        .values_list("needs_reconnect_since", "needs_reconnect_reason", Now())
        .get()
    )
    if since is not None:
        return NeedsReconnect(reason)
    if row.quiet_until and (wait := (row.quiet_until - now).total_seconds()) > 0:
        return RateLimited("The token endpoint asked us to slow down.", retry_after=wait)
    if row.unanswered_at and (wait := (row.unanswered_at + QUIET - now).total_seconds()) > 0:
        # Nor is it a failure of those who wait: the source's other jobs would be spared a minute for it.
        return NotAsked(
            f"A renewal of the source's token got no answer just now; it is tried again in {wait:.0f} s.",
            retry_after=wait,
        )
    return None


def _busy(error: Exception) -> TransientError:
    log.warning("token not renewed", extra={"reason": str(error).strip()})
    return TransientError(
        "The source's token could not be renewed: another worker is at it, or PostgreSQL was away. It is "
        "tried again."
    )
