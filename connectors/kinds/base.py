"""What every kind is: plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from msgspec import Struct


class Kind(Struct, frozen=True, kw_only=True):
    """What every refined row has."""

    kind: ClassVar[str]
    #: Fields that hold children stored in tables of their own, and the children's kind.
    children: ClassVar[Mapping[str, str]] = {}

    #: The provider's id, compared character by character.
    external_id: str
    #: When the thing happened (order placed, article published); decides its day in the metrics.
    occurred_at: datetime | None = None
    #: The provider's time of last change; an older version never overwrites a newer one.
    updated_at: datetime | None = None
