"""Links that say by themselves who asks: AWS Signature Version 4 in the query, for S3 and stores like it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreKey:
    """Who asks a store."""

    key_id: str
    secret: str = field(repr=False)
    #: With temporary keys only.
    session_token: str = field(default="", repr=False)
    region: str

    def link(self, url: str, *, now: datetime, seconds: int) -> str:
        """Return the address as a link that may be asked (GET) from `now` on, for so long."""
        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self.region}/s3/aws4_request"
        query = {
            "X-Amz-Algorithm": ALGORITHM,
            "X-Amz-Credential": f"{self.key_id}/{scope}",
            "X-Amz-Date": stamp,
            "X-Amz-Expires": f"{seconds}",
            "X-Amz-SignedHeaders": "host",
        }
        if self.session_token:
            query["X-Amz-Security-Token"] = self.session_token
        listed = urlencode(sorted(query.items()), quote_via=quote, safe="")
        parts = urlsplit(url)
        asked = f"GET\n{parts.path}\n{listed}\nhost:{_host(url)}\n\nhost\nUNSIGNED-PAYLOAD"
        signed = "\n".join((ALGORITHM, stamp, scope, hashlib.sha256(asked.encode()).hexdigest()))
        signature = hmac.new(self._key(scope), signed.encode(), hashlib.sha256).hexdigest()
        return f"{url}?{listed}&X-Amz-Signature={signature}"

    def _key(self, scope: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def _host(url: str) -> str:
    """Return the host as it is sent, which is without the port that goes without saying."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return shown if parts.port in (None, _PORTS.get(parts.scheme)) else f"{shown}:{parts.port}"
