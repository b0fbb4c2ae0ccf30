"""Filters that read names only: a filter over whole Source rows would decrypt every credential."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter, RangeDateFilter

from ingest.models import REFINED_MODELS, Source, SourceStream

Choices = list[tuple[str, str]]


def _whole_number(text: str | None) -> int | None:
    # Larger than any id would be an error of the database.
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


class ByIdFilter(DropdownFilter):
    """Narrows to one id given in the query string; anything that is no id finds nothing."""

    column = ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        wanted = _whole_number(self.value())
        return queryset.none() if wanted is None else queryset.filter(**{self.column: wanted})


class SourceFilter(ByIdFilter):
    title = "source"
    parameter_name = "source"
    column = "source_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(str(pk), name) for pk, name in Source.objects.order_by("name").values_list("pk", "name")]


class StreamFilter(ByIdFilter):
    title = "stream"
    parameter_name = "stream"
    column = "stream_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        streams = SourceStream.objects.order_by("source__name", "name")
        source = _whole_number(request.GET.get("source"))
        if source is not None:
            streams = streams.filter(source_id=source)
        named = streams.values_list("pk", "source__name", "name")
        return [(str(pk), f"{source_name} / {name}") for pk, source_name, name in named]


class RawSourceFilter(SourceFilter):
    """Raw versions know their stream only."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        streams = SourceStream.objects.filter(source_id=_whole_number(self.value()) or 0)
        return queryset.filter(stream_id__in=list(streams.values_list("pk", flat=True)))


class KindFilter(DropdownFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [(kind, str(model._meta.verbose_name)) for kind, model in REFINED_MODELS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class DeletedFilter(DropdownFilter):
    title = "deleted at the source"
    parameter_name = "deleted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("no", "Still there"), ("yes", "Deleted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(deleted_at__isnull=self.value() == "no")


class OpenFilter(DropdownFilter):
    """Open dead letters unless asked otherwise: they are the ones that want something."""

    title = "state"
    parameter_name = "state"
    all_option = None

    def value(self) -> str:
        return super().value() or "open"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return [("open", "Open"), ("resolved", "Resolved"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "all":
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() != "resolved")


class DayFilter(RangeDateFilter):
    """A range of days; naming all sources lets the index on source and day serve it."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        found: QuerySet[Any] | None = super().queryset(request, queryset)
        if found is None or not any(self.used_parameters.values()):
            return found
        return found.filter(source_id__in=list(Source.objects.values_list("pk", flat=True)))
