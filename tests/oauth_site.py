"""A provider behind a strict authorization server, on loopback, for tests of tokens and for processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from sandbox.messages import Answer, Request, json_answer
from sandbox.oauth import OAuthServer
from sandbox.oauth_rules import Client, Rules
from sandbox.server import Server
from sandbox.world import World

SECRET = "client-secret-canary"
ITEMS = 30
PAGE = 5


class Site:
    """Items by page behind a token; `before` is called with each request and may answer in its place."""

    def __init__(self, *, clock: Callable[[], float] = time.time, **rules: Any) -> None:
        self.client = Client(
            client_id="app",
            client_secret=SECRET,
            redirect_uris=tuple(
                f"http://{host}/admin/ingest/source/connected/" for host in ("testserver", "localhost")
            ),
            scopes=("items.read", "items.write"),
        )
        self.oauth = OAuthServer(
            self.client, clock=clock, rules=Rules(**rules), passwords={"ann": "password-canary"}
        )
        self.before: Callable[[Request], Answer | None] = lambda request: None
        self.needed_scope = "items.read"
        self.items_asked = 0
        self.url = ""

    # What a sandbox's server wants of its world

    def answer(self, request: Request) -> Answer:
        replaced = self.before(request)
        if replaced is not None:
            return replaced
        match request.path:
            case "/token":
                return self.oauth.token(request)
            case "/authorize":
                return self.oauth.authorize(request)
            case "/items":
                return self._items(request)
            case _:
                return json_answer({"error": "not found"}, status=404)

    def quiet(self) -> None:
        """Nothing goes on here by itself."""

    def take_back(self, answer: Answer) -> None:
        """Nobody counts what was served."""

    # The data

    def _items(self, request: Request) -> Answer:
        self.items_asked += 1
        refusal = self.oauth.refusal(request, scope=self.needed_scope)
        if refusal is not None:
            return refusal
        page, limit = int(request.query.get("page", "1")), int(request.query.get("limit", PAGE))
        numbers = range((page - 1) * limit + 1, min(page * limit, ITEMS) + 1)
        return json_answer({"items": [{"id": f"{n}", "title": f"item {n}"} for n in numbers]})

    # How a source gets here

    def config(self, grant: str = "refresh_token", **auth: Any) -> dict[str, Any]:
        """Return the config of a REST source that reads the items."""
        if grant == "authorization_code":
            auth = {"authorizeUrl": f"{self.url}/authorize", "scope": "items.read items.write", **auth}
        return {
            "sourceIdentifier": f"{self.url}/items",
            "dataPath": "items",
            "auth": {"type": "oauth2", "grant": grant, **auth},
            "pagination": {"type": "page", "limitParam": "limit", "limit": PAGE},
        }

    def credentials(self, **more: str) -> dict[str, str]:
        return {
            "client_id": "app",
            "client_secret": SECRET,
            "token_url": f"{self.url}/token",
            **more,
        }


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    server = Server(cast(World, site))
    site.url = server.url
    server.start()
    try:
        yield site
    finally:
        server.stop()
