"""Settings of connectors that know no streams of their own: one stream, or several by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def streams_by_name(values: Any, *, default_name: str) -> Any:
    """
    Return settings as {"streams": {name: {...}}}.

    Settings beside `streams` hold for each of them unless it says otherwise; without `streams` all of them
    describe one stream called `name`, or `default_name`.

    :raises ValueError: if `streams` or one of them is no object
    """
    if not isinstance(values, Mapping):
        return values
    shared = dict(values)
    name, streams = shared.pop("name", default_name), shared.pop("streams", None)
    if streams is None:
        return {"streams": {name: shared}}
    if not isinstance(streams, Mapping) or not streams:
        raise ValueError("streams: give an object with the settings of each stream by its name")
    return {"streams": {stream: _merged(shared, own, stream) for stream, own in streams.items()}}


def _merged(shared: Mapping[str, Any], own: Any, stream: str) -> dict[str, Any]:
    if not isinstance(own, Mapping):
        raise ValueError(f"streams.{stream}: give an object with its settings")  # noqa: TRY004
    return {**shared, **own}
