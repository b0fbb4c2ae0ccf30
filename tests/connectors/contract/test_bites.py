"""The contract suite can fail: a room that breaks its word is caught, whichever word it is."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ConfigDict, SecretStr

from connectors.base import AuthMode, Config, FetchRequest, Page, Stream
from connectors.checks import Check
from connectors.errors import AuthenticationError, MissingScope, TransientError
from tests.connectors.contract import rooms, small
from tests.connectors.contract import test_contract as contract
from tests.connectors.contract import test_secrets as secrets
from tests.connectors.contract import test_streams as streams
from tests.connectors.contract.small import CAUGHT, KEY, Run, Small, SmallKey, room_with, with_pages
from tests.connectors.contract.test_stream_bites import BROKEN_STREAMS

CHECKS = [
    check
    for module in (contract, secrets, streams)
    for name, check in sorted(vars(module).items())
    if name.startswith("test_")
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("test_"))
def test_a_room_that_keeps_its_word_passes(check: Callable[..., None], run: Run) -> None:
    run(check, Small)


# What a room consists of


@pytest.mark.parametrize("page", [None, "`base_url` `orders` `order_lines`", "`base_url` `key` `orders`"])
def test_a_room_that_is_not_documented_is_caught(page: str | None, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "docs" / "providers" / "small.md"
    check = contract.test_every_setting_and_stream_is_on_the_page
    if page is None:
        file.unlink()
        check = contract.test_a_room_has_a_simulator_and_a_page_of_documentation
    else:
        file.write_text(page)
    with pytest.raises(CAUGHT):
        run(check, Small)


def test_a_room_without_a_simulator_is_caught(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    check = contract.test_a_room_has_a_simulator_and_a_page_of_documentation
    run(check, Small)
    monkeypatch.setattr(contract, "all_simulators", dict)
    with pytest.raises(AssertionError, match="no SIMULATOR"):
        check("small")


@pytest.mark.parametrize("place", ["small.py", "small/listing.py"])
def test_a_long_file_is_caught(place: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "connectors" / "providers" / place
    file.parent.mkdir(parents=True)
    file.write_text("pass\n" * 301)
    with pytest.raises(AssertionError, match=file.name):
        run(contract.test_no_file_of_a_room_is_long, Small)


# Settings


class Undescribed(Config):
    base_url: str


class OpenToAll(small.SmallConfig):
    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)


class Contented(Config):
    base_url: str = small.URL
    """Where it answers."""


class Keyless(AuthMode):
    mode = "key"
    title = "None"

    key: SecretStr = SecretStr("")
    """What lets us in."""


class Nameless(SmallKey):
    mode = "other"
    title = ""


BROKEN_SETTINGS = {
    "a setting without a word": (
        room_with(config_model=Undescribed),
        contract.test_every_setting_is_described,
    ),
    "settings that may be anything": (
        room_with(config_model=OpenToAll),
        contract.test_every_setting_is_described,
    ),
    "settings that nobody checks": (
        room_with(config_model=OpenToAll),
        contract.test_an_unknown_setting_is_named,
    ),
    "an example that does not work": (
        room_with(example={"url": small.URL}),
        contract.test_the_example_suits_the_settings,
    ),
    "two ways in of one name": (
        room_with(auth_modes=(SmallKey, Keyless)),
        contract.test_ways_in_have_names_of_their_own,
    ),
    "a way in without a title": (
        room_with(auth_modes=(SmallKey, Nameless)),
        contract.test_ways_in_have_names_of_their_own,
    ),
    "nothing is needed": (
        room_with(config_model=Contented, auth_modes=(Keyless,)),
        contract.test_settings_that_are_missing_are_a_config_error,
    ),
}


@pytest.mark.parametrize(("room", "check"), BROKEN_SETTINGS.values(), ids=BROKEN_SETTINGS)
def test_settings_that_break_the_contract_are_caught(
    room: type[Small], check: Callable[..., None], run: Run
) -> None:
    with pytest.raises(CAUGHT):
        run(check, room)


# Credentials and secrets


def raising(error: Callable[[str], Exception], *, only_for: str = "") -> type[Small]:
    """Return the room that fails with what `error` makes of its key."""

    def fetch(self: Small, stream: Stream, request: FetchRequest) -> Page:
        key = self.credentials.key.get_secret_value()
        if only_for in {"", key}:
            raise error(key)
        return Small.fetch(self, stream, request)

    return room_with(fetch=fetch)


def caused(key: str) -> Exception:
    error = TransientError("small: nobody there")
    error.__cause__ = OSError(f"http://small.example?key={key}")
    return error


def scopeless(key: str) -> Exception:
    return MissingScope("small: not for this", needed=(key,))


def in_base64(key: str) -> Exception:
    return TransientError(f"small: no to {base64.b64encode(b'ann:' + key.encode()).decode()}")


def anyone(self: Small, stream: Stream, request: FetchRequest) -> Page:
    return Page(records=self.listed(stream))


def logs(self: Small, stream: Stream, request: FetchRequest) -> Page:
    logging.getLogger("small").debug("asking with %s", self.credentials.key.get_secret_value())
    return Small.fetch(self, stream, request)


def says_key(self: Small) -> str:
    return f"Small({self.credentials.key.get_secret_value()})"


def tells_key(self: Small, *_: Any) -> Any:
    yield Check(name="data", seconds=0.0, is_ok=True, told=self.credentials.key.get_secret_value())


def fails_its_test(self: Small, *_: Any) -> Any:
    yield Check(name="credentials", seconds=0.0, is_ok=True, told="Key")
    yield Check(name="data: orders", seconds=0.0, is_ok=False, told="no")


def with_key_in_cursor(page: Page, request: FetchRequest, room: Small) -> Page:
    if page.next_cursor is None or request.cursor is not None:
        return page
    return replace(page, stream_state={"key": room.credentials.key.get_secret_value()})


REFUSED, SHOWN, SAID_BACK, NOBODY = (
    contract.test_bad_credentials_are_a_config_error,
    contract.test_no_secret_is_in_any_log_or_error,
    secrets.test_no_secret_is_shown_though_the_provider_says_it_back,
    secrets.test_no_secret_is_shown_where_nobody_answers,
)
BROKEN_LOCKS = {
    "anyone is let in": (room_with(fetch=anyone), REFUSED),
    "a refusal looks as if it would pass": (raising(lambda _: TransientError("busy")), REFUSED),
    "a refusal shows the key": (raising(AuthenticationError), REFUSED),
    "a test of the connection fails": (
        room_with(probe=fails_its_test),
        contract.test_testing_the_connection_finds_it_good,
    ),
    "a test of the connection tries nothing": (
        room_with(probe=lambda self, *_: iter(())),
        contract.test_testing_the_connection_finds_it_good,
    ),
    "the room shows its key": (room_with(__repr__=says_key), SHOWN),
    "a log shows the key": (room_with(fetch=logs), SHOWN),
    "a test shows the key": (room_with(probe=tells_key), SHOWN),
    "a state holds the key": (with_pages(with_key_in_cursor), SHOWN),
    "an error shows the key": (raising(TransientError), SAID_BACK),
    "the cause of an error shows the key": (raising(caused), SAID_BACK),
    "an error where nobody answers shows the key": (raising(TransientError), NOBODY),
    "a log where nobody answers shows the key": (room_with(fetch=logs), NOBODY),
    "a missing scope shows the key": (raising(scopeless), SAID_BACK),
    "the key is shown in base64": (raising(in_base64), SAID_BACK),
    "nobody is told of an error": (room_with(fetch=anyone), SAID_BACK),
}


@pytest.mark.parametrize(("room", "check"), BROKEN_LOCKS.values(), ids=BROKEN_LOCKS)
def test_doors_that_break_the_contract_are_caught(
    room: type[Small], check: Callable[..., None], run: Run
) -> None:
    with pytest.raises(CAUGHT):
        run(check, room)


def test_an_error_where_nobody_answers_is_looked_at_too(run: Run) -> None:
    def fetch(self: Small, stream: Stream, request: FetchRequest) -> Page:
        if self.config.base_url == rooms.NOWHERE:
            raise TransientError(f"small: {KEY} did not help")
        return Small.fetch(self, stream, request)

    with pytest.raises(AssertionError):
        run(SHOWN, room_with(fetch=fetch))


def test_secrets_too_short_to_be_looked_for_are_caught(run: Run) -> None:
    with pytest.raises(AssertionError, match="nothing is tested"):
        run(SHOWN, Small, credentials={"mode": "key", "key": "abc"})


def test_every_check_is_shown_to_bite() -> None:
    broken = {*BROKEN_SETTINGS.values(), *BROKEN_LOCKS.values(), *BROKEN_STREAMS.values()}
    shown = {check for _, check in broken} | {
        contract.test_a_room_has_a_simulator_and_a_page_of_documentation,
        contract.test_every_setting_and_stream_is_on_the_page,
        contract.test_no_file_of_a_room_is_long,
    }
    assert [check.__name__ for check in CHECKS if check not in shown] == []
