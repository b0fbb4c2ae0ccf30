"""The private servers come up, stay themselves, survive what happens to machines, and go."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from tests.local.checkout import Checkout, copy_package


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def pids(checkout: Checkout) -> tuple[int, int]:
    record = checkout.record
    return record["postgres"]["pid"], record["redis"]["pid"]


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with us, of the user the servers run as."""
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    with subprocess.Popen(["/bin/sleep", "600"], user=user.pw_uid) as process:
        yield process
        process.kill()


def test_both_servers_answer_at_the_urls_the_settings_read(running: Checkout) -> None:
    settings = ("fsync", "listen_addresses", "max_connections", "server_encoding", "TimeZone", "autovacuum")
    columns = ", ".join(f"current_setting('{name}')" for name in settings)
    assert running.query(f"SELECT {columns}") == [("on", "127.0.0.1", "100", "UTF8", "UTC", "on")]
    wanted = {
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "bind": "127.0.0.1",
        "protected-mode": "yes",
    }
    with running.redis() as client:
        assert {name: client.config_get(name)[name] for name in wanted} == wanted


def test_the_role_may_make_test_databases_but_is_no_superuser(running: Checkout) -> None:
    assert running.query("SELECT rolcreatedb, rolsuper FROM pg_roles WHERE rolname = current_user") == [
        (True, False)
    ]


def test_without_the_password_nobody_gets_in(running: Checkout) -> None:
    port = running.record["postgres"]["port"]
    for user in ("syncproject", "postgres"):
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(host="127.0.0.1", port=port, user=user, password="guess", dbname="postgres")
    with socket.create_connection(("127.0.0.1", running.record["redis"]["port"])) as line:
        line.sendall(b"PING\r\n")
        assert line.recv(100).startswith(b"-NOAUTH")


def test_passwords_show_in_no_argument_and_no_readable_file(running: Checkout) -> None:
    record = running.record
    arguments = " ".join(part for pid in pids(running) for part in psutil.Process(pid).cmdline())
    assert record["postgres"]["password"] not in arguments
    assert record["redis"]["password"] not in arguments
    assert (running.folder / ".local" / "servers.json").stat().st_mode & 0o777 == 0o600
    assert (running.folder / ".local").stat().st_mode & 0o007 == 0


def test_down_stops_both_and_leaves_data_and_addresses(checkout: Checkout) -> None:
    checkout("up")
    checkout.query("CREATE TABLE kept_0 AS SELECT 42 AS answer")
    with checkout.redis() as client:
        client.rpush("queue", "message")
    before, addresses = pids(checkout), (checkout.url("database_url"), checkout.url("redis_url"))

    checkout("down")
    assert not any(alive(pid) for pid in before)
    assert "Redis is not running" in checkout("status")

    checkout("up")
    assert (checkout.url("database_url"), checkout.url("redis_url")) == addresses
    assert checkout.query("SELECT answer FROM kept_0") == [(42,)]
    with checkout.redis() as client:
        assert client.llen("queue") == 1


def test_up_again_changes_nothing(checkout: Checkout) -> None:
    checkout("up")
    before = checkout.record
    checkout("up")
    assert checkout.record == before


def test_two_ups_at_once_start_one_of_each(checkout: Checkout) -> None:
    with checkout.start("up") as first, checkout.start("up") as second:
        outputs = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert outputs[0] == outputs[1]
    found = [process for process in psutil.process_iter(["cmdline"]) if _serves(process, checkout.folder)]
    assert {process.pid for process in found} == {checkout.record["postgres"]["pid"]}


def _serves(process: psutil.Process, folder: Path) -> bool:
    arguments = process.info["cmdline"] or []
    return f"{folder}/.local/postgres" in arguments


def test_killed_servers_come_up_with_what_was_committed(checkout: Checkout) -> None:
    checkout("up")
    checkout.query("CREATE TABLE kept_1 AS SELECT 42 AS answer")
    killed = pids(checkout)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)

    checkout("up")
    assert not set(pids(checkout)) & set(killed)
    assert checkout.query("SELECT answer FROM kept_1") == [(42,)]


def test_a_process_that_got_our_old_number_is_left_alone(
    checkout: Checkout, bystander: subprocess.Popen[bytes]
) -> None:
    """As after a reboot: the numbers in the record and in postmaster.pid belong to somebody else now."""
    checkout("up")
    for pid in pids(checkout):
        os.kill(pid, signal.SIGKILL)
    record = checkout.record
    record["postgres"]["pid"] = record["redis"]["pid"] = bystander.pid
    checkout.write_record(record)
    noted = checkout.folder / ".local" / "postgres" / "postmaster.pid"
    lines = noted.read_text().splitlines()
    noted.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")

    assert "was not running" in checkout("down")
    assert bystander.poll() is None
    checkout("up")
    assert checkout.query("SELECT 1") == [(1,)]
    assert bystander.poll() is None


def test_a_port_taken_in_the_meantime_is_given_up(checkout: Checkout) -> None:
    checkout("up")
    checkout("down")
    ports = checkout.record["postgres"]["port"], checkout.record["redis"]["port"]
    with socket.create_server(("127.0.0.1", ports[0])), socket.create_server(("127.0.0.1", ports[1])):
        checkout("up")
    assert checkout.record["postgres"]["port"] not in ports
    assert checkout.record["redis"]["port"] not in ports
    assert checkout.query("SELECT 1") == [(1,)]


def test_a_lost_record_costs_new_passwords_and_no_data(checkout: Checkout) -> None:
    checkout("up")
    checkout.query("CREATE TABLE kept_2 AS SELECT 42 AS answer")
    checkout("down")
    (checkout.folder / ".local" / "servers.json").unlink()

    checkout("up")
    assert checkout.query("SELECT answer FROM kept_2") == [(42,)]


def test_a_copy_of_the_project_does_not_touch_the_original(checkout: Checkout, tmp_path: Path) -> None:
    checkout("up")
    copy = Checkout(tmp_path / "copy")
    copy_package(copy.folder)
    (copy.folder / ".local").mkdir(mode=0o700)
    shutil.copy(checkout.folder / ".local" / "servers.json", copy.folder / ".local" / "servers.json")

    assert "was not running" in copy("down")
    assert copy.url("database_url") == "None"
    assert all(alive(pid) for pid in pids(checkout))


@pytest.mark.parametrize("source", ["environment", ".env"])
def test_given_servers_are_used_and_none_started(checkout: Checkout, source: str) -> None:
    given = {"DATABASE_URL": "postgres://a:b@elsewhere/c", "REDIS_URL": "redis://elsewhere"}
    if source == ".env":
        (checkout.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
        given = {}
    output = checkout("up", **given)
    assert "DATABASE_URL is set" in output
    assert "REDIS_URL is set" in output
    assert pids(checkout) == (0, 0)


def test_a_machine_without_wheels_is_told_which_variable_to_set(checkout: Checkout) -> None:
    # The interpreter below the virtual environment knows nothing of what is installed in that.
    bare = Checkout(checkout.folder, python=str(Path(sys._base_executable)), environment={"PYTHONPATH": ""})  # type: ignore[attr-defined]
    code, output = bare.attempt("up")
    assert code == 1
    assert "Set DATABASE_URL to a server of your own" in output
    assert "Traceback" not in output


def test_an_ordinary_user_has_everything_in_the_project(ordinary_checkout: Checkout) -> None:
    ordinary_checkout("up")
    assert ordinary_checkout.query("SELECT 1") == [(1,)]
    owner = (ordinary_checkout.folder / ".local" / "postgres").stat().st_uid
    assert {psutil.Process(pid).uids().real for pid in pids(ordinary_checkout)} == {owner}
    assert owner != 0
    assert (ordinary_checkout.folder / ".local").stat().st_mode & 0o777 == 0o700
