"""What may be shown of a call: never a secret, however it is spelled."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection
from urllib.parse import unquote_plus, urlsplit


class Redactor:
    """Knows one source's secrets, in order to leave them out."""

    def __init__(self, secrets: Collection[str]) -> None:
        self._spellings: dict[str, re.Pattern[str]] = {}
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Leave this one out, too."""
        if secret and secret not in self._spellings:
            # The longest first, as one secret may be a part of another.
            found = {**self._spellings, secret: _any_spelling(secret)}
            self._spellings = dict(sorted(found.items(), key=lambda item: -len(item[0])))

    def redact(self, text: str) -> str:
        """Return the text with "[secret]" in the place of each secret."""
        for spelling in self._spellings.values():
            text = spelling.sub("[secret]", text)
        return text


def _any_spelling(secret: str) -> re.Pattern[str]:
    """Match the secret with any of its characters escaped as in URLs or JSON, or all of it in base64."""
    escaped = "".join(f"(?:{'|'.join(_character(character))})" for character in secret)
    encoded = re.escape(base64.b64encode(secret.encode()).decode())
    return re.compile(f"{escaped}|{encoded}")


def _character(character: str) -> list[str]:
    in_url = "".join(f"%{byte:02X}" for byte in character.encode())
    in_json = json.dumps(character)[1:-1]
    spellings = {character, in_json, f"\\{character}", "+" if character == " " else character}
    return [*map(re.escape, sorted(spellings, key=len, reverse=True)), f"(?i:{in_url})"]


def shown_url(url: str) -> str:
    """Return host, path and the names of the parameters: their values may be keys or people's data."""
    try:
        parts = urlsplit(url)
        names = "&".join(map(_name_only, filter(None, parts.query.split("&"))))
    except ValueError:
        return "(no valid address)"
    host = parts.netloc.rpartition("@")[2]
    return f"{host}{parts.path}{'?' if names else ''}{names}"


def _name_only(parameter: str) -> str:
    name, equals, _ = parameter.partition("=")
    # What stands alone may be the key itself.
    return f"{unquote_plus(name)}=..." if equals else "..."
