"""The form of a source: settings checked by its connector, credentials taken but never given back."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from connectors import all_connectors, exact_json
from connectors.errors import ConfigError, RecordError
from connectors.urls import origin
from ingest.admin import guide
from ingest.connecting import connector_for
from ingest.models import Source


class SecretTextarea(UnfoldAdminTextareaWidget):
    """Shows nothing of what it was given, not even after an error elsewhere in the form."""

    def format_value(self, value: Any) -> str:
        return ""


class JsonObjectField(forms.JSONField):
    """A JSON object that PostgreSQL can store."""

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, indent=2, ensure_ascii=False) if isinstance(value, dict) else value

    def bound_data(self, data: Any, initial: Any) -> Any:
        # What was typed goes back as it was typed: parsed, it may be nothing that can be written again.
        return InvalidJSONInput(data or "")

    def to_python(self, value: Any) -> Any:
        """:raises ValidationError: saying what is wrong, never with the text itself"""
        if not isinstance(value, str) or not value.strip():
            return value or {}
        try:
            exact_json.loads(value.encode(errors="surrogatepass"))
        except RecordError as error:
            raise forms.ValidationError(f"{error}. Give a JSON object.") from error
        found = super().to_python(value)
        if not isinstance(found, dict):
            raise forms.ValidationError('Give a JSON object: {"name": value, ...}.')
        return found


class SourceForm(forms.ModelForm):
    connector = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    config = JsonObjectField(
        required=False, initial=dict, widget=UnfoldAdminTextareaWidget(attrs={"rows": 8})
    )
    new_credentials = JsonObjectField(
        required=False,
        label="Credentials",
        widget=SecretTextarea(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
    )

    class Meta:
        model = Source
        fields = ("name", "connector", "config")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        names = {name: cls.title for name, cls in all_connectors().items()}
        # A source whose connector is gone can still be looked at.
        names.setdefault(self.instance.connector, self.instance.connector)
        if "connector" in self.fields:
            connector: Any = self.fields["connector"]
            connector.choices = [
                ("", "Choose what it reads"),
                *((name, names[name]) for name in names if name),
            ]
        is_new = "connector" in self.fields
        shown = all_connectors() if is_new else [self.instance.connector]
        self.fields["config"].help_text = guide.of_settings(*shown, is_new=is_new)
        self.fields["new_credentials"].help_text = guide.of_credentials(*shown, is_new=is_new)

    def clean_new_credentials(self) -> Any:
        """:raises ValidationError: if something of an example was left as it is"""
        given = self.cleaned_data["new_credentials"]
        if left := guide.placeholders(given):
            raise forms.ValidationError(f"Put your own value for {', '.join(left)}.")
        return given

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            self._ask_the_connector(cleaned)
        return cleaned

    def _ask_the_connector(self, cleaned: dict[str, Any]) -> None:
        draft = copy.copy(self.instance)
        draft.connector = cleaned.get("connector", draft.connector)
        draft.config = cleaned["config"]
        if cleaned["new_credentials"]:
            draft.credentials = cleaned["new_credentials"]
        try:
            connector = connector_for(draft)
            try:
                connector.streams()
            finally:
                connector.close()
        except ConfigError as error:
            is_secret = "credentials" in str(error)
            self.add_error("new_credentials" if is_secret else "config", str(error))
        else:
            if self.instance.credentials and not cleaned["new_credentials"]:
                self._refuse_strangers(hosts_in(draft.config) - hosts_in(self.initial["config"]))

    def _refuse_strangers(self, hosts: set[tuple[str, str, int]]) -> None:
        """Credentials nobody is shown must not be sent to a host of one's choice."""
        if hosts:
            named = ", ".join(sorted(f"{scheme}://{host}:{port}" for scheme, host, port in hosts))
            self.add_error(
                "new_credentials",
                f"The settings name {named} now: give the credentials again, as they would go there.",
            )


def hosts_in(settings: Any) -> set[tuple[str, str, int]]:
    """Return scheme, host and port of every address in the settings."""
    if isinstance(settings, dict | list):
        inside = settings.values() if isinstance(settings, dict) else settings
        return set().union(*map(hosts_in, inside))
    with suppress(ValueError):
        if isinstance(settings, str) and "://" in settings:
            return {origin(settings)}
    return set()
