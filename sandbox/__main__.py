"""
Run the sandbox (`python -m sandbox --port 8099`), write its files (`python -m sandbox write-files DIR`), or
say how a source reads one of its providers (`python -m sandbox offer NAME`).

Prints its address once it answers, and stops at SIGTERM or SIGINT.
"""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import threading
import time
from dataclasses import MISSING, fields
from pathlib import Path

from sandbox.listing import stamp_from
from sandbox.options import Options
from sandbox.server import HOST, Server
from sandbox.simulators import all_simulators
from sandbox.world import World

AMOUNTS = ("customers", "products", "orders", "items", "songs", "catalog", "articles")
DEFAULTS = {field.name: field.default for field in fields(Options) if field.default is not MISSING}


def main(arguments: list[str]) -> int:
    settings = _parser().parse_args(arguments)
    if settings.action == "offer":
        return _offer(settings.name, f"{HOST}:{settings.port}")
    world = World(_options(settings))
    if settings.action == "write-files":
        for path in world.files.write(settings.folder):
            _say(str(path))
        return 0
    return _serve(world, port=settings.port, ready_file=settings.ready_file)


def _offer(name: str, place: str) -> int:
    simulators = all_simulators()
    if name not in simulators:
        sys.stderr.write(f"no provider {name!r} here; there are {', '.join(simulators)}\n")
        return 1
    offer = simulators[name].offer(f"http://{place}")
    config, credentials = (shlex.quote(json.dumps(one)) for one in (offer.config, offer.credentials))
    _say(f"export SYNC_PRIVATE_HOSTS={place}")
    _say(f"echo {credentials} | python manage.py addsource try {name} --config {config} --credentials -")
    return 0


def _serve(world: World, *, port: int, ready_file: Path | None) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        server = Server(world, port=port)
    except OSError as error:
        sys.stderr.write(
            f"cannot listen on 127.0.0.1:{port} ({error.strerror}); choose another --port, or 0\n"
        )
        return 1
    server.start()
    if ready_file is not None:
        _write_whole(ready_file, server.url + "\n")
    _say(f"sandbox ready at {server.url}")
    stop.wait()
    server.stop()
    return 0


def _write_whole(path: Path, text: str) -> None:
    # A reader that waits for the file must never see half of it.
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(text)
    draft.replace(path)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _options(settings: argparse.Namespace) -> Options:
    amounts = {
        name: round(DEFAULTS[name] * settings.scale)
        if getattr(settings, name) is None
        else getattr(settings, name)
        for name in AMOUNTS
    }
    return Options(
        now=int(time.time()) if settings.now is None else settings.now,
        seed=settings.seed,
        scale=settings.scale,
        plain_orders=settings.plain_orders,
        bad_share=settings.bad_share,
        latency_ms=settings.latency_ms,
        cache_mb=settings.cache_mb,
        leak_rate=settings.leak_rate,
        shopify_token=settings.shopify_token,
        api_token=settings.api_token,
        **amounts,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="A pretended outside world on loopback."
    )
    parser.add_argument("--seed", type=int, default=DEFAULTS["seed"])
    parser.add_argument("--now", type=_moment, help="when the sample data ends, ISO 8601 (default: now)")
    parser.add_argument("--scale", type=_share_of_many, default=1.0, help="multiplies the amounts not given")
    for name in AMOUNTS:
        parser.add_argument(f"--{name}", type=_amount, metavar="N", help=f"default {DEFAULTS[name]}")
    parser.add_argument("--port", type=int, default=8099, help="0 picks a free one")
    parser.add_argument("--ready-file", type=Path, help="gets the address once the sandbox answers")
    parser.add_argument(
        "--plain-orders", action="store_true", help="three lines and a customer in every order"
    )
    parser.add_argument("--bad-share", type=_share, default=0.0, help="share of records no reader can store")
    parser.add_argument("--latency-ms", type=_amount, default=0)
    parser.add_argument(
        "--cache-mb", type=_amount, default=DEFAULTS["cache_mb"], help="rendered text kept per dataset"
    )
    parser.add_argument(
        "--leak-rate", type=_share_of_many, default=DEFAULTS["leak_rate"], help="the real one: 2"
    )
    parser.add_argument("--shopify-token", default=DEFAULTS["shopify_token"])
    parser.add_argument("--api-token", default=DEFAULTS["api_token"])
    actions = parser.add_subparsers(dest="action")
    writer = actions.add_parser("write-files", help="write the CSV files and end")
    writer.add_argument("folder", type=Path)
    teller = actions.add_parser("offer", help="say how a source reads a provider, and end")
    teller.add_argument("name", help="such as shopify")
    return parser


def _amount(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is below 0")
    return number


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{share} is not between 0 and 1")
    return share


def _share_of_many(text: str) -> float:
    factor = float(text)
    if not 0 < factor < 1_000_000_000:
        raise argparse.ArgumentTypeError(f"{factor} is not above 0")
    return factor


def _moment(text: str) -> int:
    try:
        return stamp_from(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not an ISO 8601 time") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
