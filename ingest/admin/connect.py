"""Connecting a source: a person lets us in on the provider's page and comes back with a code for a token."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, NoReturn

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from connectors.auth.grants import AuthorizationCode
from connectors.auth.tokens import Token
from connectors.base import Connector
from connectors.errors import ConfigError, ConnectorError
from ingest import crypto
from ingest.admin import cells
from ingest.connecting import connector_for
from ingest.models import Source, SourceToken
from ingest.tokens import SourceTokens

SALT = "ingest.admin.connect"
SESSION_KEY = "connecting"
GOOD_FOR = 15 * 60  # seconds; people have to find their passwords
OPEN_AT_ONCE = 5
SAID = 300
OVER = " (over: it is renewed before the next call)"
NO_END = "revoked at the provider"
AGAIN = "Press Connect or Reconnect on the source's page to try again."


class Refused(Exception):
    """Connecting stops here; the text is for the person."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A connection that a person has begun in this browser."""

    source: Source
    verifier: str
    redirect_uri: str


def redirect_uri(request: HttpRequest) -> str:
    """Return the address that has to be registered with the provider."""
    return request.build_absolute_uri(reverse("admin:ingest_source_connected"))


def begin(request: HttpRequest, source: Source) -> HttpResponse:
    """Send the person to the provider's page, with a state that is good once, for them and this source."""
    try:
        connector = connector_for(source)
    except ConnectorError as error:
        messages.error(request, f"{source.name}: {error}")
        return HttpResponseRedirect(cells.change_url(Source, source.pk))
    try:
        authorization = connector.authorization()
        if authorization is None:
            messages.error(
                request, f"{source.name}: {connector.auth_shown()} needs no connecting; it works as it is."
            )
            return HttpResponseRedirect(cells.change_url(Source, source.pk))
        return HttpResponseRedirect(_page(request, source, authorization))
    finally:
        connector.close()


def _page(request: HttpRequest, source: Source, authorization: AuthorizationCode) -> str:
    user: Any = request.user
    nonce, verifier, back = secrets.token_urlsafe(24), secrets.token_urlsafe(48), redirect_uri(request)
    state = signing.dumps({"source": source.pk, "user": user.pk, "nonce": nonce}, salt=SALT)
    begun = request.session.get(SESSION_KEY, {})
    latest = dict(list(begun.items())[-(OPEN_AT_ONCE - 1) :])
    # Encrypted, as sessions lie in the database in the clear.
    request.session[SESSION_KEY] = {**latest, nonce: crypto.encrypt({"verifier": verifier, "back": back})}
    return authorization.page(state=state, verifier=verifier, redirect_uri=back)


def finish(request: HttpRequest) -> HttpResponse:
    """
    Take the person back from the provider, with a token stored or told in words why not.

    :raises PermissionDenied: if the connection was begun by somebody else
    """
    try:
        state = _state(request)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("admin:ingest_source_changelist"))
    try:
        messages.success(request, _connected(request, _begun(request, state)))
    except Refused as refusal:
        messages.error(request, str(refusal))
    # The button to try again is there.
    return HttpResponseRedirect(cells.change_url(Source, state["source"]))


def _state(request: HttpRequest) -> dict[str, Any]:
    """Return what was signed when the person was sent away, however long ago."""
    try:
        state: dict[str, Any] = signing.loads(request.GET.get("state", ""), salt=SALT)
    except signing.BadSignature:
        _refuse(f"This answer belongs to no connection that was begun here. {AGAIN}")
    user: Any = request.user
    if state["user"] != user.pk:
        raise PermissionDenied("This connection was begun by somebody else: press Connect to begin your own.")
    if not Source.objects.filter(pk=state["source"]).exists():
        _refuse("The source that was to be connected is gone.")
    return state


def _begun(request: HttpRequest, state: dict[str, Any]) -> Begun:
    """Return what the state stands for, which is good no more from then on."""
    kept = request.session.get(SESSION_KEY, {})
    sealed = kept.pop(state["nonce"], None)
    if sealed is None:
        _refuse(f"This answer was used already, or the connection was begun in another browser. {AGAIN}")
    request.session[SESSION_KEY] = kept
    request.session.save()
    try:
        signing.loads(request.GET["state"], salt=SALT, max_age=GOOD_FOR)
    except signing.SignatureExpired:
        _refuse(f"That took longer than {GOOD_FOR // 60} minutes. {AGAIN}")
    held = crypto.decrypt(sealed)
    return Begun(Source.objects.get(pk=state["source"]), held["verifier"], held["back"])


def _connected(request: HttpRequest, begun: Begun) -> str:
    source, answer = begun.source, request.GET.dict()
    if "error" in answer:
        said = " ".join(f"{answer['error']} {answer.get('error_description', '')}".split())[:SAID]
        _refuse(f"{source.name}: the provider did not let us in: {said}. {AGAIN}")
    if not answer.get("code"):
        _refuse(f"{source.name}: the provider's answer holds no code. {AGAIN}")
    try:
        connector = connector_for(source)
        try:
            token = _exchanged(connector, begun, answer)
            needed = {scope for stream in connector.streams() for scope in stream.scopes}
        finally:
            connector.close()
        SourceTokens(source.pk, credentials=source.credentials).keep(token)
    except ConnectorError as error:
        _refuse(f"{source.name} is not connected: {error} {AGAIN}")
    _log(request, source)
    return _told(source, token, missing=sorted(needed - set(token.scopes)) if token.scopes else [])


def _exchanged(connector: Connector, begun: Begun, answer: dict[str, str]) -> Token:
    authorization = connector.authorization()
    if authorization is None:
        _refuse(f"{begun.source.name} was given other credentials meanwhile, which need no connecting.")
    return authorization.exchange(answer, verifier=begun.verifier, redirect_uri=begun.redirect_uri)


def _told(source: Source, token: Token, *, missing: list[str]) -> str:
    granted = f" Scopes: {', '.join(token.scopes)}." if token.scopes else ""
    lacking = f" Missing scope: {', '.join(missing)}; streams that need it will fail." if missing else ""
    return f"{source.name} is connected.{granted}{lacking} Test connection shows whether its data answers."


def _log(request: HttpRequest, source: Source) -> None:
    user: Any = request.user
    LogEntry.objects.log_actions(user.pk, [source], action_flag=CHANGE, change_message="Connected")


def _refuse(told: str) -> NoReturn:
    raise Refused(told)


def panel_values(request: HttpRequest, source: Source) -> dict[str, Any]:
    """Return what the source's page shows of its way in; nothing of a secret but its last characters."""
    try:
        connector = connector_for(source)
    except ConnectorError as error:
        return {"pairs": [("Way in", str(error))]}
    try:
        is_connectable = connector.authorization() is not None
        way_in = connector.auth_shown()
    finally:
        connector.close()
    has_token, pairs = _token_shown(source)
    pairs = [("Way in", way_in), *pairs]
    if not is_connectable:
        return {"pairs": pairs, "reason": source.needs_reconnect_reason}
    return {
        "pairs": [*pairs, ("Redirect URL to register", redirect_uri(request))],
        "reason": source.needs_reconnect_reason,
        "url": reverse("admin:ingest_source_connect", args=[source.pk]),
        "verb": "Reconnect" if has_token else "Connect",
        "is_wanted": bool(source.needs_reconnect_since) or not has_token,
    }


def _token_shown(source: Source) -> tuple[bool, list[tuple[str, object]]]:
    """Return whether there is a token for these credentials, and what may be shown of it."""
    row = SourceToken.objects.defer("token").filter(pk=source.pk).first()
    if row is None:
        return False, []
    try:
        held = SourceTokens(source.pk, credentials=source.credentials).held()
    except ConfigError as error:
        return True, [("Token", str(error))]
    if held is None:
        return False, [("Token", "none for these credentials yet")]
    is_over = held.expires_at is not None and held.expires_at < timezone.now()
    return True, [
        ("Token", f"…{held.access[-4:]}" if len(held.access) >= 16 else "held"),
        (
            "Good until",
            f"{cells.utc(held.expires_at)}{OVER if is_over else ''}" if held.expires_at else NO_END,
        ),
        ("Scopes", ", ".join(held.scopes) or "none named"),
        ("Renewed", f"{cells.utc(row.renewed_at)}, {cells.plural(row.renewals, 'time')} in all"),
    ]
