"""The ways to get a token (RFC 6749); each mints one at its token endpoint."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from connectors import exact_json
from connectors.auth.endpoint import Form, TokenEndpoint
from connectors.auth.tokens import Token
from connectors.errors import ConfigError, NeedsReconnect

NOT_CONNECTED = "This source is not connected yet: press Connect on its page in the admin."
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_JWT_LIFE = timedelta(hours=1)  # the longest Google takes


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshTokenGrant:
    """A refresh token, the first of which a person gave; where they rotate, the latest is held."""

    endpoint: TokenEndpoint
    refresh_token: str = field(default="", repr=False)

    def mint(self, held: Token | None, /) -> Token:
        refresh = (held.refresh if held else "") or self.refresh_token
        if not refresh:
            raise NeedsReconnect(f"{self.endpoint.connector}: {NOT_CONNECTED}")
        self.endpoint.http.keep_secret(refresh)
        form = {"grant_type": "refresh_token", "refresh_token": refresh}
        token = self.endpoint.mint(form, held=held)
        return token if token.refresh else replace(token, refresh=refresh)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCredentials:
    """The client's own right (RFC 6749 4.4): minted whenever needed."""

    endpoint: TokenEndpoint
    scope: str = ""

    def mint(self, _held: Token | None, /) -> Token:
        return self.endpoint.mint({"grant_type": "client_credentials", **_scope_field(self.scope)})


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordGrant:
    """User name and password: minted whenever needed, so that nobody else's rotation can lock us out."""

    endpoint: TokenEndpoint
    username: str
    password: str = field(repr=False)
    scope: str = ""

    def mint(self, _held: Token | None, /) -> Token:
        form = {"grant_type": "password", "username": self.username, "password": self.password}
        return self.endpoint.mint({**form, **_scope_field(self.scope)})


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtBearer:
    """A service account that signs for itself (RFC 7523, RS256)."""

    endpoint: TokenEndpoint
    issuer: str
    private_key: str = field(repr=False)
    scope: str = ""
    key_id: str = ""
    #: On whose behalf, where the provider lets the account stand in for people.
    subject: str = ""

    def mint(self, _held: Token | None, /) -> Token:
        return self.endpoint.mint({"grant_type": _JWT_GRANT, "assertion": self._assertion()})

    def _assertion(self) -> str:
        now = self.endpoint.now()
        claims = {
            "iss": self.issuer,
            "scope": self.scope,
            "aud": self.endpoint.url,
            "sub": self.subject,
            "iat": int(now.timestamp()),
            "exp": int((now + _JWT_LIFE).timestamp()),
        }
        head = {"alg": "RS256", "typ": "JWT", "kid": self.key_id}
        parts = [{name: value for name, value in part.items() if value != ""} for part in (head, claims)]
        text = ".".join(_base64url(exact_json.dumps(part)) for part in parts)
        signature = self._key().sign(text.encode(), PKCS1v15(), hashes.SHA256())
        return f"{text}.{_base64url(signature)}"

    def _key(self) -> RSAPrivateKey:
        try:
            key = load_pem_private_key(self.private_key.encode(), password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, RSAPrivateKey):
            raise ConfigError(
                f"{self.endpoint.connector}: private_key is no RSA key in PEM form: give the text of the key "
                "file, from -----BEGIN PRIVATE KEY----- to the end"
            )
        return key


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationCode:
    """A person lets us in on a page of the provider (RFC 6749 4.1); from then on a refresh token."""

    endpoint: TokenEndpoint
    authorize_url: str
    scopes: tuple[str, ...] = ()
    scope_separator: str = " "
    #: False where the provider does not know PKCE (RFC 7636).
    has_pkce: bool = True
    #: More for the address the person is sent to, such as access_type=offline.
    params: Form = field(default_factory=dict)
    #: Looks at what the provider sent the person back with, before the code is used: returns what is kept
    #: with the token (a realm id). Raises AuthenticationError if it is not theirs.
    check: Callable[[Form], Form] | None = None

    def page(self, *, state: str, verifier: str, redirect_uri: str) -> str:
        """Return the address of the provider's page."""
        asked = {
            "response_type": "code",
            "client_id": self.endpoint.client_id,
            "redirect_uri": redirect_uri,
            "scope": self.scope_separator.join(self.scopes),
            "state": state,
            **self.params,
        }
        if self.has_pkce:
            asked |= {"code_challenge": challenge_of(verifier), "code_challenge_method": "S256"}
        sign = "&" if "?" in self.authorize_url else "?"
        given = {name: value for name, value in asked.items() if value}
        return f"{self.authorize_url}{sign}{urlencode(given, quote_via=quote)}"

    def exchange(self, answer: Form, *, verifier: str, redirect_uri: str) -> Token:
        """
        Return the token for what the provider sent the person back with: `code` and what else stood there.

        :raises AuthenticationError: if the code, or who sent it, is not good
        :raises ConnectorError: as the session does
        """
        extra = self.check(answer) if self.check else {}
        form = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": redirect_uri}
        if self.has_pkce:
            form["code_verifier"] = verifier
        self.endpoint.http.keep_secret(answer["code"])
        token = self.endpoint.mint(form)
        # RFC 6749 5.1: an answer without scope grants what was asked for.
        return replace(token, scopes=token.scopes or self.scopes, extra={**token.extra, **extra})

    def mint(self, held: Token | None, /) -> Token:
        return RefreshTokenGrant(endpoint=self.endpoint).mint(held)


def challenge_of(verifier: str) -> str:
    """Return what is shown of a PKCE verifier beforehand (S256)."""
    return _base64url(hashlib.sha256(verifier.encode()).digest())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _scope_field(scope: str) -> Form:
    return {"scope": scope} if scope else {}
