"""What every room keeps to, by existing: there is nothing to register."""

from __future__ import annotations

import logging
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from connectors import all_connectors, connect, exact_json
from connectors.base import MAX_ID_LENGTH, Access, FetchRequest
from connectors.errors import ConfigError, ConnectorError
from connectors.kinds import KINDS, Kind
from sandbox import SandboxClient
from sandbox.simulators import all_simulators
from tests.connectors.contract.rooms import (
    ROOMS,
    Pass,
    fetch,
    fields_of,
    offer_of,
    read,
    room,
    secrets_in,
    streams,
)

STREAMS = streams()
ROOT = Path(__file__).parents[3]
LONGEST_FILE = 300
PAGE_SIZE = 10

each_room = pytest.mark.parametrize("name", ROOMS)
each_stream = pytest.mark.parametrize(("name", "stream_name"), STREAMS, ids=[f"{a}-{b}" for a, b in STREAMS])


def full_pass(name: str, stream_name: str, outside: SandboxClient, **request: Any) -> Pass:
    with room(name, outside.url) as connector:
        return read(connector, connector.stream(stream_name), **{"page_size": PAGE_SIZE, **request})


def refined(name: str, stream_name: str, found: Pass) -> list[Kind]:
    with room(name, "http://127.0.0.1:1") as connector:
        refine = connector.stream(stream_name).refine
        return [refine(exact_json.loads(record.body)) for record in found.records if not record.problem]


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
        assert model.model_json_schema()["additionalProperties"] is False


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
    assert not [secret for secret in secrets_in(bad) if secret in str(refusal.value)]


@each_room
def test_testing_the_connection_finds_it_good(name: str, outside: SandboxClient) -> None:
    with room(name, outside.url) as connector:
        checks = list(connector.probe())
    assert [check for check in checks if not check.is_ok] == []
    assert len(checks) > 1


# Streams


@each_room
def test_streams_have_kinds_and_names_of_their_own(name: str, outside: SandboxClient) -> None:
    with room(name, outside.url) as connector:
        offered = connector.streams()
        assert {stream.kind for stream in offered} <= KINDS.keys()
        assert len({stream.name for stream in offered}) == len(offered) > 0
        assert all(stream.ways and set(stream.ways) <= {"poll", "report", "export"} for stream in offered)
        with pytest.raises(KeyError):
            connector.stream("no such stream")


@each_stream
def test_a_stream_has_records_with_ids_of_their_own(
    name: str, stream_name: str, outside: SandboxClient
) -> None:
    found = full_pass(name, stream_name, outside)
    ids = [record.external_id for record in found.records]
    assert [record.problem for record in found.records if record.problem] == []
    assert ids
    assert all(0 < len(one) <= MAX_ID_LENGTH for one in ids)
    assert len(set(ids)) == len(ids), "the same record came twice in one pass"
    assert all(record.updated_at is None or record.updated_at.tzinfo for record in found.records)


@each_stream
def test_every_record_refines(name: str, stream_name: str, outside: SandboxClient) -> None:
    found = full_pass(name, stream_name, outside)
    with room(name, outside.url) as connector:
        kind = connector.stream(stream_name).kind
    kinds = refined(name, stream_name, found)
    assert {type(one).kind for one in kinds} == {kind}
    assert len(kinds) == len(found.records)
    for one in kinds:
        _check(one)
        for field, child_kind in type(one).children.items():
            children = getattr(one, field) or ()
            assert {type(child).kind for child in children} <= {child_kind}
            assert len({child.external_id for child in children}) == len(children)
            for child in children:
                _check(child)


def _check(one: Kind) -> None:
    assert one.external_id
    for field, value in structs.asdict(one).items():
        assert not isinstance(value, float), f"{field}: money and quantities are exact"
        is_local = getattr(value, "tzinfo", "zone") is None
        assert not is_local, f"{field}: a time without a zone"
        if field == "currency" and value is not None:
            assert len(value) == 3
            assert value.isupper()


@each_stream
def test_refining_keeps_the_id_and_the_time(name: str, stream_name: str, outside: SandboxClient) -> None:
    found = full_pass(name, stream_name, outside)
    for record, kind in zip(found.records, refined(name, stream_name, found), strict=True):
        assert kind.external_id == record.external_id
        assert kind.updated_at in {record.updated_at, None}


@each_stream
def test_two_full_passes_give_identical_rows(name: str, stream_name: str, outside: SandboxClient) -> None:
    first = full_pass(name, stream_name, outside)
    second = full_pass(name, stream_name, outside, page_size=PAGE_SIZE + 7)
    assert first.rows == second.rows
    assert refined(name, stream_name, first) == refined(name, stream_name, first)


@each_stream
def test_an_interrupted_pass_resumes_equal(name: str, stream_name: str, outside: SandboxClient) -> None:
    whole = full_pass(name, stream_name, outside)
    for place in sorted({1, len(whole.cursors) // 2, len(whole.cursors) - 1} - {0}):
        before = [record for page in whole.pages[:place] for record in page.records]
        if place >= len(whole.cursors):
            continue
        # A new process knows the cursor and nothing else.
        after = full_pass(name, stream_name, outside, cursor=whole.cursors[place])
        assert {one.external_id: one.body for one in [*before, *after.records]} == whole.rows


@each_stream
def test_no_cursor_comes_twice(name: str, stream_name: str, outside: SandboxClient) -> None:
    cursors = full_pass(name, stream_name, outside).cursors
    assert len(set(cursors)) == len(cursors)
    assert all(one != other for one, other in pairwise(cursors))


@each_stream
def test_a_window_leaves_nothing_out(name: str, stream_name: str, outside: SandboxClient) -> None:
    with room(name, outside.url) as connector:
        if not connector.stream(stream_name).is_incremental:
            pytest.skip("it lists everything each time")
    whole = full_pass(name, stream_name, outside)
    times = sorted(record.updated_at for record in whole.records if record.updated_at)
    assert len(times) == len(whole.records), "without a time of change there is no window"
    start = times[len(times) // 2]
    wanted = {one.external_id for one in whole.records if one.updated_at and one.updated_at >= start}
    inside = full_pass(name, stream_name, outside, window_start=start)
    assert wanted <= set(inside.rows)
    last = times[-1] + timedelta(days=400)
    assert len(full_pass(name, stream_name, outside, window_start=last).records) < len(whole.records)


@each_stream
def test_a_page_may_be_asked_to_hold_more_than_the_provider_gives(
    name: str, stream_name: str, outside: SandboxClient
) -> None:
    if "streams" in all_connectors()[name].config_model.model_fields:
        pytest.skip("people who describe an API say how long its pages may be")
    assert full_pass(name, stream_name, outside, page_size=100_000).rows


# Secrets


@each_stream
def test_no_secret_is_in_any_log_or_error(
    name: str, stream_name: str, outside: SandboxClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secrets = list(secrets_in(offer_of(name, outside).credentials))
    shown: list[str] = []
    with room(name, outside.url) as connector:
        stream = connector.stream(stream_name)
        shown += [repr(connector), repr(connector.credentials), str(connector.credentials)]
        shown.append(repr(fetch(connector, stream, FetchRequest(page_size=PAGE_SIZE)).next_cursor))
        shown += [str(check) for check in connector.probe([stream_name])]
    with room(name, "http://127.0.0.1:9") as connector:
        shown += _errors(connector, stream_name)
    shown += [caplog.text, *(str(record.__dict__) for record in caplog.records)]
    assert not [secret for secret in secrets if secret in "\n".join(shown)]


def _errors(connector: Any, stream_name: str) -> list[str]:
    shown: list[str] = []
    error: BaseException | None = None
    try:
        connector.fetch(connector.stream(stream_name), FetchRequest())
    except ConnectorError as caught:
        error = caught
    assert error is not None, "there is nobody at that address"
    while error is not None:
        shown += [str(error), repr(error), repr(error.args)]
        error = error.__cause__ or error.__context__
    return shown
