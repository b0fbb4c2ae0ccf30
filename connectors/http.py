"""The guarded HTTP session every connector speaks through: one call, one answer or one named error."""

from __future__ import annotations

import logging
import re
import ssl
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests import exceptions as trouble
from requests.utils import default_headers, requote_uri

from connectors import exact_json
from connectors.base import Access
from connectors.bodies import read_body
from connectors.errors import (
    AuthenticationError,
    BadResponse,
    ConfigError,
    ConnectorError,
    RateLimited,
    SchemaError,
    TransientError,
)
from connectors.redaction import Redactor, shown_url
from connectors.sockets import Guard, GuardedAdapter, Timeouts
from connectors.urls import origin

__all__ = ["DEFAULT_MAX_BYTES", "Answer", "HttpSession", "RefusedRequest", "Timeouts"]

DEFAULT_MAX_BYTES = 32 * 1024 * 1024
MAX_RETRY_AFTER = 900.0
MAX_REDIRECTS = 3
MAX_ERROR_BODY = 64 * 1024
_EXCERPT = 300

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_PASSING = frozenset({408, 425, 429})
_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?")
_ODD_IN_URL = re.compile(r"[\x00-\x20\x7f\\]")
_WHAT_TO_DO = {
    400: "the provider refuses the request: check the settings of the source",
    401: "the provider does not accept the credentials: renew them",
    403: "the credentials may not read this: check their scopes",
    404: "there is nothing at this address: check it in the settings of the source",
    405: "the provider does not take this method here: check the address and the method",
    410: "the provider has taken this away: check the address",
}

# Its debug lines and warnings hold whole URLs, and those may hold keys.
logging.getLogger("urllib3").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer."""

    status: int
    #: Names are found in any case.
    headers: Mapping[str, str]
    #: Unpacked and complete.
    body: bytes
    url: str


class RefusedRequest(ConfigError):
    """The provider answered 4xx: repeating the call as it is will not help."""

    def __init__(self, message: str, *, status: int, body: bytes) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class HttpSession:
    """Connections to one provider. Not for use by two threads at once."""

    def __init__(
        self,
        *,
        connector: str,
        access: Access,
        headers: Mapping[str, str] | None = None,
        secrets: Collection[str] = (),
        timeout: Timeouts | None = None,
    ) -> None:
        """Take the headers of every call, and the `secrets` that must not show in any message."""
        self._connector = connector
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
    ) -> Answer:
        """
        Return the provider's whole answer if its status is one of `accept`.

        :raises RateLimited: if the provider asks us to wait
        :raises TransientError: if the same call may work later
        :raises AuthenticationError: if the credentials are refused
        :raises RefusedRequest: if the request is refused otherwise
        :raises ConfigError: if the address may not be called, or redirects elsewhere
        :raises BadResponse: if the answer is no whole, sane HTTP answer
        """
        self._guard.start()
        try:
            prepared = self._prepare(method, url, params, headers, json_body=json_body, form=form)
            with self._answered(prepared, accept) as response:
                return self._taken(response, accept, max_bytes)
        except ConnectorError as error:
            raise self._told(error, method, url) from None
        except (trouble.RequestException, urllib3.exceptions.HTTPError, OSError, UnicodeError) as error:
            raise self._told(self._named(error), method, url) from None

    def _prepare(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, str] | None,
        *,
        json_body: Any,
        form: Mapping[str, str] | None,
    ) -> requests.PreparedRequest:
        _check_url(url)
        body: Any = form
        if json_body is not None:
            body = exact_json.dumps(json_body)
            headers = {"Content-Type": "application/json", **(headers or {})}
        # Not through a requests.Session: it would take Authorization from a netrc file.
        headers = {**self._headers, **(headers or {})}
        return requests.Request(method, url, params=params, headers=headers, data=body).prepare()

    def _answered(self, prepared: requests.PreparedRequest, accept: frozenset[int]) -> requests.Response:
        # Not Session.send: it reads the body of a redirect without any bound.
        for _ in range(MAX_REDIRECTS + 1):
            timeouts = self._guard.timeouts
            response = self._adapter.send(prepared, stream=True, timeout=(timeouts.connect, timeouts.read))
            if response.status_code not in _REDIRECTS - accept:
                return response
            with response:
                _redirect(prepared, response.headers.get("Location", ""))
        raise ConfigError(f"redirected more than {MAX_REDIRECTS} times: check the address")

    def _taken(self, response: requests.Response, accept: frozenset[int], max_bytes: int) -> Answer:
        if response.status_code not in accept:
            raise self._refusal(response)
        return Answer(
            status=response.status_code,
            headers=response.headers,
            body=read_body(response.raw, max_bytes=max_bytes, on_progress=self._on_progress),
            url=response.url,
        )

    def _refusal(self, response: requests.Response) -> ConnectorError:
        body = _body_if_any(response)
        status = response.status_code
        what = f"answered {status} {_phrase(status)}"
        excerpt = self._redactor.redact(" ".join(body.decode("utf-8", "replace").split()))[:_EXCERPT]
        said = f" (it said: {excerpt})" if excerpt else ""
        if status < 400:
            return BadResponse(f"{what} where content was due{said}", evidence=excerpt)
        if status in _PASSING or status >= 500:
            return _passing(status, f"{what}{said}", response.headers)
        advice = _WHAT_TO_DO.get(status, _WHAT_TO_DO[400])
        if status == HTTPStatus.UNAUTHORIZED:
            return AuthenticationError(f"{what}; {advice}{said}")
        return RefusedRequest(f"{what}; {advice}{said}", status=status, body=body)

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
        error.args = (self._redactor.redact(f"{self._connector}: {method} {shown_url(url)}: {error}"),)
        if isinstance(error, SchemaError):
            error.evidence = self._redactor.redact(error.evidence)
        return error


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or _ODD_IN_URL.search(url):
        raise ConfigError("the address is not a valid http or https URL: check it in the settings")
    if "@" in parts.netloc:
        raise ConfigError("the address holds a user name or password: put them into the credentials")


def _redirect(prepared: requests.PreparedRequest, location: str) -> None:
    """Point the request at the target; elsewhere is refused, as our credentials go with it."""
    here = prepared.url or ""
    try:
        target = urljoin(here, location)
    except ValueError:
        raise ConfigError("redirected to something that is no URL: check the address") from None
    _check_url(target)
    if prepared.method not in {"GET", "HEAD"} or origin(target) != origin(here):
        scheme, host, port = origin(target)
        raise ConfigError(
            f"redirected to {scheme}://{host}:{port}{urlsplit(target).path}: redirects are followed on the "
            "same host only; if the new address is right, put it into the settings of the source"
        )
    prepared.url = requote_uri(target)


def _body_if_any(response: requests.Response) -> bytes:
    # The status is the news; what comes with it is a courtesy.
    try:
        return read_body(response.raw, max_bytes=MAX_ERROR_BODY)
    except (ConnectorError, urllib3.exceptions.HTTPError, OSError):
        return b""


def _passing(status: int, message: str, headers: Mapping[str, str]) -> TransientError:
    wait = retry_after(headers)
    is_throttled = status == HTTPStatus.TOO_MANY_REQUESTS
    if is_throttled or (status == HTTPStatus.SERVICE_UNAVAILABLE and wait is not None):
        return RateLimited(f"{message}; asked us to slow down", retry_after=wait)
    return TransientError(message, retry_after=wait)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds to wait, at most MAX_RETRY_AFTER; None where the header is absent or nonsense."""
    text = headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), MAX_RETRY_AFTER)
    moment = _epoch(text)
    if moment is None:
        return None
    # Both by the provider's clock, so that ours may be wrong.
    seconds = moment - (_epoch(headers.get("Date", "")) or time.time())
    return min(seconds, MAX_RETRY_AFTER) if seconds >= 0 else None


def _epoch(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "(no standard status)"


def _causes(error: BaseException | None) -> Iterable[BaseException]:
    """Yield the error and what is wrapped in it, outermost first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = [arg for arg in (*error.args, getattr(error, "reason", None)) if isinstance(arg, Exception)]
        error = inner[-1] if inner else error.__cause__ or error.__context__
