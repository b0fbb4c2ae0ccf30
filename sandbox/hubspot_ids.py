"""What tells HubSpot's objects apart: ids, and times to the millisecond."""

from __future__ import annotations

from sandbox.data import utc_text

BASES = {
    "contacts": 151_000_000_000,
    "companies": 9_000_000_000,
    "deals": 14_000_000_000,
    "tickets": 2_100_000_000,
    "owners": 44_000_000,
}
#: Ids are not dense: others were deleted, or merged away long ago.
STRIDE = 64


def object_id(name: str, index: int) -> int:
    return BASES[name] + index * STRIDE


def index_of(name: str, external_id: int) -> int:
    """Return the number of the object; between two objects, that of the one before."""
    return (external_id - BASES[name]) // STRIDE


def milliseconds(stamp: int) -> int:
    """Return a time of HubSpot's for one of whole seconds: equal for equal ones, in the same order."""
    return stamp * 1_000 + stamp * 7_919 % 1_000


def moment(stamp: int) -> str:
    return f"{utc_text(stamp)[:-1]}.{milliseconds(stamp) % 1_000:03d}Z"


def text_id(name: str, index: int) -> str:
    return str(object_id(name, index))
