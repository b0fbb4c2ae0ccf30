"""What the pages of every kind share: columns, search, and a detail page with its related rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Field, ForeignKey, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ingest.admin import cells, payloads
from ingest.admin.base import Panel, ReadOnlyAdmin, facts, table
from ingest.admin.filters import DayFilter, DeletedFilter, SourceFilter
from ingest.models import RawRecord, RefinedRecord, Source

Column = Callable[[Any], Any]
RELATED_SHOWN = 20
#: Of every kind: shown as where it comes from, or our own affair.
SHARED = {
    *("id", "source", "raw", "day", "previous_day"),
    *("deleted_at", "created_at", "synced_at", "source_updated_at"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Related:
    """Rows of another kind that point here."""

    title: str
    model: type[RefinedRecord]
    #: Their foreign key to this record.
    by: str
    columns: tuple[Column, ...]


def text(name: str, title: str = "") -> Column:
    @admin.display(description=title or name.replace("_", " ").capitalize())
    def column(row: Any) -> str:
        return cells.short(cells.plain(getattr(row, name)))

    return column


def money(name: str, title: str) -> Column:
    @admin.display(description=title)
    def column(row: Any) -> str:
        return cells.amount(getattr(row, name), getattr(row, "currency", None))

    return column


def count(name: str, title: str) -> Column:
    @admin.display(description=title)
    def column(row: Any) -> str:
        return cells.amount(getattr(row, name))

    return column


def target(name: str) -> Column:
    """Return a column with a link to a related row, or the external id that still waits for it."""

    @admin.display(description=name.replace("_", " ").capitalize())
    def column(row: Any) -> str:
        return _target(row, row._meta.get_field(name))

    return column


def _target(row: Any, key: ForeignKey[Any, Any]) -> str:
    known_as = getattr(row, f"{key.name}_external_id")
    pk = getattr(row, key.attname)
    if pk is not None:
        return cells.change_link(key.related_model, pk, cells.short(known_as or pk, 40))
    return cells.EMPTY if known_as is None else f"{str(known_as)[:40]} (not synced yet)"


class RefinedAdmin(ReadOnlyAdmin):
    """A kind. Subclasses name what their list shows and which rows belong to a record."""

    columns: tuple[Column, ...] = ()
    related: tuple[Related, ...] = ()
    list_filter = (SourceFilter, ("day", DayFilter), DeletedFilter)
    list_select_related = ("source",)
    deferred = ("source__config", "source__credentials")
    # Ids are time-ordered: this is newest first, on the primary key.
    ordering = ("-pk",)
    search_fields = ("external_id",)

    def get_list_display(self, request: HttpRequest) -> Sequence[Any]:
        return (self.shown_id, *self.columns, self.source_shown, "day", self.synced)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Search whole external ids and e-mail addresses: both are equalities that an index answers."""
        term = search_term.strip()
        if not term:
            return queryset, False
        # Naming every source makes it the unique key.
        sources = list(Source.objects.values_list("pk", flat=True))
        wanted = Q(source_id__in=sources, external_id=term)
        if self._has_email and "@" in term:
            wanted |= Q(email__in={term, term.lower()})
        return queryset.filter(wanted), False

    @property
    def search_help_text(self) -> str:
        return "Whole external id or e-mail" if self._has_email else "Whole external id"

    @property
    def _has_email(self) -> bool:
        return any(field.name == "email" for field in self.opts.concrete_fields)

    @admin.display(description="External id")
    def shown_id(self, row: RefinedRecord) -> str:
        shown = cells.short(row.external_id, 40)
        # No column of its own: of a thousand rows one is deleted.
        return format_html("{} {}", shown, cells.label("deleted", "red")) if row.deleted_at else shown

    @admin.display(description="Source")
    def source_shown(self, row: Any) -> SafeString:
        return cells.change_link(Source, row.source_id, row.source.name)

    @admin.display(description="Synced (UTC)")
    def synced(self, row: RefinedRecord) -> str:
        return cells.moment(row.synced_at)

    # The detail page

    def panels(self, request: HttpRequest, row: RefinedRecord) -> list[Panel]:
        raw = RawRecord.objects.filter(pk=row.raw_id or 0).defer("payload").first()
        return [
            facts("What it says", [_typed(row, column) for column in _own_columns(self.model)]),
            *(panel for related in self.related if (panel := _related(row, related))),
            facts("Where it comes from", _provenance(row, raw)),
            *_payload(raw),
        ]


def _own_columns(model: type[Model]) -> list[Any]:
    columns = [field for field in model._meta.concrete_fields if field.name not in SHARED]
    keys = {field.name for field in columns if isinstance(field, ForeignKey)}
    return [
        field
        for field in columns
        if field.name.removesuffix("_external_id") not in keys or field.name in keys
    ]


def _typed(row: Any, column: Field[Any, Any]) -> tuple[str, object]:
    title = str(column.verbose_name).capitalize()
    value = getattr(row, column.attname)
    if isinstance(column, ForeignKey):
        return title, _target(row, column)
    if column.name == "url":
        return title, cells.web_link(value)
    if column.name.endswith(("amount", "price", "cost")):
        return title, cells.amount(value, row.currency)
    return title, value


def _provenance(row: Any, raw: RawRecord | None) -> list[tuple[str, object]]:
    return [
        ("Source", cells.change_link(Source, row.source_id, row.source.name)),
        ("Changed at the source", row.source_updated_at),
        ("Counts for day", f"{row.day.isoformat()} (UTC)"),
        ("First synced", row.created_at),
        ("Last synced", row.synced_at),
        ("Deleted at the source", row.deleted_at),
        (
            "Built from",
            cells.change_link(RawRecord, raw.pk, f"version {raw.version}") if raw else "a pruned version",
        ),
        ("Raw versions", versions_link(raw) if raw else None),
        ("Id here", str(row.pk)),
    ]


def versions_link(raw: RawRecord) -> SafeString:
    return cells.list_link(
        RawRecord, "all versions of it", stream__id__exact=raw.stream_id, external_id=raw.external_id
    )


def _payload(raw: RawRecord | None) -> list[Panel]:
    if raw is None:
        return []
    shown = payloads.pretty(RawRecord.objects.filter(pk=raw.pk), "payload")
    return [
        Panel(title="As the source sent it", template="ingest/admin/payload.html", values={"text": shown})
    ]


def _related(row: RefinedRecord, related: Related) -> Panel | None:
    found = list(
        related.model._default_manager.filter(**{related.by: row}).order_by("-pk")[: RELATED_SHOWN + 1]
    )
    if not found:
        return None  # of a dozen kinds that may point here, a provider has two or three
    headers = ["External id", *(getattr(column, "short_description", "") for column in related.columns)]
    rows = [
        [
            cells.change_link(related.model, one.pk, cells.short(one.external_id, 40)),
            *(show(one) for show in related.columns),
        ]
        for one in found[:RELATED_SHOWN]
    ]
    more = ""
    if len(found) > RELATED_SHOWN:
        more = cells.list_link(related.model, "All of them", **{f"{related.by}__id__exact": row.pk})
    return table(related.title, headers=headers, rows=rows, more=more)
