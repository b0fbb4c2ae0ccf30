"""The streams of a source, in its page: schedule, mode, lookback and page size are staff's to change."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import TabularInline

from ingest import schedules
from ingest.admin import cells
from ingest.models import SourceStream


class StreamForm(forms.ModelForm):
    class Meta:
        model = SourceStream
        fields = ("is_enabled", "mode", "schedule", "lookback", "page_size", "deletion_brake")
        labels = {"is_enabled": "On", "deletion_brake": "Brake, %"}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "mode" in self.fields:
            mode: Any = self.fields["mode"]
            # What stands before the colon; the column has no room for more.
            mode.choices = [
                (value, str(label).partition(":")[0]) for value, label in SourceStream.Mode.choices
            ]

    def clean_schedule(self) -> str:
        """:raises ValidationError: if the text is no schedule"""
        text: str = self.cleaned_data["schedule"].strip()
        try:
            schedules.check(text)
        except schedules.BadSchedule as error:
            raise forms.ValidationError(str(error)) from error
        return text

    def clean_lookback(self) -> Any:
        """:raises ValidationError: if it would skip records instead of reading some twice"""
        lookback = self.cleaned_data["lookback"]
        if lookback is not None and lookback.total_seconds() < 0:
            raise forms.ValidationError("A lookback goes back: give 0 or more, say 00:10:00.")
        return lookback


class StreamInline(TabularInline):
    model = SourceStream
    form = StreamForm
    extra = 0
    can_delete = False
    ordering = ("name",)
    hide_title = True
    verbose_name_plural = "streams (times in UTC)"
    fields = (
        "name_shown",
        "is_enabled",
        "mode",
        "schedule",
        "lookback",
        "page_size",
        "deletion_brake",
        "watermark_shown",
        "next_shown",
        "success_shown",
    )
    readonly_fields = ("name_shown", "watermark_shown", "next_shown", "success_shown")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[SourceStream]:
        return super().get_queryset(request).defer("state")  # type: ignore[no-any-return]

    @admin.display(description="Stream and kind")
    def name_shown(self, stream: SourceStream) -> SafeString:
        return format_html('<span class="sync-stream">{}<small>{}</small></span>', stream.name, stream.kind)

    @admin.display(description="Watermark")
    def watermark_shown(self, stream: SourceStream) -> str:
        return cells.moment(stream.watermark)

    @admin.display(description="Next run")
    def next_shown(self, stream: SourceStream) -> str:
        return cells.moment(stream.next_run_at)

    @admin.display(description="Last success")
    def success_shown(self, stream: SourceStream) -> str:
        return cells.moment(stream.last_success_at)
