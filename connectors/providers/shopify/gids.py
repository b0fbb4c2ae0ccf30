"""Shopify's global ids, gid://shopify/Order/450789469, which end in the number that REST knows."""

from __future__ import annotations

import re

_GID = re.compile(r"gid://shopify/(\w+)/([^/?]+)(?:\?.*)?")


def number_of(gid: str) -> str:
    """Return what a global id ends in; any other id as it stands."""
    found = _GID.fullmatch(gid)
    return found[2] if found else gid


def type_of(gid: str) -> str:
    """Return what kind of object a global id names; "" if it is none."""
    found = _GID.fullmatch(gid)
    return found[1] if found else ""


def gid_of(kind: str, number: str) -> str:
    return f"gid://shopify/{kind}/{number}"
