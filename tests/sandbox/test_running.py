"""Starting and stopping the sandbox, and the door for control."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import requests

from sandbox import SandboxClient, SandboxError, running
from sandbox.__main__ import main
from sandbox.control import Control
from sandbox.messages import Request
from sandbox.options import Options
from sandbox.world import World
from tests.sandbox.conftest import NOW, SMALL

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_process_says_where_it_is_and_stops_at_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "url"
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--scale", "0.01", "--ready-file", str(ready)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = ready.read_text().strip()
        assert line == f"sandbox ready at {url}\n"
        assert SandboxClient(url).ledger("shopify.orders")["expected"]["count"] == 80
        process.send_signal(number)
        assert process.wait(timeout=10) == 0


def test_taken_port_is_an_error_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    with running(now=NOW, **SMALL) as world:
        port = world.url.rsplit(":", 1)[1]
        assert main(["--port", port, "--scale", "0.01"]) == 1
    assert f"127.0.0.1:{port}" in capsys.readouterr().err


def test_how_a_source_reads_a_provider_is_said_as_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--port", "8123", "offer", "apollo"]) == 0
    hosts, command = capsys.readouterr().out.splitlines()
    assert hosts == "export SYNC_PRIVATE_HOSTS=127.0.0.1:8123"
    _, credentials, *_, config, _, _ = shlex.split(command)
    assert json.loads(credentials) == {"api_key": "apollo-sandbox-master"}
    assert json.loads(config)["base_url"] == "http://127.0.0.1:8123/apollo/api/v1"
    assert main(["offer", "nobody"]) == 1
    assert "shopify" in capsys.readouterr().err


@pytest.mark.parametrize("argument", [["--orders", "-1"], ["--bad-share", "2"], ["--now", "noon"]])
def test_senseless_argument_is_refused(argument: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(argument)


def test_stopping_leaves_no_thread_though_connections_are_open(http: requests.Session) -> None:
    before = threading.active_count()
    with running(now=NOW, **SMALL) as world:
        http.get(f"{world.url}/files/music.csv")
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_stopping_does_not_wait_for_slow_answers(http: requests.Session) -> None:
    failures: list[Exception] = []

    def read() -> None:
        try:
            http.get(f"{world.url}/files/music.csv", timeout=30)
        except requests.RequestException as error:
            failures.append(error)

    with running(now=NOW, **SMALL) as world:
        world.misbehave("/files", "drip", milliseconds=60_000)
        reader = threading.Thread(target=read)
        reader.start()
        while not world.requests()["total"]:
            pass
    reader.join(timeout=10)
    assert not reader.is_alive()
    assert failures


def test_connection_is_kept_alive(world: SandboxClient, http: requests.Session) -> None:
    first = http.get(f"{world.url}/files/music.csv", stream=True)
    socket = _socket(first)
    assert first.content
    again = http.get(f"{world.url}/files/catalog.csv", stream=True)
    assert _socket(again) is socket
    again.close()


def _socket(answer: requests.Response) -> object:
    assert answer.raw.connection is not None
    return answer.raw.connection.sock


def test_unknown_path_and_method_are_refused(world: SandboxClient, http: requests.Session) -> None:
    assert http.get(f"{world.url}/nowhere").status_code == 404
    assert http.delete(f"{world.url}/files/music.csv").status_code == 405
    assert http.head(f"{world.url}/files/music.csv").headers["Content-Length"] != "0"


def test_control_door_is_shut_for_callers_from_elsewhere() -> None:
    control = Control(World(Options(now=NOW, **SMALL)))
    for client, status in (("127.0.0.1", 200), ("::1", 200), ("192.168.1.9", 403)):
        request = Request(
            method="GET", path="/_sandbox/requests", query={}, headers={}, body=b"", origin="", client=client
        )
        assert control.answer(request).status == status


def test_unknown_dataset_names_the_known_ones(world: SandboxClient) -> None:
    with pytest.raises(SandboxError, match=r"no dataset 'x'; there are .*shopify\.customers"):
        world.ledger("x")


def test_large_world_keeps_only_as_much_text_as_it_may(http: requests.Session) -> None:
    with running(now=NOW, cache_mb=0, **SMALL) as world:
        pages = [http.get(f"{world.url}/files/music.csv").content for _ in range(2)]
        assert pages[0] == pages[1]
        assert world.ledger("files.music", full=True)["expected"]["count"] == 120
