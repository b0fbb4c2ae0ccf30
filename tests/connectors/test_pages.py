"""Cutting an answer into records: exact, and one bad record costs one record."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import exact_json
from connectors.base import SourceRecord
from connectors.errors import BadResponse, SchemaError
from connectors.pages import RecordList, split_records


def split(body: bytes, path: str = "", id_path: str = "id", content_type: str = "") -> RecordList:
    return split_records(
        body,
        path=path,
        id_path=id_path,
        updated_path="updated_at",
        connector="shop",
        content_type=content_type,
    )


def ids(listed: RecordList) -> list[str]:
    return [record.external_id for record in listed.records]


def only_problem(listed: RecordList) -> SourceRecord:
    [broken] = [record for record in listed.records if record.problem]
    return broken


def test_records_keep_the_bytes_that_were_received() -> None:
    listed = split(
        b'{"data": {"items": [{"id" : 1, "price": 1.10}, {"id":"b","x":"\xc3\xa9"}]}}', "data.items"
    )
    assert [record.body for record in listed.records] == [
        b'{"id" : 1, "price": 1.10}',
        b'{"id":"b","x":"\xc3\xa9"}',
    ]
    assert [record.position for record in listed.records] == ["record 1 of the page", "record 2 of the page"]


def test_envelope_is_everything_around_the_list() -> None:
    body = b'{"data": {"items": [{"id": 1}], "next": "abc"}, "total": 9007199254740993, "rate": 0.1}'
    listed = split(body, "data.items")
    assert listed.envelope["data"] == {"next": "abc"}
    assert listed.envelope["total"] == 9007199254740993
    assert str(listed.envelope["rate"]) == "0.1"


def test_bare_list_has_no_envelope() -> None:
    assert split(b'[{"id": 1}]').envelope == {}


@pytest.mark.parametrize(
    ("written", "external_id"),
    [
        (b"1", "1"),
        (b'"1"', "1"),
        (b'" 1 "', " 1 "),
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
        (b"9007199254740993", "9007199254740993"),
        (b"-5", "-5"),
        (b"0", "0"),
        (b'"caf\xc3\xa9"', "café"),
        (b'"cafe\\u0301"', "cafe\u0301"),
        (b'"A"', "A"),
        (b"9223372036854775807", "9223372036854775807"),
        (b"-9223372036854775809", "-9223372036854775809"),
        (b'"' + "é".encode() * 255 + b'"', "é" * 255),
    ],
)
def test_ids_are_exact_text(written: bytes, external_id: str) -> None:
    assert ids(split(b'[{"id": ' + written + b"}]")) == [external_id]


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (b"{}", "no id at 'id'"),
        (b'{"id": null}', "no id at 'id'"),
        (b'{"id": ""}', "no id at 'id'"),
        (b'{"id": true}', "neither text nor a whole number"),
        (b'{"id": 1.5}', "neither text nor a whole number"),
        (b'{"id": 1.0}', "neither text nor a whole number"),
        (b'{"id": [1]}', "neither text nor a whole number"),
        (b'{"id": "' + b"x" * 300 + b'"}', "has 300 characters"),
        (b'{"id": 2, "name": "a\\u0000b"}', "NUL"),
        (b'{"id": "\\u0000"}', "NUL"),
        (b'{"id": 2, "name": "\xe9"}', "utf-8"),
        (b'{"id": 2, "n": ' + b"7" * 5000 + b"}", "out of range"),
        (b'{"id": 2, "n": NaN}', "NaN"),
        (b'{"id": 2, "n": -Infinity}', "NaN"),
        (b'{"id": 2, "name": "\\ud83d"}', "surrogate"),
        (b"3", "found a number"),
        (b"null", "found null"),
        (b"[]", "found a list"),
        (b'"x"', "found a text"),
    ],
)
def test_one_bad_record_costs_one_record(record: bytes, problem: str) -> None:
    good = [b'{"id": "g%d", "price": 1.50}' % number for number in range(499)]
    listed = split(b"[" + b",".join([*good[:200], record, *good[200:]]) + b"]")
    assert len(listed.records) == 500
    broken = only_problem(listed)
    assert problem in broken.problem
    assert broken.position == "record 201 of the page"
    assert json.loads(broken.body) is not Ellipsis
    assert [r.external_id for r in listed.records if not r.problem] == [f"g{number}" for number in range(499)]


def test_a_bad_record_keeps_its_id_where_that_can_be_read() -> None:
    for member in (b'"n": NaN', b'"n": "\\u0000"', b'"n": ' + b"7" * 5000):
        assert only_problem(split(b'[{"id": 42, ' + member + b"}]")).external_id == "42"


def test_the_body_of_an_unreadable_record_shows_what_stood_there() -> None:
    broken = only_problem(split(b'[{"id": 1, "n": NaN, "m": ' + b"7" * 5000 + b"}]"))
    assert json.loads(broken.body) == {"id": 1, "n": "NaN", "m": "7" * 5000}


def test_good_records_beside_a_broken_one_stay_exact() -> None:
    listed = split(b'[{"id": 1, "n": NaN}, {"id": 2, "price": 0.10, "big": 9007199254740993.000000001}]')
    assert listed.records[1].body == b'{"id":2,"price":0.10,"big":9007199254740993.000000001}'


def test_an_escaped_backslash_before_u0000_is_innocent() -> None:
    assert split(b'[{"id": 1, "path": "C:\\\\u0000"}]').records[0].problem == ""


def test_a_long_text_of_digits_is_innocent() -> None:
    listed = split(b'[{"id": 1, "text": "' + b"7" * 5000 + b'"}]')
    assert listed.records[0].problem == ""


@given(filling=st.sampled_from([b"x", b"7"]), padding=st.integers(0, 3_000), digits=st.integers(4_301, 9_000))
def test_a_huge_number_is_found_wherever_it_stands(filling: bytes, padding: int, digits: int) -> None:
    body = b'[{"id": 1, "text": "' + filling * padding + b'", "n": ' + b"7" * digits + b"}]"
    assert only_problem(split(body)).external_id == "1"


@given(
    st.lists(
        st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
            st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
        )
    )
)
def test_no_record_is_ever_lost_or_changed(payloads: list[dict[str, object]]) -> None:
    records = [{**payload, "id": number} for number, payload in enumerate(payloads)]
    for ensure_ascii in (True, False):
        listed = split(json.dumps({"data": records}, ensure_ascii=ensure_ascii).encode(), "data")
        assert [json.loads(record.body) for record in listed.records] == records
        assert ids(listed) == [str(record["id"]) for record in records]


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        (b'"2026-01-02T03:04:05Z"', datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (b'"2026-01-01T22:04:05-05:00"', datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (b'"2026-01-02 03:04:05"', datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (b'"2026-01-02"', datetime(2026, 1, 2, tzinfo=UTC)),
        (b"1767323045", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (b'"Fri, 02 Jan 2026 03:04:05 GMT"', datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (b"null", None),
        (b'""', None),
        (b'"yesterday"', None),
        (b'"0001-01-01T00:00:00+14:00"', None),
        (b"{}", None),
        (b"1e999", None),
    ],
)
def test_time_of_change_is_read_where_it_can_be(written: bytes, moment: datetime | None) -> None:
    [record] = split(b'[{"id": 1, "updated_at": ' + written + b"}]").records
    assert (record.updated_at, record.problem) == (moment, "")
    assert record.updated_at is None or record.updated_at.tzinfo is UTC


def test_a_time_without_a_zone_is_utc_wherever_we_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("TZ", "America/New_York")
        time.tzset()
        [record] = split(b'[{"id": 1, "updated_at": "2026-01-02T03:04:05"}]').records
    time.tzset()
    assert record.updated_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_id_and_time_may_be_nested() -> None:
    listed = split_records(
        b'[{"meta": {"id": 7, "at": "2026-01-02T03:04:05Z"}}, {"meta": null}]',
        path="",
        id_path="meta.id",
        updated_path="meta.at",
        connector="shop",
    )
    assert listed.records[0].external_id == "7"
    assert listed.records[0].updated_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert listed.records[1].problem == "no id at 'meta.id'"


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        (b"", BadResponse, "empty where JSON was due"),
        (b"  \n", BadResponse, "empty where JSON was due"),
        (b"<!DOCTYPE html><title>Log in</title>", BadResponse, "HTML or XML where JSON was due"),
        (b'{"data": {"items": [{"id": 1}, {"i', BadResponse, "not readable as JSON"),
        (b"not found", BadResponse, "not readable as JSON"),
        (b"[" * 100_000, BadResponse, "nested too deeply"),
        (b'{"data": ' * 50_000, BadResponse, "nested too deeply"),
        (b'{"error": "no such shop"}', SchemaError, "no 'data' as the whole answer: found 'error'"),
        (b"{}", SchemaError, "found nothing"),
        (b'{"data": {"rows": []}}', SchemaError, "no 'items' at 'data': found 'rows'"),
        (b'{"data": {"items": null}}', SchemaError, "no list of records at 'data.items': found null"),
        (b'{"data": {"items": {"a": 1}}}', SchemaError, "at 'data.items': found an object"),
        (b'{"data": []}', SchemaError, "no object at 'data': found a list"),
        (b"[]", SchemaError, "no object as the whole answer: found a list"),
    ],
)
def test_an_answer_without_the_list_is_named(body: bytes, error: type[SchemaError], message: str) -> None:
    with pytest.raises(SchemaError, match=f"^shop: .*{message}") as caught:
        split(body, "data.items")
    assert type(caught.value) is error
    assert not vars(caught.value), "what an answer holds goes nowhere but into the message"


def test_every_truncation_is_noticed() -> None:
    whole = b'{"data": {"items": [{"id": 1, "n": 12}, {"id": 2}]}, "total": 2}'
    for length in range(len(whole)):
        with pytest.raises(BadResponse):
            split(whole[:length], "data.items")


def test_byte_order_mark_is_tolerated() -> None:
    assert ids(split(b'\xef\xbb\xbf[{"id": 1}]')) == ["1"]


@pytest.mark.parametrize("charset", ["iso-8859-1", '"ISO-8859-1"', "windows-1252"])
def test_declared_charset_is_honoured(charset: str) -> None:
    [record] = split(
        '[{"id": "café"}]'.encode("latin-1"), content_type=f"application/json; charset={charset}"
    ).records
    assert (record.external_id, record.body) == ("café", '{"id": "café"}'.encode())


@pytest.mark.parametrize(
    ("body", "charset"), [(b"[]", "klingon"), (b'[{"id": "\xff\xfe\xfd"}]', "utf-16"), (b"\x81", "cp1252")]
)
def test_a_body_that_is_not_in_its_declared_charset_is_refused(body: bytes, charset: str) -> None:
    with pytest.raises(BadResponse, match=f"declared charset {charset}"):
        split(body, content_type=f"application/json; charset={charset}")


def test_bad_bytes_are_shown_and_never_replaced_in_silence() -> None:
    broken = only_problem(split(b'[{"id": 1, "name": "caf\xe9"}]', content_type="application/json"))
    assert "caf\\xe9" in json.loads(broken.body)


def test_a_nul_around_the_list_does_not_cost_the_page() -> None:
    assert ids(split(b'{"note": "\\u0000", "data": [{"id": 1}]}', "data")) == ["1"]


def test_good_records_can_be_hashed() -> None:
    for record in split(b'[{"id": 1, "n": NaN}, {"id": 2, "a": 1.0}, {"id": 3}]').records[1:]:
        assert len(exact_json.canonical_hash(record.body)) == 32


def test_records_of_a_plain_page_are_read_at_the_first_look_and_once() -> None:
    records = split(b'[{"id": 1, "updated_at": "yesterday"}, {"id": 2}, 3]').records
    assert len(records) == 3
    assert [record.position for record in records] == [f"record {n} of the page" for n in (1, 2, 3)]
    assert list(records) == list(records)
    assert records[1] is records[1]
    assert [record.external_id for record in records[:2]] == ["1", "2"]


@given(
    st.lists(
        st.sampled_from(
            [
                b'{"id": 1, "updated_at": "2026-01-02T03:04:05+01:00"}',
                '{"id": "é", "x": "漢"}'.encode(),
                b'{"id": 3, "updated_at": "0001-01-01T00:00:00+14:00"}',
                b'{"id": 4, "x": "\xe9"}',
                b'{"id": 5, "x": "\\u0000"}',
                b'{"id": 7, "n": ' + b"7" * 5000 + b"}",
                b'{"id": 8, "n": ' + b"[" * 400 + b"]" * 400 + b"}",
                b'{"id": [' * 200 + b"9" + b"]}" * 200,
                b"[]",
                b"1e999999999",
            ]
        )
    )
)
def test_whatever_is_wrong_with_a_record_it_reads_as_it_does_alone(bodies: list[bytes]) -> None:
    listed = split(b'{"data": [' + b", ".join(bodies) + b"]}\n", "data")
    alone = [split(b"[" + body + b"]").records[0] for body in bodies]
    assert [(one.external_id, one.updated_at, one.problem, one.body) for one in listed.records] == [
        (one.external_id, one.updated_at, one.problem, one.body) for one in alone
    ]


@pytest.mark.parametrize("around", [b'"total": 2, %b', b'%b, "total": 2', b'%b, "others": []'])
def test_what_stands_beside_the_list_is_kept_wherever_it_stands(around: bytes) -> None:
    listed = split(b"{" + around % b'"data": [{"id": 1}]' + b"}", "data")
    assert ids(listed) == ["1"]
    assert listed.envelope in ({"total": 2}, {"others": []})
