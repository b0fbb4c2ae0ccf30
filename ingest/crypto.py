"""Secrets at rest: JSON encrypted with rotatable keys, unreadable in a database dump."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


class EncryptedJSONField(models.TextField):
    """
    Holds a JSON object, encrypted with the first key of FIELD_ENCRYPTION_KEYS; any listed key reads.

    :raises ImproperlyConfigured: on reading, if none of the keys fits
    """

    def from_db_value(self, value: str | None, expression: object, connection: object) -> Any:
        return None if value is None else decrypt(value)

    def to_python(self, value: Any) -> Any:
        return value

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else encrypt(value)


def encrypt(value: Any) -> str:
    return _cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(json.dumps(value).encode()).decode()


def decrypt(token: str) -> Any:
    """:raises ImproperlyConfigured: if none of the keys fits"""
    try:
        return json.loads(_cipher(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(token.encode()))
    except InvalidToken:
        raise ImproperlyConfigured(
            "Stored credentials cannot be read with any key in FIELD_ENCRYPTION_KEYS. "
            "Put the key they were written with back on the list."
        ) from None


def rotated(token: str) -> str | None:
    """
    Return the secret encrypted with the first key, or None if it is already.

    :raises ImproperlyConfigured: if none of the keys fits
    """
    first, *_ = keys = tuple(settings.FIELD_ENCRYPTION_KEYS)
    try:
        _cipher((first,)).decrypt(token.encode())
    except InvalidToken:
        decrypt(token)
        return _cipher(keys).rotate(token.encode()).decode()
    return None


@cache
def _cipher(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ImproperlyConfigured(f"FIELD_ENCRYPTION_KEYS: {error}") from None
