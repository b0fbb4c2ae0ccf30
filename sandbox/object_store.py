"""
An S3-compatible store with one bucket, which serves signed links (AWS Signature Version 4) and nothing else.

Refused as Amazon S3 refuses it, by status and code: no signature, an unknown key, a wrong signature, one made
out for another region, a link that has ended, begins later, or lasts longer than a week, and credentials in
the header beside those in the query. The wording of messages is not confirmed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from sandbox.messages import Answer, Handler, Request

PREFIX = "/s3/"
BUCKET = "exports"
KEY_ID, SECRET = "AKIDSANDBOX", "sandbox-store-secret"
ALGORITHM = "AWS4-HMAC-SHA256"
LONGEST_SECONDS = 7 * 86_400
SKEW_SECONDS = 900
_NEEDED = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")


class _Refused(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectStore:
    #: What answers for each object, by its name; conditions and ranges are its own affair.
    objects: Mapping[str, Handler]
    clock: Callable[[], float]
    key_id: str = KEY_ID
    secret: str = SECRET
    region: str = "us-east-1"

    def get(self, request: Request) -> Answer:
        try:
            self._check(request)
            found = self._found(unquote(request.path.removeprefix(PREFIX)))
        except _Refused as refusal:
            return _error(refusal)
        answer = found(request)
        if answer.status == 416:
            answer.body = _xml("InvalidRange", "The requested range is not satisfiable")
        return answer

    def _found(self, path: str) -> Handler:
        bucket, _, name = path.partition("/")
        if bucket != BUCKET:
            raise _Refused(404, "NoSuchBucket", "The specified bucket does not exist")
        if name not in self.objects:
            raise _Refused(404, "NoSuchKey", "The specified key does not exist.")
        return self.objects[name]

    def _check(self, request: Request) -> None:
        """:raises _Refused: unless the link is good"""
        asked = {name: request.query.get(f"X-Amz-{name}", "") for name in _NEEDED}
        if "authorization" in request.headers and any(asked.values()):
            raise _Refused(400, "InvalidArgument", "Only one auth mechanism allowed")
        if not any(asked.values()):
            raise _Refused(403, "AccessDenied", "Access Denied")
        if not all(asked.values()) or asked["Algorithm"] != ALGORITHM:
            raise _Refused(
                400, "AuthorizationQueryParametersError", "Query-string authentication is incomplete"
            )
        self._check_time(asked["Date"], asked["Expires"])
        key_id, _, scope = asked["Credential"].partition("/")
        if key_id != self.key_id:
            raise _Refused(403, "InvalidAccessKeyId", "The access key id does not exist in our records.")
        if scope != f"{asked['Date'][:8]}/{self.region}/s3/aws4_request":
            message = f"The credential scope is wrong; expecting '{self.region}'"
            raise _Refused(400, "AuthorizationQueryParametersError", message)
        if not hmac.compare_digest(asked["Signature"], self._signature(request, asked["Date"], scope)):
            message = "The request signature we calculated does not match the signature you provided."
            raise _Refused(403, "SignatureDoesNotMatch", message)

    def _check_time(self, date: str, expires: str) -> None:
        try:
            begins = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
            seconds = int(expires)
        except ValueError:
            raise _Refused(
                400, "AuthorizationQueryParametersError", "X-Amz-Date or -Expires is no good"
            ) from None
        if not 0 < seconds <= LONGEST_SECONDS:
            raise _Refused(400, "AuthorizationQueryParametersError", "X-Amz-Expires must be less than a week")
        if self.clock() < begins - SKEW_SECONDS:
            raise _Refused(403, "AccessDenied", "Request is not valid yet")
        if self.clock() > begins + seconds:
            raise _Refused(403, "AccessDenied", "Request has expired")

    def _signature(self, request: Request, date: str, scope: str) -> str:
        headers = request.query["X-Amz-SignedHeaders"]
        signed = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in headers.split(";"))
        pairs = [
            f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
            for name, value in request.query.items()
            if name != "X-Amz-Signature"
        ]
        canonical = [
            request.method,
            request.path,
            "&".join(sorted(pairs)),
            signed,
            headers,
            "UNSIGNED-PAYLOAD",
        ]
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        key = b"AWS4" + self.secret.encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, f"{ALGORITHM}\n{date}\n{scope}\n{digest}".encode(), "sha256").hex()


def _error(refusal: _Refused) -> Answer:
    return Answer(
        status=refusal.status, body=_xml(refusal.code, str(refusal)), content_type="application/xml"
    )


def _xml(code: str, message: str) -> bytes:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{error}'.encode()
