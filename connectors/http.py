"""The guarded HTTP session every connector speaks through: one call, one answer or one named error."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import requests
import urllib3
from requests import exceptions as trouble
from requests.utils import default_headers, requote_uri

from connectors import exact_json
from connectors.auth.schemes import Authorizer, NoAuth
from connectors.base import Access
from connectors.bodies import read_body
from connectors.budgets import Budget, Meter, ReadQuota, usual_headers
from connectors.errors import (
    AuthenticationError,
    ConfigError,
    ConnectorError,
    MissingScope,
    NeedsReconnect,
    RefusedRequest,
    TransientError,
)
from connectors.redaction import Redactor, shown_url
from connectors.refusals import refusal, retry_after
from connectors.sockets import Guard, GuardedAdapter, Timeouts
from connectors.urls import check_url, redirect_target

__all__ = ["DEFAULT_MAX_BYTES", "Answer", "HttpSession", "RefusedRequest", "Timeouts", "token_session"]

Told = TypeVar("Told", bound=ConnectorError)

DEFAULT_MAX_BYTES = 32 * 1024 * 1024
MAX_REDIRECTS = 3
MAX_ERROR_BODY = 64 * 1024
# Others wait for the token meanwhile, and hold a row of the database.
TOKEN_TIMEOUTS = Timeouts(connect=3.0, read=8.0, total=10.0)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Its debug lines and warnings hold whole URLs, and those may hold keys.
logging.getLogger("urllib3").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer."""

    status: int
    #: Names are found in any case.
    headers: Mapping[str, str]
    #: Complete, and unpacked unless asked for as it was sent.
    body: bytes
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What is asked, but for who asks."""

    method: str
    url: str
    params: Mapping[str, Any]
    headers: Mapping[str, str]
    json_body: Any
    form: Mapping[str, str] | None
    accept: frozenset[int]
    max_bytes: int
    unpacks: bool
    cost: float


class HttpSession:
    """Connections to one provider. Not for use by two threads at once."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        connector: str,
        access: Access,
        headers: Mapping[str, str] | None = None,
        secrets: Collection[str] = (),
        timeout: Timeouts | None = None,
        auth: Authorizer | None = None,
        budget: Budget | None = None,
        quota: ReadQuota = usual_headers,
    ) -> None:
        """Take the headers of every call, who asks, and the `secrets` that must not show in any message."""
        self._connector = connector
        self._meter = Meter(budget, quota)
        self._auth = auth or NoAuth()
        self._redactor = Redactor(secrets)
        self._on_progress = access.on_progress
        self._guard = Guard(private_hosts=access.private_hosts, timeouts=timeout or Timeouts())
        self._adapter = GuardedAdapter(self._guard)
        self._headers = {**default_headers(), "Accept-Encoding": "gzip", **(headers or {})}

    def close(self) -> None:
        """Close the connections."""
        self._adapter.close()

    def keep_secret(self, secret: str) -> None:
        """Leave one more secret out of all messages, such as a token we were just given."""
        self._redactor.add(secret)

    def without_secrets(self, error: Told) -> Told:
        """Return the error, our secrets left out of it: for what a room reads out of an answer."""
        error.args = tuple(self._redactor.redact(str(one)) for one in error.args)
        if isinstance(error, MissingScope):
            error.needed = tuple(map(self._redactor.redact, error.needed))
        return error

    def request(  # noqa: PLR0913
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        json_body: Any = None,
        form: Mapping[str, str] | None = None,
        accept: frozenset[int] = frozenset({200}),
        max_bytes: int = DEFAULT_MAX_BYTES,
        unpacks: bool = True,
        cost: float = 1.0,
    ) -> Answer:
        """
        Return the provider's whole answer if its status is one of `accept`; it costs units of the budget.

        `unpacks`: False leaves a body that is sent as gzip as it is, for ranges of packed files.

        :raises RateLimited: if the provider asks us to wait
        :raises TransientError: if the same call may work later
        :raises AuthenticationError: if the credentials are refused; NeedsReconnect if renewed ones are, too
        :raises RefusedRequest: if the request is refused otherwise
        :raises ConfigError: if the address may not be called, or redirects elsewhere
        :raises BadResponse: if the answer is no whole, sane HTTP answer
        """
        call = _Call(
            method=method,
            url=url,
            params=params or {},
            headers=headers or {},
            json_body=json_body,
            form=form,
            accept=accept,
            max_bytes=max_bytes,
            unpacks=unpacks,
            cost=cost,
        )
        authorized = self._authorized(call)
        try:
            return self._asked(authorized)
        except MissingScope:
            raise
        except AuthenticationError as error:
            refused = error
        if not self._auth.renew():
            raise refused
        return self._asked_again(self._authorized(call))

    def _authorized(self, call: _Call) -> _Call:
        """Return the call with who asks, outside the time it may take: a token may have to be fetched."""
        headers, params = self._auth.headers(), self._auth.params()
        for secret in self._auth.secrets:
            self._redactor.add(secret)
        return replace(
            call,
            url=self._auth.address(call.url),
            headers={**headers, **call.headers},
            params={**params, **call.params},
        )

    def _asked_again(self, call: _Call) -> Answer:
        try:
            return self._asked(call)
        except MissingScope:
            raise
        except AuthenticationError as error:
            raise NeedsReconnect(
                f"{error}. A token renewed a moment ago is refused, too: access was taken back, or this kind "
                "of token is not for this. Connect the account again, or give new credentials.",
                body=error.body,
            ) from None

    def _asked(self, call: _Call) -> Answer:
        try:
            self._meter.take(call.cost)
            self._guard.start()
            with self._answered(call) as response:
                return self._taken(response, call)
        except ConnectorError as error:
            raise self._told(error, call.method, call.url) from None
        except (trouble.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            raise self._told(self._named(error), call.method, call.url) from None

    def _prepare(self, call: _Call) -> requests.PreparedRequest:
        check_url(call.url)
        body: Any = call.form
        headers = {**self._headers, **call.headers}
        if call.json_body is not None:
            body = exact_json.dumps(call.json_body)
            headers = {**self._headers, "Content-Type": "application/json", **call.headers}
        # Not through a requests.Session: it would take Authorization from a netrc file.
        made = requests.Request(call.method, call.url, params=call.params, headers=headers, data=body)
        return made.prepare()

    def _answered(self, call: _Call) -> requests.Response:
        prepared = self._prepare(call)
        # Not Session.send: it reads the body of a redirect without any bound.
        for _ in range(MAX_REDIRECTS + 1):
            timeouts = self._guard.timeouts
            response = self._adapter.send(prepared, stream=True, timeout=(timeouts.connect, timeouts.read))
            if response.status_code not in _REDIRECTS - call.accept:
                return response
            with response:
                target = redirect_target(
                    prepared.url or "", response.headers.get("Location", ""), method=call.method
                )
                prepared.url = requote_uri(target)
        raise ConfigError(f"redirected more than {MAX_REDIRECTS} times: check the address")

    def _taken(self, response: requests.Response, call: _Call) -> Answer:
        self._meter.hear(response.status_code, response.headers, asked_to_wait=retry_after(response.headers))
        if response.status_code not in call.accept:
            body = _body_if_any(response)
            said = self._redactor.redact(" ".join(body.decode("utf-8", "replace").split()))
            raise refusal(response.status_code, response.headers, body=body, said=said)
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=read_body(
                response.raw,
                max_bytes=call.max_bytes,
                unpacks=call.unpacks,
                on_progress=self._on_progress,
            ),
            url=response.url,
        )

    def _named(self, error: Exception) -> ConnectorError:
        if isinstance(error, trouble.InvalidURL | trouble.InvalidSchema | trouble.MissingSchema):
            return ConfigError("the address is not a valid URL: check it in the settings of the source")
        if isinstance(error, trouble.InvalidHeader | UnicodeError):
            return ConfigError("a header or credential holds a character HTTP does not allow")
        causes = list(_causes(error))
        distrust = [cause for cause in causes if isinstance(cause, ssl.SSLCertVerificationError)]
        if distrust:
            reason = distrust[0].verify_message
            return ConfigError(f"the server's certificate is not trusted ({reason}): check the address")
        if any(isinstance(cause, TimeoutError | trouble.Timeout) for cause in causes):
            return self._too_slow()
        innermost = causes[-1]
        return TransientError(f"the connection broke off: {type(innermost).__name__}: {innermost}")

    def _too_slow(self) -> TransientError:
        try:
            self._guard.remaining()
        except TransientError as error:
            return error
        return TransientError(f"no data for {self._guard.timeouts.read:g} s")

    def _told(self, error: ConnectorError, method: str, url: str) -> ConnectorError:
        """Return the error with the call it belongs to, and without secrets."""
        error.args = (f"{self._connector}: {method} {shown_url(url)}: {error}",)
        return self.without_secrets(error)


def token_session(*, connector: str, access: Access, secrets: Collection[str] = ()) -> HttpSession:
    """Return a session for a token endpoint: impatient, and silent while a token is waited for."""
    # Progress would be written by the connection that holds the token's row.
    silent = replace(access, on_progress=None)
    return HttpSession(connector=connector, access=silent, secrets=secrets, timeout=TOKEN_TIMEOUTS)


def _body_if_any(response: requests.Response) -> bytes:
    # The status is the news; what comes with it is a courtesy.
    try:
        return read_body(response.raw, max_bytes=MAX_ERROR_BODY)
    except (ConnectorError, urllib3.exceptions.HTTPError, OSError):
        return b""


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    """Yield the error and what is wrapped in it, outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = [arg for arg in (*error.args, getattr(error, "reason", None)) if isinstance(arg, Exception)]
        error = inner[-1] if inner else error.__cause__ or error.__context__
