"""Where a file is: a path, an address, a signed link, or an object in an S3-compatible store."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import parse_qsl, quote

from pydantic import ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from connectors.auth.presigning import StoreKey
from connectors.base import AuthMode, Config
from connectors.errors import ConfigError
from connectors.providers.csv.settings import TableConfig

STORE = "s3://"
LINK_SECONDS = 2 * 3600
# Shorter ones are names and numbers, and would blot them out wherever else they stand.
SECRET_LENGTH = 16
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")


class SignedLink(AuthMode):
    mode = "signed_link"
    title = "Signed link"

    signature: SecretStr = Field(min_length=1)
    """What stands behind the ? of a signed link (presigned S3 URL, SAS), or the whole link."""


class StoreAccess(AuthMode):
    model_config = ConfigDict(alias_generator=to_camel)
    mode = "s3"
    title = "S3-compatible store"

    access_key_id: str = Field(min_length=1)
    """The key's id."""
    secret_access_key: SecretStr = Field(min_length=1)
    """The key itself; it needs to read the objects (s3:GetObject), nothing else."""
    session_token: SecretStr | None = None
    """With temporary keys only."""


def secrets_in(credentials: Config) -> set[str]:
    """Return what must not show in any message."""
    given = {value.get_secret_value() for _, value in credentials if isinstance(value, SecretStr)}
    parts = {part for text in given for _, part in parse_qsl(text.rpartition("?")[2])}
    return given | {part for part in parts if len(part) >= SECRET_LENGTH}


def is_remote(settings: TableConfig) -> bool:
    return settings.source_identifier.lower().startswith(("http://", "https://", STORE))


def address(settings: TableConfig, credentials: Config, *, now: datetime) -> str:
    """
    Return the address a remote file is asked for at, signed where it has to be.

    :raises ConfigError: if the credentials are not those it needs
    """
    given = settings.source_identifier
    if given.lower().startswith(STORE):
        if not isinstance(credentials, StoreAccess):
            raise ConfigError(
                f"{given}: an object in a store needs credentials, accessKeyId and secretAccessKey; without "
                "any, give its https address."
            )
        return _signed(settings, credentials, now)
    if isinstance(credentials, SignedLink):
        return _with_signature(given, credentials.signature.get_secret_value())
    return given


def _signed(settings: TableConfig, credentials: StoreAccess, now: datetime) -> str:
    token = credentials.session_token
    key = StoreKey(
        key_id=credentials.access_key_id,
        secret=credentials.secret_access_key.get_secret_value(),
        session_token=token.get_secret_value() if token else "",
        region=settings.s3_region,
    )
    # By the hour: what is kept of a file between pages goes by its address.
    hour = now.replace(minute=0, second=0, microsecond=0)
    return key.link(_object_url(settings), now=hour, seconds=LINK_SECONDS)


def _object_url(settings: TableConfig) -> str:
    bucket, _, name = settings.source_identifier[len(STORE) :].partition("/")
    if not _BUCKET.fullmatch(bucket) or not name or {"", ".", ".."} & set(name.split("/")):
        raise ConfigError(
            f"{settings.source_identifier}: give s3://BUCKET/NAME, and no empty part, . or .. in the name."
        )
    path = quote(name, safe="/~")
    if settings.s3_endpoint:
        return f"{settings.s3_endpoint.rstrip('/')}/{bucket}/{path}"
    host = f"s3.{settings.s3_region}.amazonaws.com"
    # A bucket with dots is no name that the certificate of *.s3 would cover.
    return f"https://{host}/{bucket}/{path}" if "." in bucket else f"https://{bucket}.{host}/{path}"


def _with_signature(given: str, signature: str) -> str:
    link, _, query = signature.strip().rpartition("?")
    if "?" in given:
        raise ConfigError(f"{given.partition('?')[0]}: what follows it from ? on belongs to the credentials.")
    if link not in ("", given) or query.lower().startswith(("http://", "https://")):
        raise ConfigError(
            f"{given}: the signed link in the credentials leads elsewhere, or has no signature."
        )
    return f"{given}?{query}"
