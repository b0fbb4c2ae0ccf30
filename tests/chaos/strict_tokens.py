"""An authorization server that writes down what became of every refresh token, and loses answers."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from urllib.parse import parse_qsl

import msgspec

from sandbox.messages import Answer, Request
from sandbox.oauth import OAuthServer
from sandbox.oauth_rules import Client, Rules

#: So that a minute sees as many renewals as a day of hourly tokens.
ACCESS_SECONDS = 5.0
LOST_SHARE = 0.15
#: It takes its time, so that whoever wants a new token meanwhile would ask, too.
SLOW_SECONDS = 0.3


class Use(msgspec.Struct, kw_only=True):
    """One time a refresh token was shown."""

    #: Tells tokens apart; nobody can use it.
    token: str
    at: float
    is_granted: bool
    #: The answer was cut, or whoever asked had gone.
    is_lost: bool = False


class WatchedOAuth(OAuthServer):
    """Short tokens, rotating refresh tokens whose family ends where one is used again."""

    def __init__(self, client: Client, *, clock: Callable[[], float], rules: Rules, seed: int) -> None:
        super().__init__(client, clock=clock, rules=rules)
        self.is_restless = True
        self._client_id = client.client_id
        self._chance = random.Random(f"{seed}:{client.client_id}")
        self._uses: list[Use] = []
        self._heard: list[tuple[Answer, Use]] = []

    def token(self, request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if self.is_restless:
            time.sleep(SLOW_SECONDS)
        with self._lock:
            loses = self.is_restless and self._chance.random() < LOST_SHARE
            self.lose_answers(int(loses))
            answer = super().token(request)
            self.lose_answers(0)
            self._note(form.get("refresh_token", ""), answer)
        return answer

    def take_back(self, answer: Answer) -> None:
        """Note that nobody was there to hear the answer."""
        with self._lock:
            for heard, use in self._heard:
                if heard is answer:
                    use.is_lost = True

    def consent(self) -> str:
        """Return the refresh token of a new consent, as a person brings it from the provider's page."""
        with self._lock:
            return self.first_refresh(self._client_id)

    def is_revoked(self, first: str) -> bool:
        """Tell whether what came of a consent is good for nothing any more."""
        with self._lock:
            consent, _ = self._refresh[first]
            return consent.is_revoked

    def told(self) -> list[Use]:
        with self._lock:
            return list(self._uses)

    def _note(self, token: str, answer: Answer) -> None:
        use = Use(
            token=hashlib.sha256(token.encode()).hexdigest()[:12],
            at=self._clock(),
            is_granted=answer.status == 200,
            is_lost=answer.damage is not None,
        )
        self._uses.append(use)
        self._heard = [*self._heard[-20:], (answer, use)]
