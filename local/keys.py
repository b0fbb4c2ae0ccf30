"""Secrets of this checkout for development: made once, kept in the git-ignored folder."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path

KEYS_FILE = Path(__file__).resolve().parent.parent / ".local" / "keys.json"


def development_key(name: str) -> str | None:
    """Return the key, or None where `make up` has never run, or was run by another user."""
    try:
        key: str | None = json.loads(KEYS_FILE.read_text()).get(name)
    except (FileNotFoundError, PermissionError):
        return None
    return key


def ensure_keys() -> None:
    """Make the keys unless they are there."""
    if KEYS_FILE.exists():
        return
    KEYS_FILE.parent.mkdir(mode=0o700, exist_ok=True)
    keys = {
        "SECRET_KEY": secrets.token_urlsafe(50),
        "FIELD_ENCRYPTION_KEYS": base64.urlsafe_b64encode(os.urandom(32)).decode(),
    }
    draft = KEYS_FILE.with_suffix(f".{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(keys))
    draft.replace(KEYS_FILE)
