"""Whether this worker was asked to stop: its turns then end at their next page instead of being cut off."""

from __future__ import annotations

import mmap

# Memory shared with the pool's processes, which are forked from the one that hears the signal.
_asked = mmap.mmap(-1, 1)


def ask() -> None:
    """Let every turn of this worker end at its next page."""
    _asked[0] = 1


def is_asked() -> bool:
    return _asked[0] == 1
