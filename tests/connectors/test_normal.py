"""Normalisation: exact money in every currency, and one form for what comes in many."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import normal
from connectors.errors import RecordError

CODES = st.sampled_from(["EUR", "usd", "JPY", "krw", "KWD", "bhd", "ISK", "UGX"])
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minor", "code", "major"),
    [
        (1050, "EUR", "10.50"),
        (1050, "jpy", "1050"),
        (1050, "KWD", "1.050"),
        (500, "ISK", "5.00"),
        (-1, "usd", "-0.01"),
        (0, "usd", "0.00"),
        ("0.05", "usd", "0.0005"),
        ("0.0000000001", "usd", "0.000000000001"),
        (10**30 + 1, "usd", f"1{'0' * 28}.01"),
    ],
)
def test_minor_units_become_major_ones(minor: Any, code: str, major: str) -> None:
    assert normal.money(minor, code) == Decimal(major)
    assert str(normal.money(minor, code)) == major or abs(Decimal(major)) < Decimal("0.0001")


@given(st.integers(-(10**40), 10**40), CODES)
def test_money_loses_no_digit(minor: int, code: str) -> None:
    major = normal.money(minor, code)
    assert major is not None
    sign, digits, exponent = major.as_tuple()
    assert isinstance(exponent, int)
    assert int(Decimal((sign, digits, exponent + normal.decimals_of(code)))) == minor


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12), CODES)
def test_sums_of_money_are_money_of_sums(one: int, other: int, code: str) -> None:
    parts = [normal.money(minor, code) for minor in (one, other)]
    assert sum(part for part in parts if part is not None) == normal.money(one + other, code)


def test_no_amount_is_no_money() -> None:
    assert normal.money(None, None) is None
    assert normal.money("", "usd") is None


@pytest.mark.parametrize(("minor", "code"), [(5, None), (5, ""), (5, "euro"), ("five", "EUR"), (1.5, "EUR")])
def test_money_without_a_number_or_a_currency_is_refused(minor: Any, code: Any) -> None:
    with pytest.raises(RecordError, match=r"amount|currency"):
        normal.money(minor, code)


@pytest.mark.parametrize(("code", "known"), [(" eur ", "EUR"), ("", None), (None, None)])
def test_currencies_are_capitals(code: str | None, known: str | None) -> None:
    assert normal.currency(code) == known


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("+49 30 123456", None, "+4930123456"),
        ("030 / 12 34 56", "de", "+4930123456"),
        ("(415) 555-2671", "US", "+14155552671"),
        ("001 415 555 2671", "DE", "+14155552671"),
        ("+14155552671", None, "+14155552671"),
        ("415 555 2671", None, "415 555 2671"),
        ("call Zoë", "DE", "call Zoë"),
        ("12", "DE", "12"),
        ("030 123456", "Atlantis", "030 123456"),
        ("  ", None, None),
        (None, "DE", None),
    ],
)
def test_phones_are_e164_or_as_they_stand(text: str | None, country: str | None, number: str | None) -> None:
    assert normal.phone(text, country) == number


@given(st.text(max_size=40), st.sampled_from([None, "DE", "US", "??"]))
def test_a_phone_once_normal_stays_so(text: str, country: str | None) -> None:
    once = normal.phone(text, country)
    assert normal.phone(once, country) == once


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Zoe@Example.COM ", "zoe@example.com"),
        ("Zoë Łukasik <Zoe@example.com>", "zoe@example.com"),
        ("mailto:zoe@example.com", "zoe@example.com"),
        ("", None),
        (None, None),
    ],
)
def test_mail_addresses_are_bare_and_small(text: str | None, address: str | None) -> None:
    assert normal.email(text) == address


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ACME, Inc.", "Acme"),
        ("Müller GmbH & Co. KG", "muller"),
        ("  Zebra\u00a0 Ltd", "zebra LLC"),
        ("Cafe\u0301 S.A.", "CAFÉ"),
    ],
)
def test_two_spellings_of_a_firm_have_one_key(one: str, other: str) -> None:
    assert normal.company_key(one) == normal.company_key(other)


def test_firms_keep_their_spelling_and_never_lose_all_of_their_name() -> None:
    assert normal.company_name("  ACME,\u2003Inc. ") == "ACME, Inc."
    assert normal.company_key("Company Inc") == "company inc"
    assert normal.company_key(" ") is None
    assert normal.company_name(None) is None


@given(st.text(max_size=60))
def test_a_firm_s_name_once_normal_stays_so(text: str) -> None:
    once = normal.company_name(text)
    assert normal.company_name(once) == once


def test_names_are_joined_from_what_is_there() -> None:
    assert normal.full_name(" Zoë ", None, "Van  Dam") == "Zoë Van Dam"
    assert normal.full_name(None, " ") is None


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T12:00:00Z",
        "2026-03-01T07:00:00-05:00",
        "2026-03-01T12:00:00.000000123Z",
        "Sun, 01 Mar 2026 12:00:00 GMT",
        1772366400,
        "1772366400",
        "1772366400000",
        Decimal("1772366400"),
        NOON,
    ],
)
def test_times_in_every_form_are_one_in_utc(value: Any) -> None:
    found = normal.moment(value)
    assert found == NOON
    assert found.utcoffset() == timedelta(0)


def test_a_local_time_is_one_of_the_zone_given() -> None:
    zone = timezone(timedelta(hours=-5))
    assert normal.moment("2026-03-01T07:00:00", zone) == NOON
    assert normal.moment("2026-03-01", zone) == datetime(2026, 3, 1, 5, tzinfo=UTC)
    assert normal.moment(date(2026, 3, 1)) == datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize("value", ["soon", "2026-02-30", "0001-01-01T00:00:00+14:00", True, []])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(RecordError, match="time: "):
        normal.moment(value)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_no_time_is_none(value: Any) -> None:
    assert normal.moment(value) is None
