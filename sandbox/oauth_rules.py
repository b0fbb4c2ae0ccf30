"""How one provider does OAuth: its clients, what it grants and for how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GRANTS = frozenset({"authorization_code", "refresh_token", "client_credentials", "password", JWT_GRANT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """An app that is registered."""

    client_id: str
    client_secret: str = ""
    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How one provider does it."""

    grants: frozenset[str] = GRANTS
    access_seconds: float = 3600.0
    #: Seconds without use; 0: a refresh token does not end.
    refresh_seconds: float = 0.0
    #: Each use of a refresh token gives a new one and uses up the old.
    rotates: bool = True
    #: The refresh token before the latest stays good until that one is first used.
    forgives_one: bool = False
    client_auth: Literal["body", "basic", "either"] = "either"
    needs_pkce: bool = False
    scope_separator: str = " "
    #: Begin an access and a refresh token.
    prefixes: tuple[str, str] = ("at_", "rt_")
    #: More for every token answer, such as a shop's or a user's id.
    answer: Mapping[str, object] = field(default_factory=dict)
    #: More for the address people are sent back to, such as a realm id.
    callback: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Consent:
    """What came of one consent, password or key: revoked as one."""

    client_id: str
    scopes: tuple[str, ...]
    #: Refresh tokens given so far, latest last.
    refreshes: list[str] = field(default_factory=list)
    is_revoked: bool = False


@dataclass(slots=True, kw_only=True)
class Code:
    """What a person was sent back with."""

    consent: Consent
    redirect_uri: str
    challenge: str
    ends_at: float
    is_used: bool = False
