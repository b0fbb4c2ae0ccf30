"""From a Source row to its connector, with what this installation allows it to reach."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from connectors import connect
from connectors.base import Access, Connector, Json
from connectors.errors import ConfigError
from ingest.budgets import Budgets
from ingest.models import Source, SourceStream
from ingest.tokens import SourceTokens


def connector_for(
    source: Source,
    *,
    on_progress: Callable[[], None] | None = None,
    is_urgent: bool = False,
    asks_anyway: bool = False,
) -> Connector:
    """
    Return the source's connector; `on_progress` is called while an answer comes in.

    `is_urgent`: a person or a webhook waits, so that the reserve of the rate budgets may be used.
    `asks_anyway`: tokens are asked for although the source is marked as to be connected again.

    :raises ConfigError: if the stored settings do not fit the connector, or cannot be decrypted
    """
    try:
        credentials: Json = source.credentials
    except ImproperlyConfigured as error:
        raise ConfigError(str(error)) from error
    tokens = SourceTokens(
        source.pk, credentials=credentials, asks_anyway=asks_anyway, access_version=source.access_version
    )
    access = Access(
        private_hosts=settings.SYNC_PRIVATE_HOSTS,
        file_roots=tuple(settings.SYNC_FILE_ROOTS),
        on_progress=on_progress,
        budget=Budgets(source.pk, is_urgent=is_urgent) if source.pk else None,
        tokens=tokens if source.pk else None,
        clock=timezone.now,
    )
    return connect(source.connector, config=source.config, credentials=credentials, access=access)


def lay_out_streams(source: Source) -> list[SourceStream]:
    """
    Make a row for each stream the source offers and return all; rows that exist keep staff's settings.

    :raises ConfigError: if the settings do not fit the connector
    """
    connector = connector_for(source)
    try:
        offered = connector.streams()
    finally:
        connector.close()
    for stream in offered:
        SourceStream.objects.get_or_create(
            source=source,
            name=stream.name,
            defaults={
                "kind": stream.kind,
                "page_size": stream.page_size,
                "schedule": stream.default_schedule,
            },
        )
        SourceStream.objects.filter(source=source, name=stream.name).update(kind=stream.kind)
    return list(source.streams.order_by("name"))
