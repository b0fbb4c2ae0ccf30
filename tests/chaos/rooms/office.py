"""A provider of nothing but reports: started, asked for, and read behind a signed link."""

from __future__ import annotations

from typing import Any

import msgspec
from pydantic import SecretStr

from connectors.auth.schemes import BearerToken
from connectors.base import Access, AuthMode, Config, Connector, FetchRequest, Json, Page, Stream
from connectors.fields import Fields
from connectors.http import HttpSession
from connectors.kinds import GenericRecord
from connectors.report_rows import JsonLines
from connectors.reports import Report, ReportFlow, ReportState


class OfficeConfig(Config):
    base_url: str
    """Where the office is."""
    poll_seconds: float = 1.0
    """How often a report is asked for."""


class OfficeKey(AuthMode):
    """The key of the office."""

    mode = "key"
    title = "Key"

    token: SecretStr
    """Sent as Bearer."""


def refine(payload: Json) -> GenericRecord:
    raw = Fields(payload)
    # Every field that can be spoilt is looked at.
    raw.text("album")
    return GenericRecord(
        external_id=raw.identity("id"), occurred_at=raw.moment("created_at"), title=raw.text("name")
    )


class Office(Connector):
    name = "office"
    title = "Office"
    config_model = OfficeConfig
    example = {"base_url": "http://127.0.0.1:8099/office"}
    auth_modes = (OfficeKey,)

    def __init__(self, *, config: OfficeConfig, credentials: OfficeKey, access: Access) -> None:
        super().__init__(config=config, credentials=credentials, access=access)
        auth = BearerToken(credentials.token.get_secret_value())
        self._api = HttpSession(connector=self.name, access=access, auth=auth)
        self._files = HttpSession(connector=self.name, access=access)
        self._flow = ReportFlow(
            start=self._start,
            poll=self._poll,
            files=self._files,
            layout=JsonLines(connector=self.name, updated_path="updated_at"),
            clock=access.clock,
            poll_seconds=config.poll_seconds,
        )

    def streams(self) -> tuple[Stream, ...]:
        return (Stream(name="report", kind="record", refine=refine, ways=("report",)),)

    def fetch(self, stream: Stream, request: FetchRequest) -> Page:
        return self._flow.fetch(request)

    def close(self) -> None:
        self._api.close()
        self._files.close()

    def _start(self, request: FetchRequest) -> str:
        return str(self._asked("POST", "start")["id"])

    def _poll(self, report_id: str) -> Report:
        told = self._asked("GET", "poll", id=report_id)
        state = ReportState[told["state"].upper()]
        return Report(state=state, url=told["url"], said=told["state"], rows=told["rows"])

    def _asked(self, method: str, step: str, **params: str) -> Any:
        answer = self._api.request(method, f"{self.config.base_url}/{step}", params=params)
        return msgspec.json.decode(answer.body)
