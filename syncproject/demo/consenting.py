"""Letting the demo's sources in on their providers' pages, as a person would with a browser."""

from __future__ import annotations

import secrets
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from urllib.parse import parse_qsl, urlsplit

from django.urls import reverse
from django.utils import timezone

from connectors import connect
from connectors.auth.tokens import Token
from connectors.base import Access
from connectors.errors import AuthenticationError, TransientError
from ingest.models import Source, SourceToken
from ingest.tokens import SourceTokens, let_ask_again
from syncproject.demo.world import DemoSource

TIMEOUT_SECONDS = 10.0


def let_in(one: DemoSource, *, web: str) -> None:
    """
    Connect the source anew, or leave that to people: an earlier demo's tokens are good for nothing.

    :raises ConnectorError: if the provider does not answer, or gives no token
    """
    source = Source.objects.defer("credentials").get(name=one.name)
    SourceToken.objects.filter(source=source).delete()
    let_ask_again(source.pk)
    if one.connects and one.datasets:
        token = _token(one, back=f"{web}{reverse('admin:ingest_source_connected')}")
        SourceTokens(source.pk, credentials=dict(one.credentials)).keep(token)


def _token(one: DemoSource, *, back: str) -> Token:
    here = frozenset({urlsplit(one.config["base_url"]).netloc})
    access = Access(private_hosts=here, clock=timezone.now)
    connector = connect(one.connector, config=one.config, credentials=one.credentials, access=access)
    try:
        authorization = connector.authorization()
        if authorization is None:
            raise AuthenticationError(f"{one.name}: there is no page to be let in on")
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        answer = say_yes(authorization.page(state=state, verifier=verifier, redirect_uri=back))
        return authorization.exchange(answer, verifier=verifier, redirect_uri=back)
    finally:
        connector.close()


def say_yes(page: str) -> dict[str, str]:
    """Return what the provider sends a person back with; that way itself is not gone."""
    address = urlsplit(page)
    with closing(HTTPConnection(address.netloc, timeout=TIMEOUT_SECONDS)) as connection:
        try:
            connection.request("GET", f"{address.path}?{address.query}")
            answer = connection.getresponse()
            told = answer.headers.get("Location") or answer.read().decode(errors="replace")
        except (OSError, HTTPException) as error:
            raise TransientError(f"no answer from the provider's page at {address.netloc}: {error}") from None
    found = dict(parse_qsl(urlsplit(told).query))
    if "code" not in found:
        raise AuthenticationError(f"the provider's page did not let us in: {told}")
    return found
