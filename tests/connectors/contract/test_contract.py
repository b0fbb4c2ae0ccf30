"""What every room keeps to, by existing: there is nothing to register. Its streams: see test_streams.py."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from connectors import all_connectors, connect
from connectors.base import Access, Connector, FetchRequest
from connectors.describing import describe
from connectors.errors import ConfigError, ConnectorError
from sandbox import SandboxClient
from sandbox.simulators import all_simulators
from tests.connectors.contract.rooms import (
    NOWHERE,
    PAGE_SIZE,
    each_room,
    each_stream,
    fields_of,
    offer_of,
    read,
    room,
    secrets_in,
    shown_by,
)

ROOT = Path(__file__).parents[3]
LONGEST_FILE = 300


# What a room consists of


@each_room
def test_a_room_has_a_simulator_and_a_page_of_documentation(name: str) -> None:
    assert name in all_simulators(), f"sandbox/{name}.py has no SIMULATOR (see sandbox/simulators.py)"
    assert (ROOT / "docs" / "providers" / f"{name}.md").is_file()


@each_room
def test_no_file_of_a_room_is_long(name: str) -> None:
    place = ROOT / "connectors" / "providers" / name
    for file in [*place.rglob("*.py"), *place.parent.glob(f"{name}.py")]:
        assert len(file.read_text().splitlines()) <= LONGEST_FILE, file


# Settings


@each_room
def test_every_setting_is_described(name: str) -> None:
    cls = all_connectors()[name]
    for model in (cls.config_model, *cls.auth_modes):
        silent = [setting for setting, said in fields_of(model) if not said]
        assert not silent, f"{model.__name__}: give these a docstring: {', '.join(silent)}"
        schema = model.model_json_schema()
        for part in (schema, *schema.get("$defs", {}).values()):
            is_open = part.get("type") == "object" and part.get("additionalProperties") is not False
            assert not is_open, f"{model.__name__}: {part['title']} takes settings that nobody knows"


@each_room
def test_the_example_suits_the_settings(name: str) -> None:
    cls = all_connectors()[name]
    cls.config_model.model_validate(dict(cls.example))


@each_room
def test_every_setting_and_stream_is_on_the_page(name: str) -> None:
    cls = all_connectors()[name]
    page = (ROOT / "docs" / "providers" / f"{name}.md").read_text(encoding="utf-8")
    # Settings of one stream may stand at the top level, and that is how pages have them.
    settings = [setting.removeprefix("streams.") for setting, _ in fields_of(cls.config_model)]
    credentials = [setting for mode in cls.auth_modes for setting, _ in fields_of(mode)]
    offered = [stream.name for stream in describe(cls).streams]
    wanted = {*settings, *credentials, *offered} - {"streams"}
    assert [one for one in sorted(wanted) if f"`{one}`" not in page] == []


@each_room
def test_ways_in_have_names_of_their_own(name: str) -> None:
    modes = all_connectors()[name].auth_modes
    assert len({mode.mode for mode in modes}) == len(modes)
    assert all(mode.title for mode in modes)


@each_room
def test_an_unknown_setting_is_named(name: str, outside: SandboxClient) -> None:
    offer = offer_of(name, outside)
    with pytest.raises(ConfigError, match="colour_of_the_sky"):
        connect(
            name,
            config={**offer.config, "colour_of_the_sky": "blue"},
            credentials=offer.credentials,
            access=Access(),
        )


@each_room
def test_settings_that_are_missing_are_a_config_error(name: str) -> None:
    with pytest.raises(ConfigError, match=r"not usable|mode"):
        connect(name, config={}, credentials={}, access=Access())


@each_room
def test_bad_credentials_are_a_config_error(name: str, outside: SandboxClient) -> None:
    bad = offer_of(name, outside).bad_credentials
    with pytest.raises(ConfigError) as refusal, room(name, outside.url, credentials=bad) as connector:
        connector.fetch(connector.streams()[0], FetchRequest())
    assert refusal.value.error_type in {"authentication", "configuration"}
    shown = "\n".join(shown_by(refusal.value))
    assert not [secret for secret in secrets_in(bad) if secret in shown]


@each_room
def test_testing_the_connection_finds_it_good(name: str, outside: SandboxClient) -> None:
    with room(name, outside.url) as connector:
        checks = list(connector.probe())
    assert [check for check in checks if not check.is_ok] == []
    assert len(checks) > 1


# Secrets


@each_stream
def test_no_secret_is_in_any_log_or_error(
    name: str, stream_name: str, outside: SandboxClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = _secrets(name, outside)
    with room(name, outside.url) as connector:
        stream = connector.stream(stream_name)
        shown = [repr(connector), repr(connector.credentials), str(connector.credentials)]
        shown += [str(page) for page in read(connector, stream, page_size=PAGE_SIZE).pages]
        shown += [str(check) for check in connector.probe([stream_name])]
        secrets += _minted(connector)
    with room(name, NOWHERE) as connector:
        shown += _errors(connector, stream_name)
    shown += _logged(caplog)
    assert not [secret for secret in secrets if secret in "\n".join(shown)]


def _secrets(name: str, outside: SandboxClient) -> list[str]:
    credentials = offer_of(name, outside).credentials
    secrets = list(secrets_in(credentials))
    assert secrets or not credentials, "with secrets so short nothing is tested"
    return secrets


def _minted(connector: Connector) -> list[str]:
    token = connector.access.tokens.held() if connector.access.tokens else None
    return [secret for secret in (token.access, token.refresh) if secret] if token else []


def _logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [caplog.text, *(str(record.__dict__) for record in caplog.records)]


def _errors(connector: Connector, stream_name: str) -> list[str]:
    error: BaseException | None = None
    try:
        connector.fetch(connector.stream(stream_name), FetchRequest())
    except ConnectorError as caught:
        error = caught
    assert error is not None, "nobody there has anything for us"
    return shown_by(error)
