"""Where a place was booked, and what kind of class it is: by words in what the tenant wrote."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_NOTHING: Mapping[str, str] = {}

#: By the beginnings of words; the first that is found counts, so narrow ones come first.
CLASS_TYPES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("private", ("private", "personal training", "1:1", "one on one")),
    ("pilates", ("pilates", "reformer", "megaformer", "lagree")),
    ("barre", ("barre",)),
    ("yoga", ("yoga", "vinyasa", "yin", "ashtanga")),
    ("cycling", ("ride", "cycl", "spin", "bike")),
    ("boxing", ("box", "kickbox", "muay")),
    ("rowing", ("row",)),
    ("running", ("run", "tread")),
    ("strength", ("strength", "hiit", "sculpt", "lift", "bootcamp", "boot camp", "tone", "weights")),
    ("dance", ("dance", "zumba")),
    ("mindfulness", ("meditat", "breath", "sound bath")),
    ("recovery", ("recover", "stretch", "sauna", "ice bath", "cold plunge")),
    ("yoga", ("flow",)),
)
PARTNERS: Mapping[str, str] = {
    "classpass": "classpass",
    "wellhub": "wellhub",
    "gympass": "wellhub",
    "urban sports": "urban_sports",
    "urbansports": "urban_sports",
    "mindbody": "mindbody",
    "myclubs": "myclubs",
}
#: Whole words.
DEVICES: Mapping[str, str] = {
    "kiosk": "kiosk",
    "ios": "app",
    "android": "app",
    "app": "app",
    "mobile": "app",
    "web": "web",
    "browser": "web",
    "desktop": "web",
    "admin": "staff",
    "pos": "staff",
    "staff": "staff",
    "employee": "staff",
}
STAFF, GUEST, DIRECT = "staff", "guest", "direct"
_WORD = re.compile(r"[a-z]+")


def class_type(title: str | None, own: Mapping[str, str] = _NOTHING) -> str | None:
    """Return the type of a class by its name: a tenant's `own` words first; None if no word is known."""
    text = (title or "").lower()
    for word, named in own.items():
        if word.lower() in text:
            return named
    for named, words in CLASS_TYPES:
        if any(re.search(rf"\b{re.escape(word)}", text) for word in words):
            return named
    return None


def booking_source(
    said: Iterable[str | None],
    *,
    devices: Iterable[str | None] = (),
    customer: str | None,
    broker: str | None,
    is_guest: bool | None,
    own: Mapping[str, str] = _NOTHING,
) -> str | None:
    """
    Return where a reservation was booked, from whatever the tenant says of it.

    A partner's name in any text counts most, then a device in texts that name one. Else whoever made the
    booking in the customer's stead is staff, and a place booked for somebody else is a guest's. None: nothing
    says so.
    """
    named = [text.lower() for text in devices if text]
    texts = [*(text.lower() for text in said if text), *named]
    for word, partner in (*own.items(), *PARTNERS.items()):
        if any(word.lower() in text for text in texts):
            return partner
    for word in (word for text in named for word in _WORD.findall(text)):
        if word in DEVICES:
            return DEVICES[word]
    if broker is not None and customer is not None:
        return DIRECT if broker == customer else STAFF
    return GUEST if is_guest else None
