"""What can go wrong outside, named by what happens next."""

from typing import ClassVar


class ConnectorError(Exception):
    """
    Base of everything a connector raises on purpose.

    `error_type` is the word staff and the API see (validation, network, parsing, authentication, ...);
    `max_attempts` is how often in a row the same call may fail this way before the job ends.
    """

    error_type: ClassVar[str] = "unknown"
    max_attempts: ClassVar[int] = 1


class TransientError(ConnectorError):
    """The same call may work later (timeout, connection lost, 5xx): retry with backoff."""

    error_type = "network"
    max_attempts = 8

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """`retry_after`: seconds the provider asked us to wait, when it said so."""
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(TransientError):
    """The provider asked us to slow down: wait as told. Being told to wait is not a failure."""

    error_type = "rate_limit"
    max_attempts = 1_000


class ConfigError(ConnectorError):
    """A setting is missing or wrong: stop and tell a person what to change."""

    error_type = "configuration"


class AuthenticationError(ConfigError):
    """The provider does not accept the credentials: stop asking, tell a person."""

    error_type = "authentication"

    def __init__(self, message: str, *, body: bytes = b"") -> None:
        """`body`: what came with the refusal, for those who know how the provider words it."""
        super().__init__(message)
        self.body = body


class NeedsReconnect(AuthenticationError):
    """A person must connect the account again: the source is marked, and asked no more until then."""


class MissingScope(AuthenticationError):
    """The credentials are good, but not for this: a person must grant more, other streams may go on."""

    def __init__(
        self, message: str, *, needed: tuple[str, ...] = (), granted: tuple[str, ...] = (), body: bytes = b""
    ) -> None:
        """Take the scopes that would do and those there are, as far as they are known."""
        super().__init__(message, body=body)
        self.needed = needed
        self.granted = granted


class RefusedRequest(ConfigError):
    """The provider answered 4xx: repeating the call as it is will not help."""

    def __init__(self, message: str, *, status: int, body: bytes) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class SchemaError(ConnectorError):
    """The answer does not look as documented: stop, and say where it differs."""

    error_type = "parsing"


class BadResponse(SchemaError):
    """HTML where JSON was due, a broken body: worth one more try, as proxies answer so in passing."""

    max_attempts = 2


class PaginationLoop(SchemaError):
    """The provider sent a cursor or a page we have already seen in this run: going on never ends."""

    error_type = "pagination"


class CursorExpired(ConnectorError):
    """The provider no longer knows our cursor: start the window again from its beginning."""

    error_type = "cursor_expired"
    max_attempts = 3


class NotReady(ConnectorError):
    """The provider is still making what we asked for (a report): ask again later. That is no failure."""

    error_type = "not_ready"

    def __init__(self, message: str, *, retry_after: float) -> None:
        """`retry_after`: seconds until it is worth asking again."""
        super().__init__(message)
        self.retry_after = retry_after


class NotAsked(ConnectorError):
    """The provider was not asked, for a reason that passes by itself: ask again later. That is no failure."""

    error_type = "not_asked"

    def __init__(self, message: str, *, retry_after: float) -> None:
        """`retry_after`: seconds until it is worth asking."""
        super().__init__(message)
        self.retry_after = retry_after


class RecordError(ConnectorError):
    """One record cannot be read or stored: dead-letter it and go on."""

    error_type = "validation"
