"""
One form for what providers write in many: money, currencies, times, phones, e-mail, names of firms.

None says nothing, and a blank text says nothing either. What cannot be understood is refused where a wrong
value would do harm (money, times), and otherwise kept as it stands (a phone number, a name).
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from email.utils import parseaddr
from typing import Any

import phonenumbers

from connectors.errors import RecordError
from connectors.kinds import to_datetime, to_decimal

#: Currencies whose minor unit is the major one, and those with thousandths, as Stripe counts them
#: (docs.stripe.com/currencies). UGX and ISK have no minor unit either, but Stripe sends them as if they had
#: hundredths.
ZERO_DECIMAL = frozenset(
    ("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF")
)
THREE_DECIMAL = frozenset(["BHD", "JOD", "KWD", "OMR", "TND"])

_CURRENCY = re.compile(r"[A-Z]{3}")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_EPOCH = re.compile(r"-?(?:[0-9]{9,10}|[0-9]{12,13})")
#: What the law adds to a firm's name; without it two spellings of one firm are equal.
_LEGAL_FORM = re.compile(
    r"ab|ag|as|bv|co|company|corp|corporation|gbr|gmbh|inc|incorporated|kg|kk|limited|llc|llp|lp|ltd|nv|oy|plc"
    r"|pte|pty|sa|sarl|sas|spa|srl|ug"
)


def currency(code: str | None) -> str | None:
    """
    Return the ISO 4217 code in capitals.

    :raises RecordError: if it has not three letters
    """
    if code is None or not code.strip():
        return None
    found = code.strip().upper()
    if not _CURRENCY.fullmatch(found):
        raise RecordError(f"currency: {code[:20]!r} is not a code of three letters")
    return found


def decimals_of(code: str) -> int:
    """Return how many decimals amounts in this currency have."""
    wanted = code.upper()
    return 0 if wanted in ZERO_DECIMAL else 3 if wanted in THREE_DECIMAL else 2


def money(minor: int | str | Decimal | None, code: str | None) -> Decimal | None:
    """
    Return the amount in major units: 1050 is 10.50 in EUR, 1050 in JPY and 1.050 in KWD.

    Fractions of a minor unit ("0.05" cents) are kept.

    :raises RecordError: if it is no number, or of no currency
    """
    number = None if minor is None else to_decimal("amount", minor)
    if number is None:
        return None
    known = currency(code)
    if known is None:
        raise RecordError(f"amount: {minor} minor units of an unknown currency")
    # Exact for any number of digits, which a division is not.
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 - for the type checker: it is finite
    return Decimal((sign, digits, exponent - decimals_of(known)))


def phone(text: str | None, country: str | None = None) -> str | None:
    """
    Return the number in E.164 (+4930123456); one that is none as it stands.

    Without a `country` (ISO 3166, two letters) only numbers that name theirs are understood.
    """
    stripped = (text or "").strip()
    if not stripped or _E164.fullmatch(stripped):
        return stripped or None
    try:
        number = phonenumbers.parse(stripped, country and country.strip().upper())
    except phonenumbers.NumberParseException:
        return stripped
    known = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    # In some countries three digits are "possible"; they are an extension, not a number.
    return known if phonenumbers.is_possible_number(number) and _E164.fullmatch(known) else stripped


def email(text: str | None) -> str | None:
    """Return the bare address in small letters: of "Zoë <Zoe@Example.com>" it is zoe@example.com."""
    stripped = (text or "").strip().removeprefix("mailto:")
    if "<" in stripped:
        stripped = parseaddr(stripped)[1] or stripped
    return stripped.lower() or None


def company_name(text: str | None) -> str | None:
    """Return the name with its letters composed and its spaces single."""
    return " ".join(unicodedata.normalize("NFC", text or "").split()) or None


def company_key(text: str | None) -> str | None:
    """Return what is equal for two spellings of one firm: "ACME, Inc." and "Acme" are both "acme"."""
    folded = unicodedata.normalize("NFKD", (company_name(text) or "").casefold())
    words = re.findall(
        r"\w+", "".join(char for char in folded if not unicodedata.combining(char)).replace(".", "")
    )
    kept = [word for word in words if not _LEGAL_FORM.fullmatch(word)]
    return " ".join(kept or words) or None


def full_name(*parts: str | None) -> str | None:
    """Return the parts that are there with a space between them."""
    return " ".join(stripped for part in parts if part and (stripped := " ".join(part.split()))) or None


def moment(value: Any, zone: tzinfo = UTC) -> datetime | None:
    """
    Return the time in UTC from ISO 8601, RFC 822, or epoch seconds or milliseconds, also as text.

    A time without a zone, or a mere date, is one of `zone`.

    :raises RecordError: if it is no time
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str) and _EPOCH.fullmatch(value.strip()):
        return to_datetime("time", int(value))
    if isinstance(value, str):
        try:
            local = datetime.fromisoformat(value.strip())
        except ValueError:
            return to_datetime("time", value)
        return _in_utc(local, zone, value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return _in_utc(datetime.combine(value, time()), zone, str(value))
    return to_datetime("time", value)


def _in_utc(local: datetime, zone: tzinfo, shown: str) -> datetime:
    try:
        return (local if local.tzinfo else local.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        raise RecordError(f"time: {shown[:80]!r} is out of range") from None
