"""A simulator on a real socket, for tests that need other rules, another clock or a wrong answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from connectors import connect
from connectors.base import Access, Connector, FetchRequest, Page
from sandbox.data import Recipe
from sandbox.dataset import Dataset
from sandbox.messages import Answer, BadRequest, Handler, Request, json_answer
from sandbox.server import Server
from sandbox.world import World

MOST_PAGES = 1_000


class Site:
    """What answers, what it was asked, and a way for a test to step in."""

    def __init__(self, routes: Mapping[str, Handler]) -> None:
        self.routes = dict(routes)
        self.asked: list[Request] = []
        #: Looks at each request first; what it returns is the answer.
        self.before: Callable[[Request], Answer | None] = lambda request: None
        self.url = ""

    def answer(self, request: Request) -> Answer:
        self.asked.append(request)
        verb = "" if request.method == "GET" else f"{request.method} "
        try:
            return self.before(request) or self.routes[f"{verb}{request.path}"](request)
        except KeyError:
            return json_answer({"error": "Not Found"}, status=404)
        except BadRequest as refusal:
            return json_answer(refusal.body, status=refusal.status)

    # What a sandbox's server wants of its world

    def quiet(self) -> None:
        """Nothing goes on here by itself."""

    def take_back(self, answer: Answer) -> None:
        """Nobody counts what was served."""

    def connector(
        self, name: str, *, config: Mapping[str, Any], credentials: Mapping[str, Any], **access: Any
    ) -> Connector:
        """Return the connector that may call this site, and nobody else."""
        hosts = frozenset({self.url.removeprefix("http://")})
        return connect(
            name, config=config, credentials=credentials, access=Access(private_hosts=hosts, **access)
        )


@contextmanager
def serving(routes: Mapping[str, Handler]) -> Iterator[Site]:
    site = Site(routes)
    server = Server(cast(World, site))
    site.url = server.url
    server.start()
    try:
        yield site
    finally:
        server.stop()


def datasets(recipes: Sequence[tuple[Recipe, int]], *, now: int, seed: int = 7) -> dict[str, Dataset]:
    """Return the data of a simulator's recipes, by the name after the dot."""
    return {
        recipe.name.partition(".")[2]: Dataset(recipe, seed=seed, now=now, count=count)
        for recipe, count in recipes
    }


def all_pages(connector: Connector, stream: str, **request: Any) -> list[Page]:
    """Return the pages of a stream from the first to the last."""
    pages: list[Page] = []
    cursor: str | None = None
    while len(pages) < MOST_PAGES:
        pages.append(connector.fetch(connector.stream(stream), FetchRequest(cursor=cursor, **request)))
        cursor = pages[-1].next_cursor
        if cursor is None:
            return pages
    raise AssertionError(f"{stream}: no end after {MOST_PAGES} pages")
