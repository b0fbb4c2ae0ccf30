"""
A provider's token endpoint: what is sent there, what an answer holds, what a refusal means.

`invalid_grant` means that a person has to act. Whatever else goes wrong is named as the session names it, so
that a provider in trouble is asked again later and a wrong client is told as such.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NoReturn, Protocol

from connectors import exact_json
from connectors.auth.schemes import basic_pair
from connectors.auth.tokens import Token
from connectors.errors import (
    AuthenticationError,
    BadResponse,
    NeedsReconnect,
    RecordError,
    RefusedRequest,
)

Form = Mapping[str, str]
Answer = Mapping[str, Any]

NO_TOKEN = "the answer of the token endpoint holds no usable access_token"  # noqa: S105 - no password
MAX_LIFE_SECONDS = 10 * 365 * 86_400.0


class Reply(Protocol):
    """What a session answers."""

    @property
    def body(self) -> bytes: ...


class Session(Protocol):
    """What is needed of an HttpSession."""

    def request(
        self, method: str, url: str, *, headers: Form | None = None, form: Form | None = None
    ) -> Reply: ...

    def keep_secret(self, secret: str) -> None: ...


def usual_token(answer: Answer, received_at: datetime) -> Token:
    """
    Read a token answer as RFC 6749 5.1 has it; scopes may also be a list, or parted by commas.

    :raises ValueError: if it holds no usable access_token
    """
    access, refresh = answer["access_token"], answer.get("refresh_token") or ""
    if not isinstance(access, str) or not access or not isinstance(refresh, str):
        raise ValueError(NO_TOKEN)
    life = timedelta(seconds=min(float(answer.get("expires_in") or 0), MAX_LIFE_SECONDS))
    return Token(
        access=access,
        expires_at=received_at + life if life else None,
        received_at=received_at,
        refresh=refresh,
        scopes=_scopes(answer.get("scope") or answer.get("scopes") or ""),
    )


def _scopes(given: Any) -> tuple[str, ...]:
    return tuple(given.replace(",", " ").split() if isinstance(given, str) else map(str, given))


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEndpoint:
    """A provider's token endpoint, and who we are there."""

    #: As it stands in messages.
    connector: str
    http: Session
    url: str
    now: Callable[[], datetime]
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    #: How the client proves itself: in the form, by Basic authentication, or not at all.
    client_auth: Literal["body", "basic", "none"] = "body"
    #: Sent with every form.
    fields: Form = field(default_factory=dict)
    #: What else of the answer is kept with the token.
    keeps: tuple[str, ...] = ()
    #: Turns the answer, and when it came, into a token; LookupError and its like mean that it holds none.
    read: Callable[[Answer, datetime], Token] = usual_token

    def mint(self, form: Form, *, held: Token | None = None) -> Token:
        """
        Send the form; return the token of the answer, with what it does not say taken from the one held.

        :raises NeedsReconnect: if what the form shows is no longer good
        :raises AuthenticationError: if the client is refused
        :raises ConnectorError: as the session does
        """
        headers = {"Accept": "application/json", **self._client_headers()}
        try:
            reply = self.http.request(
                "POST", self.url, headers=headers, form={**form, **self._client_form(), **self.fields}
            )
        except (RefusedRequest, AuthenticationError) as refusal:
            self._refuse(refusal)
        token = self._read(reply.body)
        for secret in (token.access, token.refresh):
            self.http.keep_secret(secret)
        return _completed(token, held)

    def _client_headers(self) -> Form:
        if self.client_auth != "basic":
            return {}
        pair = basic_pair(self.client_id, self.client_secret)
        self.http.keep_secret(pair)
        return {"Authorization": f"Basic {pair}"}

    def _client_form(self) -> Form:
        if self.client_auth == "basic":
            return {}
        known = {"client_id": self.client_id}
        if self.client_auth == "body":
            known["client_secret"] = self.client_secret
        return {name: value for name, value in known.items() if value}

    def _refuse(self, refusal: RefusedRequest | AuthenticationError) -> NoReturn:
        if _error_code(refusal.body) == "invalid_grant":
            raise NeedsReconnect(
                f"{refusal}. What we hold is no longer good there (used up, ended or taken back): connect "
                "the account again, or give new credentials.",
                body=refusal.body,
            ) from None
        raise AuthenticationError(str(refusal), body=refusal.body) from None

    def _read(self, body: bytes) -> Token:
        received_at = self.now()
        try:
            answer = exact_json.loads(body)
            token = self.read(answer, received_at)
        except (RecordError, LookupError, TypeError, ValueError, AttributeError):
            raise BadResponse(f"{self.connector}: {NO_TOKEN}") from None
        kept = {name: str(answer[name]) for name in self.keeps if answer.get(name) is not None}
        return replace(token, extra={**token.extra, **kept})


def _error_code(body: bytes) -> str:
    try:
        answer = exact_json.loads(body)
    except RecordError:
        return ""
    return str(answer.get("error", "")) if isinstance(answer, Mapping) else ""


def _completed(token: Token, held: Token | None) -> Token:
    if held is None:
        return token
    return replace(
        token,
        refresh=token.refresh or held.refresh,
        scopes=token.scopes or held.scopes,
        extra={**held.extra, **token.extra},
    )
