"""Everything that exists in the pretended world, and the one place a request goes through."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import msgspec

from sandbox import api, faults, feeds, files, shopify, shopify_records
from sandbox.data import Recipe, utc_text
from sandbox.dataset import Dataset
from sandbox.faults import Fault, Faults
from sandbox.ledger import Ledger
from sandbox.lies import Liar, LieOrder
from sandbox.life import Life, LiveOrder
from sandbox.listing import stamp_from
from sandbox.messages import Answer, BadRequest, Handler, Request, json_answer
from sandbox.options import Options


class ChangeOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to happen to a dataset."""

    dataset: str
    share: faults.Share = 0.0
    seed: int = 0
    insert: faults.Whole = 0
    delete: faults.Whole = 0
    #: How many good objects turn bad, and bad ones good.
    spoil: faults.Whole = 0
    heal: faults.Whole = 0
    #: How the changed share drifts: type, vanish or appear.
    drift: str = ""
    #: The update time given, ISO 8601; earlier than now makes late arrivals. None means now.
    at: str | None = None


class World:
    """Datasets, the providers that serve them, the faults in force and the ledger."""

    def __init__(self, options: Options, *, clock: Callable[[], float] = time.time) -> None:
        self.options = options
        self._clock = clock
        self._liar: Liar | None = None
        self._life: Life | None = None
        self.reset()

    def reset(self) -> None:
        """Put everything back to how it began: data, faults, lies, latency and counts."""
        self.quiet()
        self.honest()
        self.set_latency(self.options.latency_ms)
        self.datasets = _datasets(self.options)
        self.files = files.Files(self._group("files."))
        self._faults = Faults(seed=self.options.seed)
        self._ledger = Ledger()
        self._routes = self._all_routes()

    def answer(self, request: Request) -> Answer:
        lie = self._liar.lie(request) if self._liar and request.path in self._routes else None
        ordered = self._faults.drawn(request)
        drawn = ordered if lie is None else (*ordered, lie.fault)
        answer = faults.replacement(drawn, request)
        if answer is None:
            answer = self._routed(replace(request, twists=faults.twists(drawn)))
        answer.delay_seconds = self._latency_seconds + faults.delay_seconds(drawn)
        answer.damage = faults.damage(drawn)
        if request.method == "HEAD" or (answer.damage and answer.damage.is_loss):
            answer.served = None
        self._ledger.note(answer, tuple(fault.kind for fault in ordered), lie and lie.kind)
        return answer

    def take_back(self, answer: Answer) -> None:
        """Note that an answer was not sent after all."""
        if answer.served is not None:
            self._ledger.take_back(answer.served)

    # The control door

    def ledger(self, dataset: str, *, full: bool = False) -> dict[str, Any]:
        """
        Return a dataset's newest state (where `full`, each object's newest version) and what was served.

        :raises KeyError: if there is no such dataset
        """
        return self._ledger.dataset(self._dataset(dataset), is_full=full)

    def requests(self) -> dict[str, Any]:
        """Return how often what was asked for."""
        return self._ledger.requests()

    def ledgers(self) -> dict[str, Any]:
        """Return the short ledger of every dataset, by name."""
        return {name: self.ledger(name) for name in self.datasets}

    def change(self, order: ChangeOrder) -> dict[str, Any]:
        """
        Change a dataset and return what was done, counted.

        :raises KeyError: if there is no such dataset
        :raises ValueError: if the order makes no sense for it
        """
        dataset = self._dataset(order.dataset)
        at = self._now() if order.at is None else stamp_from(order.at)
        done = dataset.change(
            at=at,
            seed=order.seed,
            share=order.share,
            insert=order.insert,
            delete=order.delete,
            drift=order.drift,
        )
        spoilt = dataset.spoil(order.spoil, at=at, seed=order.seed)
        healed = dataset.heal(order.heal, at=at)
        return {
            "dataset": order.dataset,
            "at": utc_text(at),
            **asdict(done),
            "spoilt": spoilt,
            "healed": healed,
        }

    def misbehave(self, fault: Fault) -> None:
        """Put a fault in force."""
        self._faults.add(fault)

    def behave(self) -> None:
        """Lift all faults."""
        self._faults = Faults(seed=self.options.seed)

    def lie(self, order: LieOrder) -> None:
        """Lie from now on to a share of the requests for data."""
        self._liar = Liar(order, clock=self._clock)

    def honest(self) -> None:
        """Stop lying."""
        self._liar = None

    def live(self, order: LiveOrder) -> None:
        """
        Change datasets all the while from now on.

        :raises KeyError: if there is no such dataset
        :raises ValueError: if the records of one have no ids
        """
        chosen = self._alive(order.datasets)
        self.quiet()
        self._life = Life(chosen, changes_per_second=order.changes_per_second, seed=order.seed, now=self._now)
        self._life.start()

    def quiet(self) -> dict[str, int]:
        """Stop changing and return how many records had been changed in which way."""
        life, self._life = self._life, None
        if life is None:
            return {}
        life.stop()
        return dict(life.changed)

    def set_latency(self, milliseconds: int) -> None:
        """Make every answer from now on wait so long."""
        self._latency_seconds = milliseconds / 1_000

    def forget_requests(self) -> None:
        """Start counting requests afresh."""
        self._ledger.forget()

    # Inside

    def _now(self) -> int:
        # The sample data may have been made for a later day than today.
        return max(int(self._clock()), self.options.now)

    def _dataset(self, name: str) -> Dataset:
        try:
            return self.datasets[name]
        except KeyError:
            raise KeyError(f"no dataset {name!r}; there are {', '.join(self.datasets)}") from None

    def _alive(self, names: tuple[str, ...] | None) -> list[Dataset]:
        if names is None:
            return [dataset for dataset in self.datasets.values() if dataset.recipe.has_ids]
        chosen = [self._dataset(name) for name in names]
        for dataset in chosen:
            if not dataset.recipe.has_ids:
                raise ValueError(f"{dataset.recipe.name} has no ids: a changed record would be a new one")
        return chosen

    def _group(self, prefix: str) -> dict[str, Dataset]:
        return {
            name.removeprefix(prefix): dataset
            for name, dataset in self.datasets.items()
            if name.startswith(prefix)
        }

    def _all_routes(self) -> dict[str, Handler]:
        bucket = shopify.Bucket(leak_rate=self.options.leak_rate, clock=self._clock)
        shop = shopify.Shop(self._group("shopify."), token=self.options.shopify_token, bucket=bucket)
        songs = api.Api(self._group("api."), token=self.options.api_token)
        news = feeds.Feeds(self._group("feeds."))
        return {**shop.routes(), **songs.routes(), **self.files.routes(), **news.routes()}

    def _routed(self, request: Request) -> Answer:
        handler = self._routes.get(request.path)
        if handler is None:
            return json_answer({"errors": "Not Found"}, status=404)
        if request.method not in {"GET", "HEAD"}:
            return json_answer({"errors": "Method Not Allowed"}, status=405, headers={"Allow": "GET, HEAD"})
        try:
            return handler(request)
        except BadRequest as refusal:
            return json_answer(refusal.body, status=refusal.status)


def _datasets(options: Options) -> dict[str, Dataset]:
    amounts = _amounts(options)
    found: dict[str, Dataset] = {}
    for recipe, count in amounts:
        # One entry in a hundred of the Atom feed was withdrawn before we came.
        removed = -(-count // 100) if recipe.name == "feeds.articles" else 0
        dataset = Dataset(
            recipe,
            seed=options.seed,
            now=options.now,
            count=count,
            removed=removed,
            cache_bytes=options.cache_mb << 20,
        )
        if options.bad_share:
            dataset.spoil_from_the_start(options.bad_share)
        found[recipe.name] = dataset
    return found


def _amounts(options: Options) -> list[tuple[Recipe, int]]:
    shop = shopify_records.recipes(options)
    lists = files.recipes()
    news = feeds.recipes(options.seed)
    return [
        (shop["customers"], options.customers),
        (shop["products"], options.products),
        (shop["orders"], options.orders),
        *((api.recipe(paging), options.items) for paging in api.PAGINGS),
        (lists["music"], options.songs),
        (lists["catalog"], options.catalog),
        (news["articles"], options.articles),
        (news["news"], options.articles),
    ]
