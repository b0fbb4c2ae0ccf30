"""
The door behind the scenery: look at the ledger, change data, order misbehaviour, start over.

GET  /_sandbox/ledger[?dataset=NAME[&full=1]]   GET /_sandbox/requests
POST /_sandbox/change {"dataset": NAME, ...ChangeOrder}
POST /_sandbox/faults {...Fault} or a list of them
POST /_sandbox/lie {...LieOrder}              POST /_sandbox/honest
POST /_sandbox/live {...LiveOrder}            POST /_sandbox/quiet
POST /_sandbox/latency {"milliseconds": N}
POST /_sandbox/reset {"only": "faults" or "requests"} or {} for everything
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Literal

import msgspec

from sandbox.faults import Fault, Whole
from sandbox.lies import LieOrder
from sandbox.life import LiveOrder
from sandbox.messages import Answer, Request, json_answer
from sandbox.world import ChangeOrder, World

PREFIX = "/_sandbox/"


class ResetOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    only: Literal["faults", "requests"] | None = None


class LatencyOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    milliseconds: Whole


class Control:
    """Answers what concerns the world itself; loopback callers only."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._doors: dict[tuple[str, str], Callable[[Request], Any]] = {
            ("GET", "ledger"): self._ledger,
            ("GET", "requests"): lambda _: world.requests(),
            ("POST", "change"): self._change,
            ("POST", "faults"): self._misbehave,
            ("POST", "lie"): self._lie,
            ("POST", "honest"): self._honest,
            ("POST", "live"): self._live,
            ("POST", "quiet"): lambda _: {"changed": world.quiet()},
            ("POST", "latency"): self._latency,
            ("POST", "reset"): self._reset,
        }

    def answer(self, request: Request) -> Answer:
        if not ip_address(request.client).is_loopback:
            return json_answer({"error": "the control door opens for loopback callers only"}, status=403)
        door = self._doors.get((request.method, request.path.removeprefix(PREFIX)))
        if door is None:
            known = ", ".join(f"{method} {PREFIX}{name}" for method, name in self._doors)
            return json_answer({"error": f"no such door; there are {known}"}, status=404)
        try:
            return json_answer(door(request))
        except KeyError as error:
            return json_answer({"error": error.args[0]}, status=404)
        except ValueError as error:  # msgspec's errors are ValueErrors too
            return json_answer({"error": str(error)}, status=400)

    def _ledger(self, request: Request) -> dict[str, Any]:
        name = request.query.get("dataset")
        if name is None:
            return self._world.ledgers()
        return self._world.ledger(name, full=request.query.get("full") == "1")

    def _change(self, request: Request) -> dict[str, Any]:
        return self._world.change(msgspec.json.decode(request.body, type=ChangeOrder))

    def _misbehave(self, request: Request) -> dict[str, Any]:
        text = request.body.lstrip()
        if not text.startswith(b"["):
            text = b"[" + text + b"]"
        wanted = msgspec.json.decode(text, type=list[Fault])
        for fault in wanted:
            self._world.misbehave(fault)
        return {"faults": len(wanted)}

    def _lie(self, request: Request) -> dict[str, Any]:
        order = msgspec.json.decode(request.body, type=LieOrder)
        self._world.lie(order)
        return {"lies": order.share}

    def _honest(self, _: Request) -> dict[str, Any]:
        self._world.honest()
        return {"lies": 0}

    def _live(self, request: Request) -> dict[str, Any]:
        order = msgspec.json.decode(request.body, type=LiveOrder)
        self._world.live(order)
        return {"changes_per_second": order.changes_per_second}

    def _latency(self, request: Request) -> dict[str, Any]:
        order = msgspec.json.decode(request.body, type=LatencyOrder)
        self._world.set_latency(order.milliseconds)
        return {"milliseconds": order.milliseconds}

    def _reset(self, request: Request) -> dict[str, Any]:
        order = msgspec.json.decode(request.body or b"{}", type=ResetOrder)
        match order.only:
            case "faults":
                self._world.behave()
            case "requests":
                self._world.forget_requests()
            case None:
                self._world.reset()
        return {"reset": order.only or "everything"}
