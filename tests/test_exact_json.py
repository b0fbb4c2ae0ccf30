"""JSON without loss: no float, no surprise, and a hash that sees values and not their spelling."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from connectors import exact_json
from connectors.errors import RecordError

SOME = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
numbers = st.integers(-(10**40), 10**40) | st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=6
)
values = st.recursive(
    st.none() | st.booleans() | texts | numbers,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=15,
)


def spelled(value: Any, chance: random.Random) -> str:
    """Write the value as JSON with an order, escapes, white space and number forms of our own choosing."""
    pad = chance.choice(["", " ", "\n", "\t  ", "\r\n"])
    if isinstance(value, dict):
        items = list(value.items())
        chance.shuffle(items)
        inner = ",".join(f"{pad}{spelled(key, chance)}{pad}:{spelled(one, chance)}" for key, one in items)
        return "{" + inner + pad + "}"
    if isinstance(value, list):
        return "[" + ",".join(pad + spelled(one, chance) for one in value) + pad + "]"
    if isinstance(value, str):
        return spelled_text(value, chance)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return spelled_number(Decimal(value), chance)
    return json.dumps(value)


def spelled_text(text: str, chance: random.Random) -> str:
    if chance.random() < 0.5:
        return json.dumps(text, ensure_ascii=True).replace("/", "\\/")
    return json.dumps(text, ensure_ascii=False)


def spelled_number(number: Decimal, chance: random.Random) -> str:
    plain = f"{number:f}"
    form = chance.randrange(4)
    if form == 1:
        return plain + ("0" * chance.randrange(1, 4) if "." in plain else ".0")
    if form == 2:
        shifted = f"{number.scaleb(3):f}" if len(plain) < 25 else plain
        return f"{shifted}e-3" if len(plain) < 25 else plain
    return plain


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal, true and 1 told apart."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return (type(one) in (int, Decimal) and type(other) in (int, Decimal) and one == other) or (
        isinstance(one, str) and one == other
    )


@SOME
@given(value=values, chance=st.randoms(use_true_random=False))
def test_any_spelling_of_a_record_is_read_as_the_same_values(value: Any, chance: random.Random) -> None:
    read = exact_json.loads(spelled(value, chance).encode())

    assert same(read, value)
    assert same(exact_json.loads(exact_json.dumps(read)), value)


@SOME
@given(value=values, chance=st.randoms(use_true_random=False))
def test_equal_records_have_equal_hashes(value: Any, chance: random.Random) -> None:
    first, second = spelled(value, chance), spelled(value, chance)

    assert exact_json.canonical_hash(first.encode()) == exact_json.canonical_hash(second.encode())


@SOME
@given(one=values, other=values)
def test_different_records_have_different_hashes(one: Any, other: Any) -> None:
    assume(not same(one, other))

    hashes = {exact_json.canonical_hash(exact_json.dumps(value)) for value in (one, other)}

    assert len(hashes) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", '"1"'),
        ("1", "true"),
        ("0", "null"),
        ("[]", "{}"),
        ('""', "null"),
        ('{"a": null}', "{}"),
        ("[1, 2]", "[2, 1]"),
        ("9007199254740992", "9007199254740993"),
        ("0.1", "0.10000000000000000001"),
        ('"e\\u0301"', '"\\u00e9"'),
        ('"a"', '"A"'),
    ],
)
def test_values_that_look_alike_have_different_hashes(one: str, other: str) -> None:
    assert exact_json.canonical_hash(one.encode()) != exact_json.canonical_hash(other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("0.1234567890123456789012345678901", "0.1234567890123456789012345678902"),
        ("1234567890123456789012345678901.5", "1234567890123456789012345678901.4"),
    ],
)
def test_a_change_in_the_last_of_many_digits_is_a_change(one: str, other: str) -> None:
    assert exact_json.canonical_hash(one.encode()) != exact_json.canonical_hash(other.encode())


@pytest.mark.parametrize("same_number", ["0", "-0", "0.0", "-0.0e5", "0E-400"])
def test_zero_is_zero(same_number: str) -> None:
    assert exact_json.canonical_hash(same_number.encode()) == exact_json.canonical_hash(b"0")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9007199254740993", 9007199254740993),
        ("0.1234567890123456789", Decimal("0.1234567890123456789")),
        ("9007199254740993.0", Decimal("9007199254740993.0")),
        ("-1.5E+3", Decimal("-1500")),
        ("9" * 400, int("9" * 400)),
        ("1e308", Decimal("1e308")),
    ],
)
def test_a_number_is_read_to_the_last_digit(text: str, value: int | Decimal) -> None:
    read = exact_json.loads(text.encode())

    assert (read, type(read)) == (value, type(value))
    assert exact_json.loads(exact_json.dumps(read)) == value


@SOME
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_no_number_becomes_a_float(number: float) -> None:
    read = exact_json.loads(repr(number).encode())

    assert isinstance(read, int | Decimal)
    assert math.isclose(float(read), number)


@SOME
@given(
    st.binary(max_size=60) | st.text(max_size=40).map(lambda text: f'"{text}"'.encode(errors="surrogatepass"))
)
def test_any_bytes_are_read_or_refused_by_name(body: bytes) -> None:
    for read in (exact_json.loads, exact_json.canonical_hash, exact_json.loads_tolerant):
        with suppress(RecordError):
            read(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{} {}",
        b"NaN",
        b"[Infinity, -Infinity]",
        b"{'a': 1}",
        b"[1,]",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'"\\ud800"',
        b'"\\ude00\\ud83d"',
        b'"a\\u0000b"',
        b'{"a\\u0000": 1}',
        b'"\\\\\\u0000"',
        b'"a\x00b"',
        b"1e1001",
        b"1e-1001",
        b"9" * 5000,
        b"0." + b"9" * 5000,
        b"[" * 100_000,
        b"[" * 5000 + b"]" * 5000,
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_cannot_be_kept_is_refused_by_name(body: bytes) -> None:
    reads = [exact_json.loads, exact_json.canonical_hash]
    if body not in NUMBERS_OUT_OF_RANGE:
        reads.append(exact_json.refuse_unreadable)
    for read in reads:
        with pytest.raises(RecordError, match=r"\S"):
            read(body)


NUMBERS_OUT_OF_RANGE = (b"1e1001", b"1e-1001", b"9" * 5000, b"0." + b"9" * 5000)


@pytest.mark.parametrize("body", NUMBERS_OUT_OF_RANGE, ids=lambda body: repr(body[:20]))
def test_only_numbers_out_of_range_get_by_the_quick_check(body: bytes) -> None:
    exact_json.refuse_unreadable(body)


@SOME
@given(
    st.binary(max_size=60)
    | st.text(max_size=40).map(lambda text: f'"{text}"'.encode(errors="surrogatepass"))
    | values.map(exact_json.dumps)
)
def test_the_quick_check_agrees_with_reading(body: bytes) -> None:
    def refusal(read: Callable[[bytes], object]) -> str | None:
        try:
            read(body)
        except RecordError as error:
            return str(error)
        return None

    said = refusal(exact_json.loads)
    assert (refusal(exact_json.refuse_unreadable) is None) == (said is None or "out of range" in said)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'"\\\\u0000"', "\\u0000"),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"\\u0001"', "\x01"),
        (b'"\xef\xbb\xbf"', "\ufeff"),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b" \n[1]\t", [1]),
    ],
)
def test_what_looks_bad_and_is_not_is_read(body: bytes, value: Any) -> None:
    assert exact_json.loads(body) == value


@pytest.mark.parametrize("value", ["\ud800", object(), {1, object()}, [{"a": "\udfff"}]])
def test_what_has_no_json_form_is_refused_by_name(value: Any) -> None:
    with pytest.raises(RecordError, match="cannot be written as JSON"):
        exact_json.dumps(value)


@pytest.mark.parametrize(
    ("body", "odd"),
    [
        (b'{"id": "7", "n": NaN}', "NaN"),
        (b'{"id": "7", "n": -Infinity}', "-Infinity"),
        (b'{"id": "7", "n": ' + b"9" * 5000 + b"}", "9" * 5000),
        (b'{"id": "7", "n": 1e9999}', "1e9999"),
    ],
)
def test_one_broken_number_does_not_hide_the_rest_of_a_record(body: bytes, odd: str) -> None:
    read = exact_json.loads_tolerant(body)

    assert read["id"] == "7"
    assert isinstance(read["n"], exact_json.Unreadable)
    assert read["n"].text == odd
    assert odd in exact_json.describe_unreadable(read)


@SOME
@given(value=values)
def test_a_good_record_is_read_alike_with_and_without_tolerance(value: Any) -> None:
    body = exact_json.dumps(value)

    assert same(exact_json.loads_tolerant(body), exact_json.loads(body))
