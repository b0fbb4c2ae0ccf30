"""The form of a source: settings checked by its connector, credentials taken but never given back."""

from __future__ import annotations

import copy
import json
from typing import Any

from django import forms
from django.forms.fields import InvalidJSONInput
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from connectors import all_connectors, exact_json
from connectors.base import Connector
from connectors.errors import ConfigError, RecordError
from connectors.modes import fields_shown
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
            connector.choices = [(name, title) for name, title in names.items() if name]
            self.fields["config"].help_text = _settings_known()
        self.fields["new_credentials"].help_text = (
            'A JSON object such as {"access_token": "..."}. Kept encrypted and never shown again: leave it '
            "empty to keep what is set; after an error in this form give it again."
        )

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


def _settings_known() -> SafeString:
    rooms = all_connectors().items()
    known = [(_settings_of(name, cls),) for name, cls in rooms]
    return format_html("A JSON object. {}", format_html_join("", "<br>{}", known))


def _settings_of(name: str, connector: type[Connector]) -> str:
    modes = [mode for mode in connector.auth_modes if mode.model_fields]
    # Where there is one only, what it takes says it all.
    ways = [f"{mode.mode}: {fields_shown(mode)}" if len(modes) > 1 else fields_shown(mode) for mode in modes]
    secrets = f"; credentials: {'; or '.join(ways)}" if ways else ""
    return f"{name}: {fields_shown(connector.config_model)}{secrets}."
