"""Everything that exists in the pretended world, and the one place a request goes through."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import msgspec

from sandbox import faults, files
from sandbox.data import utc_text
from sandbox.dataset import Dataset
from sandbox.faults import Fault, Faults
from sandbox.ledger import Ledger, parts_told
from sandbox.lies import Liar, LieOrder
from sandbox.life import Life, LiveOrder
from sandbox.listing import stamp_from
from sandbox.messages import Answer, BadRequest, Handler, Request, json_answer
from sandbox.options import Options
from sandbox.simulators import Parts, Setting, Simulator, all_simulators

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")


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

    def __init__(
        self,
        options: Options,
        *,
        clock: Callable[[], float] = time.time,
        simulators: Mapping[str, Simulator] | None = None,
    ) -> None:
        """`simulators`: in place of all there are."""
        self.options = options
        self._simulators = all_simulators() if simulators is None else simulators
        self._clock = clock
        self._liar: Liar | None = None
        self._life: Life | None = None
        self.reset()

    def reset(self) -> None:
        """Put everything back to how it began: data, faults, lies, latency and counts."""
        self.quiet()
        self.honest()
        self.set_latency(self.options.latency_ms)
        self._datasets_of = {name: _datasets(one, self.options) for name, one in self._simulators.items()}
        self.datasets = {
            dataset.recipe.name: dataset for group in self._datasets_of.values() for dataset in group.values()
        }
        self._faults = Faults(seed=self.options.seed)
        self._ledger = Ledger()
        self._settings = {
            name: Setting(datasets=datasets, options=self.options, clock=self._clock)
            for name, datasets in self._datasets_of.items()
        }
        self._routes = self._all_routes()
        self._parts = self._all_parts()

    def answer(self, request: Request) -> Answer:
        lie = self._liar.lie(request) if self._liar and request.path in self._routes else None
        ordered = self._faults.drawn(request)
        drawn = ordered if lie is None else (*ordered, lie.fault)
        answer = faults.replacement(drawn, request)
        if answer is None:
            answer = self._routed(replace(request, twists=faults.twists(drawn)))
        answer.delay_seconds = self._latency_seconds + faults.delay_seconds(drawn)
        answer.damage = faults.damage(drawn) or answer.damage
        if request.method == "HEAD" or (answer.damage and answer.damage.is_loss):
            answer.served = None
        self._ledger.note(answer, tuple(fault.kind for fault in ordered), lie and lie.kind)
        return answer

    @property
    def files(self) -> files.Files:
        """The files served, to be written to disk."""
        return files.Files(self._datasets_of["csv"])

    def take_back(self, answer: Answer) -> None:
        """Note that an answer was not sent after all."""
        if answer.served is not None:
            self._ledger.take_back(answer.served)

    # The control door

    def ledger(self, dataset: str, *, full: bool = False) -> dict[str, Any]:
        """
        Return a dataset's newest state (where `full`, each object's newest version) and what was served.

        Of streams that are made of others' parts: what there is of them.

        :raises KeyError: if there is no such dataset
        """
        if dataset in self._parts:
            return parts_told(dataset, self._parts[dataset](), is_full=full)
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

    def _all_routes(self) -> dict[str, Handler]:
        routes: dict[str, Handler] = {}
        for name, simulator in self._simulators.items():
            routes |= simulator.routes(self._settings[name])
        return routes

    def _all_parts(self) -> dict[str, Parts]:
        parts: dict[str, Parts] = {}
        for name, simulator in self._simulators.items():
            parts |= simulator.parts(self._settings[name])
        return parts

    def _routed(self, request: Request) -> Answer:
        verb = "GET" if request.method == "HEAD" else request.method
        handler = self._found(verb, request.path)
        if handler is None:
            allowed = [one for one in METHODS if self._found(one, request.path)]
            if not allowed:
                return json_answer({"errors": "Not Found"}, status=404)
            return json_answer(
                {"errors": "Method Not Allowed"}, status=405, headers={"Allow": ", ".join(allowed)}
            )
        try:
            return handler(request)
        except BadRequest as refusal:
            return json_answer(refusal.body, status=refusal.status)

    def _found(self, method: str, path: str) -> Handler | None:
        """Return what answers this path, or else the nearest folder above it."""
        prefix = "" if method == "GET" else f"{method} "
        parts = path.split("/")
        above = ["/".join([*parts[:count], "*"]) for count in range(len(parts) - 1, 0, -1)]
        places = (f"{prefix}{place}" for place in (path, *above))
        return next((self._routes[place] for place in places if place in self._routes), None)


def _datasets(simulator: Simulator, options: Options) -> dict[str, Dataset]:
    found: dict[str, Dataset] = {}
    for recipe, count in simulator.recipes(options):
        dataset = Dataset(
            recipe,
            seed=options.seed,
            now=options.now,
            count=count,
            removed=round(count * recipe.removed_share + 0.499),
            cache_bytes=options.cache_mb << 20,
        )
        if options.bad_share:
            dataset.spoil_from_the_start(options.bad_share)
        found[recipe.name.partition(".")[2]] = dataset
    return found
