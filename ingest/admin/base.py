"""What every list and detail page here has: bounded counts, buttons behind permissions, panels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from ingest.admin import cells
from ingest.admin.paging import BoundedPaginator
from ingest.models import SourceStream


def always(row: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """Something staff may do with rows: an action of the list and a button on the detail page."""

    name: str
    label: str
    icon: str
    #: Does it, and tells the person through messages what came of it.
    run: Callable[[HttpRequest, QuerySet[Any]], None]
    #: Whether the detail page of this row shows the button.
    is_offered: Callable[[Any], bool] = always
    is_main: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A part of a detail page."""

    title: str
    template: str
    values: Mapping[str, Any] = field(default_factory=dict)


def facts(title: str, pairs: Sequence[tuple[str, object]]) -> Panel:
    shown = [(name, cells.plain(value)) for name, value in pairs]
    return Panel(title=title, template="ingest/admin/facts.html", values={"pairs": shown})


def table(
    title: str,
    *,
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    more: str = "",
    ends_in_text: bool = False,
) -> Panel:
    """`ends_in_text`: the last column holds sentences, which are broken into lines."""
    shown = [[cells.plain(cell) for cell in row] for row in rows]
    values = {"headers": headers, "rows": shown, "more": more, "ends_in_text": ends_in_text}
    return Panel(title=title, template="ingest/admin/table.html", values=values)


class RowList(ChangeList):
    """A list whose one count is the paginator's label."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # Where the two differ the header shows a count, which beyond the bound would be wrong.
        self.full_result_count: int | None = self.result_count


class SyncAdmin(ModelAdmin):
    """Base of every admin class of this project's models."""

    change_form_template = "ingest/admin/change_form.html"
    paginator = BoundedPaginator
    show_full_result_count = False
    list_per_page = 50
    list_filter_submit = True
    list_fullwidth = True
    # Only the ordering given is on an index.
    sortable_by = ()
    compressed_fields = True
    verbs: tuple[Verb, ...] = ()
    #: Related rows that lists show the name of.
    deferred: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer(*self.deferred)  # type: ignore[no-any-return]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RowList

    # Deleting here would cascade over millions of rows, and a record deleted by hand comes back.
    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def may_act(self, request: HttpRequest) -> bool:
        """Tell whether the verbs are for this person, although the form may be for nobody."""
        codename = get_permission_codename("change", self.opts)
        return bool(request.user.has_perm(f"{self.opts.app_label}.{codename}"))

    # Verbs

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        offered = super().get_actions(request)
        if self.may_act(request):
            offered |= {verb.name: (self._action(verb), verb.name, verb.label) for verb in self.verbs}
        return dict(offered)

    def _action(self, verb: Verb) -> Callable[[Any, HttpRequest, QuerySet[Any]], None]:
        def action(_admin: Any, request: HttpRequest, chosen: QuerySet[Any]) -> None:
            self._do(request, verb, chosen)

        return action

    def _do(self, request: HttpRequest, verb: Verb, chosen: QuerySet[Any]) -> None:
        # What is chosen may no longer fit the list's filter once it is done.
        rows = list(chosen)
        verb.run(request, self.model._default_manager.filter(pk__in=[row.pk for row in rows]))
        user: Any = request.user
        LogEntry.objects.log_actions(user.pk, rows, action_flag=CHANGE, change_message=verb.label)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST" and not self.may_act(request):
            raise PermissionDenied
        if "%00" in request.META.get("QUERY_STRING", ""):
            # PostgreSQL has no text with a NUL; e=1 is how the list says that it did not understand.
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")
        response: HttpResponse = super().changelist_view(request, extra_context)
        return response

    def get_urls(self) -> list[URLPattern]:
        do = path(
            "<path:object_id>/do/<slug:verb_name>/",
            self.admin_site.admin_view(self.do_view),
            name=f"{self.opts.app_label}_{self.opts.model_name}_do",
        )
        return [do, *super().get_urls()]

    def do_view(self, request: HttpRequest, object_id: str, verb_name: str) -> HttpResponse:
        """Do one verb to one row. :raises PermissionDenied: unless the person may change such rows"""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not self.may_act(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        verb = next((verb for verb in self.verbs if verb.name == verb_name), None)
        if row is None or verb is None:
            redirect: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, object_id)
            return redirect
        if verb.is_offered(row):
            self._do(request, verb, self.get_queryset(request).filter(pk=row.pk))
        else:
            messages.warning(
                request, f"{verb.label}: no longer possible, as this {self.opts.verbose_name} moved on."
            )
        return HttpResponseRedirect(cells.change_url(self.model, row.pk))

    # Detail pages

    def panels(self, request: HttpRequest, row: Any) -> list[Panel]:
        """Return what the detail page shows below the form."""
        return []

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, obj: Any = None, **kwargs: Any
    ) -> HttpResponse:
        if obj is not None:
            context["panels"] = self.panels(request, obj)
            context["may_act"] = self.may_act(request)
            context["buttons"] = self._buttons(obj) if self.may_act(request) else []
        response: HttpResponse = super().render_change_form(request, context, *args, obj=obj, **kwargs)
        return response

    def _buttons(self, row: Any) -> list[dict[str, Any]]:
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_do"
        offered = [verb for verb in self.verbs if verb.is_offered(row)]
        return [{"verb": verb, "url": reverse(name, args=[row.pk, verb.name])} for verb in offered]


class ReadOnlyAdmin(SyncAdmin):
    """Rows that only the sync writes: no form, the panels show them."""

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        return []

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class FoundByExternalId:
    """Search for rows that belong to a stream: whole external ids, served by the index on stream and id."""

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Name every stream along with the id, as the index begins with the stream."""
        if not search_term.strip():
            return queryset, False
        streams = list(SourceStream.objects.values_list("pk", flat=True))
        return queryset.filter(stream_id__in=streams, external_id=search_term.strip()), False
