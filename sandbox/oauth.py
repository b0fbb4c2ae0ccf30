"""
An OAuth 2 authorization server: tokens that end, refresh tokens that rotate, answers that get lost.

It knows no sockets and no paths: a provider puts `token` and `authorize` where its own are, asks `refusal`
(or `grant_of`) before it shows data, and says by its `Rules` how far it goes.

Confirmed (RFC 6749, 6750, 7636, 7523, OAuth 2.1 draft 4.3.1): errors and their statuses, a used refresh token
revokes all that came of the same consent, PKCE S256, a code is good once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sandbox.messages import Answer, BadRequest, Damage, Request, json_answer
from sandbox.oauth_rules import JWT_GRANT, Client, Code, Consent, Rules

CODE_SECONDS = 60
LOOPBACK = frozenset({"127.0.0.1", "localhost"})


class OAuthServer:
    """One provider's authorization server. Thread-safe."""

    def __init__(
        self,
        *clients: Client,
        clock: Callable[[], float],
        rules: Rules | None = None,
        passwords: Mapping[str, str] | None = None,
        service_accounts: Mapping[str, str] | None = None,
    ) -> None:
        """Take the clients, users' `passwords`, and public keys (PEM) of `service_accounts` by issuer."""
        self.rules = rules or Rules()
        #: What was asked of the token endpoint, by grant and outcome: {"refresh_token ok": 2}.
        self.calls: Counter[str] = Counter()
        self._clients = {client.client_id: client for client in clients}
        self._clock = clock
        self._passwords = dict(passwords or {})
        self._accounts = dict(service_accounts or {})
        self._lock = threading.RLock()
        self._access: dict[str, tuple[Consent, float]] = {}
        self._refresh: dict[str, tuple[Consent, float]] = {}
        self._codes: dict[str, Code] = {}
        self._to_lose = 0

    # Where callers come in

    def token(self, request: Request) -> Answer:
        """Answer at the token endpoint."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        grant = form.get("grant_type", "")
        with self._lock:
            try:
                body = self._granted(request, form)
            except BadRequest as refusal:
                self.calls[f"{grant} {refusal.body['error']}"] += 1
                return json_answer(refusal.body, status=refusal.status)
            self.calls[f"{grant} ok"] += 1
            answer = json_answer(body, headers={"Cache-Control": "no-store"})
            if self._to_lose:
                self._to_lose -= 1
                # What it says has happened all the same.
                answer.damage = Damage(mode="length", keep=0.0)
            return answer

    def authorize(self, request: Request) -> Answer:
        """Let the person who comes in at once, and send them back with a code."""
        asked = request.query
        client = self._clients.get(asked.get("client_id", ""))
        back = asked.get("redirect_uri", "")
        if client is None or not _is_registered(back, client.redirect_uris):
            return json_answer({"error": "unknown client, or redirect_uri not registered"}, status=400)
        try:
            code = self._code(asked, client)
        except BadRequest as refusal:
            return _sent_back(back, {**refusal.body, "state": asked.get("state", "")})
        return _sent_back(back, {"code": code, "state": asked.get("state", ""), **self.rules.callback})

    def grant_of(self, token: str) -> Consent | None:
        """Return what an access token stands for; None if it is not good any more, or never was."""
        with self._lock:
            consent, ends_at = self._access.get(token, (None, 0.0))
            if consent is None or consent.is_revoked or ends_at <= self._clock():
                return None
            return consent

    def refusal(self, request: Request, *, scope: str = "") -> Answer | None:
        """Return why the caller may not see data of the scope, as RFC 6750 says it; None if it may."""
        consent = self.grant_of(request.headers.get("authorization", "").removeprefix("Bearer "))
        if consent is None:
            headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            return json_answer({"error": "invalid_token"}, status=401, headers=headers)
        if scope and scope not in consent.scopes:
            headers = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
            return json_answer({"error": "insufficient_scope"}, status=403, headers=headers)
        return None

    # What a test does to it

    def lose_answers(self, count: int = 1) -> None:
        """Let the next good answers of the token endpoint never arrive."""
        self._to_lose = count

    def end_access(self) -> None:
        """Let every access token be past its end."""
        with self._lock:
            self._access.clear()

    def revoke(self) -> None:
        """Take back every consent."""
        with self._lock:
            for consent, _ in (*self._access.values(), *self._refresh.values()):
                consent.is_revoked = True

    def first_refresh(self, client_id: str) -> str:
        """Return a refresh token as a person who consented elsewhere would have it."""
        with self._lock:
            consent = Consent(client_id=client_id, scopes=self._clients[client_id].scopes)
            return str(self._minted(consent, with_refresh=True)["refresh_token"])

    # Inside

    def _granted(self, request: Request, form: Mapping[str, str]) -> dict[str, object]:
        if request.method != "POST":
            raise _no("invalid_request", "the token endpoint takes POST")
        grant = form.get("grant_type", "")
        if grant not in self.rules.grants:
            raise _no("unsupported_grant_type")
        if grant == JWT_GRANT:
            return self._minted(self._account(form), with_refresh=False)
        client = self._client(request, form)
        match grant:
            case "client_credentials":
                consent = Consent(client_id=client.client_id, scopes=self._scopes(form, client))
                return self._minted(consent, with_refresh=False)
            case "password":
                return self._minted(self._user(form, client), with_refresh=True)
            case "authorization_code":
                return self._minted(self._redeemed(form, client), with_refresh=True)
            case _:
                return self._refreshed(form, client)

    def _client(self, request: Request, form: Mapping[str, str]) -> Client:
        basic = request.headers.get("authorization", "")
        if self.rules.client_auth == ("body" if basic else "basic"):
            raise _no("invalid_client", status=401)
        name, secret = _basic(basic) if basic else (form.get("client_id", ""), form.get("client_secret", ""))
        client = self._clients.get(name)
        if client is None or not hmac.compare_digest(client.client_secret.encode(), secret.encode()):
            raise _no("invalid_client", status=401)
        return client

    def _scopes(self, form: Mapping[str, str], client: Client) -> tuple[str, ...]:
        asked = tuple(form.get("scope", "").split(self.rules.scope_separator)) if form.get("scope") else ()
        if not set(asked) <= set(client.scopes):
            raise _no("invalid_scope")
        return asked or client.scopes

    def _user(self, form: Mapping[str, str], client: Client) -> Consent:
        if self._passwords.get(form.get("username", "")) != form.get("password", ""):
            raise _no("invalid_grant", "wrong user name or password")
        return Consent(client_id=client.client_id, scopes=self._scopes(form, client))

    def _code(self, asked: Mapping[str, str], client: Client) -> str:
        if asked.get("response_type") != "code":
            raise _no("unsupported_response_type")
        challenge = asked.get("code_challenge", "")
        if (self.rules.needs_pkce or challenge) and asked.get("code_challenge_method") != "S256":
            raise _no("invalid_request", "PKCE with S256 is needed")
        consent = Consent(client_id=client.client_id, scopes=self._scopes(asked, client))
        code = secrets.token_urlsafe(24)
        with self._lock:
            self._codes[code] = Code(
                consent=consent,
                redirect_uri=asked["redirect_uri"],
                challenge=challenge,
                ends_at=self._clock() + CODE_SECONDS,
            )
        return code

    def _redeemed(self, form: Mapping[str, str], client: Client) -> Consent:
        code = self._codes.get(form.get("code", ""))
        if code is None or code.ends_at <= self._clock() or code.consent.client_id != client.client_id:
            raise _no("invalid_grant", "the code is unknown or has ended")
        if code.is_used:
            code.consent.is_revoked = True
            raise _no("invalid_grant", "the code was used before")
        if code.redirect_uri != form.get("redirect_uri"):
            raise _no("invalid_grant", "redirect_uri differs")
        if code.challenge and code.challenge != _challenge(form.get("code_verifier", "")):
            raise _no("invalid_grant", "code_verifier does not fit")
        code.is_used = True
        return code.consent

    def _refreshed(self, form: Mapping[str, str], client: Client) -> dict[str, object]:
        token = form.get("refresh_token", "")
        consent, ends_at = self._refresh.get(token, (None, 0.0))
        if consent is None or consent.client_id != client.client_id or consent.is_revoked:
            raise _no("invalid_grant", "the refresh token is unknown or revoked")
        if self.rules.refresh_seconds and ends_at <= self._clock():
            raise _no("invalid_grant", "the refresh token has ended")
        if not self.rules.rotates:
            return self._minted(consent, with_refresh=False)
        if token != consent.refreshes[-1] and not self._is_forgiven(token, consent):
            consent.is_revoked = True
            raise _no("invalid_grant", "the refresh token was used before; all its successors are revoked")
        return self._minted(consent, with_refresh=True)

    def _is_forgiven(self, token: str, consent: Consent) -> bool:
        if not self.rules.forgives_one or token != consent.refreshes[-2]:
            return False
        del self._refresh[consent.refreshes.pop()]
        return True

    def _account(self, form: Mapping[str, str]) -> Consent:
        try:
            head, claims, signature = form.get("assertion", "").split(".")
            told = msgspec.json.decode(_unpadded(claims))
            key = load_pem_public_key(self._accounts[told["iss"]].encode())
            if not isinstance(key, RSAPublicKey):
                raise _no("invalid_grant", "Invalid JWT Signature.")
            key.verify(_unpadded(signature), f"{head}.{claims}".encode(), PKCS1v15(), hashes.SHA256())
        except (ValueError, KeyError, InvalidSignature):
            raise _no("invalid_grant", "Invalid JWT Signature.") from None
        now = self._clock()
        if not told["iat"] <= now + 60 or not now < told["exp"] <= told["iat"] + 3600:
            raise _no("invalid_grant", "Invalid JWT: iat and exp must be within the hour.")
        return Consent(client_id=told["iss"], scopes=tuple(told.get("scope", "").split()))

    def _minted(self, consent: Consent, *, with_refresh: bool) -> dict[str, object]:
        access_prefix, refresh_prefix = self.rules.prefixes
        access = access_prefix + secrets.token_urlsafe(24)
        self._access[access] = (consent, self._clock() + self.rules.access_seconds)
        body: dict[str, object] = {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": int(self.rules.access_seconds),
            "scope": self.rules.scope_separator.join(consent.scopes),
            **self.rules.answer,
        }
        if with_refresh and "refresh_token" in self.rules.grants:
            body["refresh_token"] = refresh = refresh_prefix + secrets.token_urlsafe(24)
            consent.refreshes.append(refresh)
            self._refresh[refresh] = (consent, self._clock() + self.rules.refresh_seconds)
        return body


def _is_registered(back: str, registered: Collection[str]) -> bool:
    """On loopback any port will do (RFC 8252, 7.3): nobody knows beforehand which one is free."""
    place = _without_port(back)
    return back in registered or (place is not None and place in map(_without_port, registered))


def _without_port(address: str) -> tuple[str, ...] | None:
    """Return what else there is to a loopback address; None of any other."""
    parts = urlsplit(address)
    if parts.scheme != "http" or parts.hostname not in LOOPBACK or parts.username is not None:
        return None
    return parts.hostname, parts.path, parts.query


def _no(error: str, why: str = "", *, status: int = 400) -> BadRequest:
    return BadRequest({"error": error, **({"error_description": why} if why else {})}, status=status)


def _sent_back(back: str, values: Mapping[str, object]) -> Answer:
    sign = "&" if "?" in back else "?"
    return Answer(status=302, headers={"Location": f"{back}{sign}{urlencode(values)}"})


def _basic(header: str) -> tuple[str, str]:
    try:
        name, _, secret = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    except ValueError:
        return "", ""
    return name, secret


def _challenge(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
