"""
A plain JSON API of songs, once in each way of paging: page, offset, cursor, next and link.

It is nobody's API, so nothing here needs confirming. A limit outside 1 to 100 is refused by name rather than
cut down in silence, which would make "fewer than I asked for" look like the end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode

import msgspec

from sandbox.data import Facts, Recipe, Record, song, utc_text
from sandbox.dataset import Dataset
from sandbox.defects import json_defects, json_drifts
from sandbox.listing import BadCursor, Leaf, Place, limit_from, place_from, stamp_from, turn, twisted_rows
from sandbox.messages import Answer, BadRequest, Handler, Request, joined, json_answer, served_rows
from sandbox.options import Options
from sandbox.order import Window
from sandbox.simulators import Offer, Setting, Simulator

PAGINGS = ("page", "offset", "cursor", "next", "link")
DEFAULT_LIMIT, MOST = 50, 100
#: What a counted page cannot express as a cursor: the caller counts, so it gets the first rows again.
LOOPS = frozenset({"repeat_cursor", "cycle_cursor", "endless_cursor"})


def recipe(paging: str) -> Recipe:
    """Return how the items of one way of paging are made; ids and titles differ between them."""
    return Recipe(
        name=f"api.{paging}",
        make=partial(_make_item, paging=paging),
        external_id=partial(_item_id, paging),
        defects=json_defects(text=("album",), typed=("name",), is_money=False),
        drifts=json_drifts(retyped=("price",), vanishing="genre"),
    )


def _item_id(paging: str, index: int) -> str:
    return f"{paging}-{index + 1:06d}"


def _make_item(facts: Facts, *, paging: str) -> Record:
    item = song(facts.dice, number=facts.index + 1, version=facts.version)
    return {
        "id": _item_id(paging, facts.index),
        "name": item.title,
        "artist": {"name": item.artist},
        "genre": item.genre,
        "album": item.album,
        "price": item.price,
        "duration_ms": item.milliseconds,
        "created_at": utc_text(facts.created),
        "updated_at": utc_text(facts.updated),
    }


class Api:
    """Five listings behind one bearer token."""

    def __init__(self, datasets: dict[str, Dataset], *, token: str) -> None:
        self._datasets = datasets
        self._token = token

    def routes(self) -> dict[str, Handler]:
        listings: dict[str, Callable[[Dataset, Request], Answer]] = {
            "page": _by_page,
            "offset": _by_offset,
            "cursor": _by_cursor,
            "next": _by_next_url,
            "link": _by_link_header,
        }
        return {
            f"/api/{paging}/items": self._guarded(self._datasets[paging], listing)
            for paging, listing in listings.items()
        }

    def _guarded(self, dataset: Dataset, listing: Callable[[Dataset, Request], Answer]) -> Handler:
        def guarded(request: Request) -> Answer:
            if request.headers.get("authorization") != f"Bearer {self._token}":
                headers = {"WWW-Authenticate": 'Bearer realm="sandbox"'}
                return json_answer({"error": "invalid or missing bearer token"}, status=401, headers=headers)
            return listing(dataset, request)

        return guarded


def _by_page(dataset: Dataset, request: Request) -> Answer:
    limit = _limit(request)
    number = _whole_number(request, "page", default=1, least=1)
    rows, total = _counted(dataset, request, offset=(number - 1) * limit, limit=limit)
    meta = {"total": total, "page": number, "pages": -(-total // limit)}
    return _enveloped(dataset, rows, meta, cursor=f"page={number}")


def _by_offset(dataset: Dataset, request: Request) -> Answer:
    offset = _whole_number(request, "offset", default=0, least=0)
    rows, total = _counted(dataset, request, offset=offset, limit=_limit(request))
    return _enveloped(dataset, rows, {"total": total, "offset": offset}, cursor=f"offset={offset}")


def _counted(dataset: Dataset, request: Request, *, offset: int, limit: int) -> tuple[list[bytes], int]:
    """Return the rows of a counted page and how many there are in all."""
    window = Window(low=_since(request))
    if {"empty_list", "empty_page"} & request.twists:
        return [], dataset.order.total(window)
    keys = dataset.order.at(0 if LOOPS & request.twists else offset, limit=limit, window=window)
    return twisted_rows(dataset, keys, request), dataset.order.total(window)


def _by_cursor(dataset: Dataset, request: Request) -> Answer:
    place, leaf = _turned(dataset, request)
    cursor = leaf.next.token() if leaf.next else None
    meta = {"total": _total(dataset, place), "next_cursor": cursor, "has_more": cursor is not None}
    return _enveloped(dataset, leaf.rows, meta, cursor=place.token())


def _by_next_url(dataset: Dataset, request: Request) -> Answer:
    place, leaf = _turned(dataset, request)
    meta = {"total": _total(dataset, place), "next": _next_url(leaf, request)}
    return _enveloped(dataset, leaf.rows, meta, cursor=place.token())


def _by_link_header(dataset: Dataset, request: Request) -> Answer:
    place, leaf = _turned(dataset, request)
    headers = {"X-Total": str(_total(dataset, place))}
    following = _next_url(leaf, request)
    if following:
        headers["Link"] = f'<{following}>; rel="next"'
    served = served_rows(dataset, leaf.rows, cursor=place.token())
    return Answer(body=joined(b"", leaf.rows, b""), headers=headers, served=served)


def _turned(dataset: Dataset, request: Request) -> tuple[Place, Leaf]:
    place = _place(request)
    return place, turn(dataset, place, limit=_limit(request), request=request)


def _place(request: Request) -> Place:
    token = request.query.get("cursor")
    if token is None:
        return Place(low=_since(request))
    try:
        return place_from(token)
    except BadCursor:
        raise BadRequest({"error": "cursor is not valid"}) from None


def _next_url(leaf: Leaf, request: Request) -> str | None:
    if leaf.next is None:
        return None
    query = {"limit": _limit(request), "cursor": leaf.next.token()}
    return f"{request.origin}{request.path}?{urlencode(query)}"


def _total(dataset: Dataset, place: Place) -> int:
    return dataset.order.total(Window(low=place.low))


def _enveloped(dataset: Dataset, rows: list[bytes], meta: dict[str, Any], *, cursor: str) -> Answer:
    body = joined(b'{"data":{"items":', rows, b'},"meta":' + msgspec.json.encode(meta) + b"}")
    return Answer(body=body, served=served_rows(dataset, rows, cursor=cursor))


def _limit(request: Request) -> int:
    limit = limit_from(request, default=DEFAULT_LIMIT, most=MOST)
    if limit is None:
        raise BadRequest({"error": f"limit must be a number from 1 to {MOST}"})
    return limit


def _since(request: Request) -> int:
    text = request.query.get("updated_since")
    if text is None:
        return 0
    try:
        return max(stamp_from(text), 0)
    except ValueError:
        raise BadRequest({"error": "updated_since must be an ISO 8601 time"}) from None


def _whole_number(request: Request, name: str, *, default: int, least: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise BadRequest({"error": f"{name} must be a whole number from {least} on"})
    return int(text)


def _recipes(options: Options) -> list[tuple[Recipe, int]]:
    return [(recipe(paging), options.items) for paging in PAGINGS]


def _routes(setting: Setting) -> dict[str, Handler]:
    return Api(dict(setting.datasets), token=setting.options.api_token).routes()


#: How each way of paging is described to a source.
PAGINATION: dict[str, dict[str, Any]] = {
    "page": {"type": "page", "totalPath": "meta.total"},
    "offset": {"type": "offset", "totalPath": "meta.total"},
    "cursor": {
        "type": "cursor",
        "cursorPath": "meta.next_cursor",
        "hasMorePath": "meta.has_more",
        "totalPath": "meta.total",
    },
    "next": {"type": "next", "nextPath": "meta.next", "totalPath": "meta.total"},
    "link": {"type": "link"},
}


def _offer(url: str) -> Offer:
    fields = {"external_id": "id", "title": "name", "artist": "artist.name", "genre": "genre"}
    config = {
        "auth": {"type": "bearer"},
        "targetTable": "content_index",
        "contentType": "music",
        "fieldMapping": {**fields, "occurred_at": "created_at"},
        "incremental": {"param": "updated_since", "field": "updated_at"},
        "streams": {name: _stream(f"{url}/api/{name}/items", name) for name in PAGINGS},
    }
    return Offer(
        config=config,
        datasets={name: f"api.{name}" for name in PAGINGS},
        credentials={"token": Options(now=0).api_token},
        bad_credentials={"token": "not-the-token"},
    )


def _stream(address: str, paging: str) -> dict[str, Any]:
    return {
        "sourceIdentifier": address,
        "pagination": {"limit": 100, "limitParam": "limit", **PAGINATION[paging]},
        **({"totalHeader": "X-Total"} if paging == "link" else {"dataPath": "data.items"}),
    }


SIMULATOR = Simulator(connector="rest", recipes=_recipes, routes=_routes, offer=_offer)
