"""
A second pretended world, run by the soak as a process: strict about tokens, calls and reports.

`python -m tests.chaos.strict --ready-file F --seed N`. What it saw stands behind /watch/.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from sandbox import api, shopify
from sandbox.messages import Answer, Handler, Request, json_answer
from sandbox.oauth_rules import Client, Rules
from sandbox.options import Options
from sandbox.server import Server
from sandbox.shopify_doors import ALL_ORDERS, CLIENT_ID, CLIENT_SECRET, SCOPES, Bucket, Door, Keys
from sandbox.simulators import Setting, Simulator
from sandbox.world import World
from tests.chaos.strict_desk import StrictDesk
from tests.chaos.strict_tokens import ACCESS_SECONDS, WatchedOAuth

READY = "strict world ready"
WATCH = "/watch/"
#: By the names of the sources that read them.
SHOP, VAULT, OFFICE = "strict shop", "vault", "office"
VAULT_ID, VAULT_SECRET = "vault-app", "vault-secret"  # not secrets: this world is pretended
VAULT_PAGINGS = ("cursor", "next")
SHOP_STREAMS = ("customers", "orders", "products")
#: Calls a second, as most shops have, and so many at once after a rest, where the real one takes 40.
RATE, BURST = 2.0, 4.0
#: How many at once are made.
OUR_BURST = 2.0
AMOUNTS: dict[str, Any] = {"customers": 90, "products": 60, "orders": 120, "items": 120, "latency_ms": 20}
#: What changes all the while.
ALIVE = (
    *(f"shopify.{name}" for name in SHOP_STREAMS),
    *(f"api.{name}" for name in (*VAULT_PAGINGS, "report")),
)


class WatchedBucket(Bucket):
    """Writes down when a call was one too many."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        super().__init__(leak_rate=RATE, size=BURST, clock=clock)
        self.refused: list[float] = []

    def take(self, cost: float = 1.0) -> float | None:
        level = super().take(cost)
        if level is None:
            self.refused.append(self._clock())
        return level


class StrictWorld(World):
    """Three providers: a shop, a vault and an office."""

    def __init__(self, options: Options) -> None:
        self.oauth: dict[str, WatchedOAuth] = {}
        self.desk: StrictDesk
        self.bucket: WatchedBucket
        offer = shopify.SIMULATOR.offer
        super().__init__(
            options,
            simulators={
                "shopify": replace(shopify.SIMULATOR, routes=self._shop),
                "vault": Simulator(connector="rest", recipes=_vault_recipes, routes=self._vault, offer=offer),
                "office": Simulator(
                    connector="office", recipes=_office_recipes, routes=self._office, offer=offer
                ),
            },
        )

    def take_back(self, answer: Answer) -> None:
        super().take_back(answer)
        for oauth in self.oauth.values():
            oauth.take_back(answer)

    def _shop(self, setting: Setting) -> Mapping[str, Handler]:
        """Shopify as it is, by expiring tokens; the refresh token before the latest is good for a while."""
        keys = Keys(token=setting.options.shopify_token, clock=setting.clock)
        scopes = (*SCOPES, ALL_ORDERS)
        client = Client(client_id=CLIENT_ID, client_secret=CLIENT_SECRET, scopes=scopes)
        rules = replace(keys.offline.rules, access_seconds=ACCESS_SECONDS)
        watched = WatchedOAuth(client, clock=setting.clock, rules=rules, seed=setting.options.seed)
        keys.offline = self.oauth[SHOP] = watched
        self.bucket = WatchedBucket(clock=setting.clock)
        shop = shopify.Shop(dict(setting.datasets), door=Door(keys, self.bucket))
        return {
            **shop.routes(),
            f"POST {shopify.ROOT}oauth/access_token": keys.token,
            f"{WATCH}*": self._told,
            f"POST {WATCH}*": self._asked,
        }

    def _vault(self, setting: Setting) -> Mapping[str, Handler]:
        """A listing behind the strictest of rules: a refresh token is good for one use."""
        client = Client(client_id=VAULT_ID, client_secret=VAULT_SECRET)
        rules = Rules(grants=frozenset({"refresh_token"}), access_seconds=ACCESS_SECONDS)
        oauth = WatchedOAuth(client, clock=setting.clock, rules=rules, seed=setting.options.seed)
        self.oauth[VAULT] = oauth
        inner = "inside"
        # Its own five listings, of which there are two here.
        datasets = {name: setting.datasets.get(name, setting.datasets["next"]) for name in api.PAGINGS}
        listings = api.Api(datasets, token=inner).routes()

        def guarded(request: Request) -> Answer:
            refusal = oauth.refusal(request)
            if refusal is not None:
                return refusal
            headers = {**request.headers, "authorization": f"Bearer {inner}"}
            return listings[request.path](replace(request, headers=headers))

        lists = {f"/api/{name}/items": guarded for name in VAULT_PAGINGS}
        return {**lists, "POST /vault/token": oauth.token}

    def _office(self, setting: Setting) -> Mapping[str, Handler]:
        self.desk = StrictDesk(setting.datasets["report"], clock=setting.clock, seed=setting.options.seed)
        return self.desk.routes()

    # What it saw, and what people do there

    def _told(self, _: Request) -> Answer:
        uses = {name: one.told() for name, one in self.oauth.items()}
        return json_answer({"uses": uses, "refused": self.bucket.refused, **self.desk.told()})

    def _asked(self, request: Request) -> Answer:
        order: Any = msgspec.json.decode(request.body)
        match request.path.removeprefix(WATCH):
            case "consent":
                return json_answer(self.oauth[order["provider"]].consent())
            case "revoked":
                return json_answer(self.oauth[order["provider"]].is_revoked(order["refresh_token"]))
            case _:
                self.desk.is_restless = False
                for oauth in self.oauth.values():
                    oauth.is_restless = False
                return json_answer(None)


def _vault_recipes(options: Options) -> list[Any]:
    return [(api.recipe(paging), options.items) for paging in VAULT_PAGINGS]


def _office_recipes(options: Options) -> list[Any]:
    return [(api.recipe("report"), options.items)]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--seed", type=int, required=True)
    asked = parser.parse_args(arguments)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    server = Server(StrictWorld(Options(now=int(time.time()), seed=asked.seed, **AMOUNTS)))
    server.start()
    asked.ready_file.write_text(server.url)
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    stop.wait()
    server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
