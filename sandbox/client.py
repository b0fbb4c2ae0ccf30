"""Talk to a running sandbox's control door, from this process or another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import msgspec

# A full ledger of a million objects takes its time.
TIMEOUT_SECONDS = 300


class SandboxError(Exception):
    """The sandbox refused, in its own words."""


class SandboxClient:
    """Every method raises SandboxError where the sandbox refuses, OSError where there is none."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        # Loopback never goes through a proxy, whatever the environment says.
        self._opener = build_opener(ProxyHandler({}))

    def ledger(self, dataset: str, *, full: bool = False) -> dict[str, Any]:
        """Return what a dataset holds (where `full`, each object's newest version) and what was served."""
        return self._call("ledger", query={"dataset": dataset, "full": int(full)})

    def ledgers(self) -> dict[str, Any]:
        """Return the short ledger of every dataset, by name."""
        return self._call("ledger")

    def requests(self) -> dict[str, Any]:
        """Return how often what was asked for."""
        return self._call("requests")

    def change(self, dataset: str, **order: Any) -> dict[str, Any]:
        """Change a dataset: share, seed, insert, delete, spoil, heal, drift, at (see world.ChangeOrder)."""
        return self._call("change", body={"dataset": dataset, **order})

    def misbehave(self, path: str, kind: str, **settings: Any) -> None:
        """Put a fault in force: probability, times, skip and its own settings (see faults.Fault)."""
        self._call("faults", body={"path": path, "kind": kind, **settings})

    def behave(self) -> None:
        """Lift all faults."""
        self._call("reset", body={"only": "faults"})

    def lie(self, share: float = 0.05, *, seed: int = 0) -> None:
        """Answer a share of the requests for data with lies (see lies.py); `requests` counts them."""
        self._call("lie", body={"share": share, "seed": seed})

    def honest(self) -> None:
        """Stop lying."""
        self._call("honest", body={})

    def live(
        self, changes_per_second: float = 20.0, *, seed: int = 0, datasets: Sequence[str] | None = None
    ) -> None:
        """Change these datasets all the while, or all whose records have ids (see life.py)."""
        self._call(
            "live", body={"changes_per_second": changes_per_second, "seed": seed, "datasets": datasets}
        )

    def quiet(self) -> dict[str, int]:
        """Stop changing; return how many records had been changed in which way."""
        changed: dict[str, int] = self._call("quiet", body={})["changed"]
        return changed

    def latency(self, milliseconds: int) -> None:
        """Make every answer from now on wait so long."""
        self._call("latency", body={"milliseconds": milliseconds})

    def forget_requests(self) -> None:
        """Start counting requests afresh."""
        self._call("reset", body={"only": "requests"})

    def reset(self) -> None:
        """Put everything back to how it began: data, faults and counts."""
        self._call("reset", body={})

    def _call(
        self, door: str, *, query: dict[str, Any] | None = None, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        url = f"{self.url}/_sandbox/{door}" + (f"?{urlencode(query)}" if query else "")
        data = None if body is None else msgspec.json.encode(body)
        request = Request(url, data=data, headers={"Content-Type": "application/json"})  # noqa: S310 - ours
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return msgspec.json.decode(answer.read(), type=dict[str, Any])
        except HTTPError as error:
            with error:
                raise SandboxError(_reason(error.read(), error.code)) from None


def _reason(body: bytes, status: int) -> str:
    try:
        return str(msgspec.json.decode(body)["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return f"the sandbox answered {status}"
