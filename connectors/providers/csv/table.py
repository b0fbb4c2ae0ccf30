"""What one file's columns mean: its records, their ids, their kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from connectors import exact_json
from connectors.base import MAX_ID_LENGTH, Json, SourceRecord
from connectors.delimited import Row
from connectors.errors import ConfigError, RecordError
from connectors.kinds import CatalogItem, GenericRecord, Kind, mappable_fields, to_datetime
from connectors.mapping import FieldMapping
from connectors.providers.csv.settings import TableConfig

SHOWN_COLUMNS = 60
# Where a row's id stands for the mapping; no column can have this name.
ID = "\0id"
#: The columns of a catalogue file that has no header row.
CATALOG_COLUMNS = (
    "category_id",
    "capacity",
    "capacity_gb",
    "price",
    "content_count",
    "content_unit",
    "is_active",
    "is_popular",
)


class Table:
    """What one file's columns mean."""

    def __init__(self, settings: TableConfig) -> None:
        """:raises ConfigError: if a field, a kind or a column cannot be what is meant"""
        self.settings = settings
        self.kind = FieldMapping(kind=settings.target_table, mapping={}).kind
        #: The file as it may be shown: a URL's query may hold a signature.
        self.shown = settings.source_identifier.partition("?")[0]
        self.digest = hashlib.sha256(settings.model_dump_json().encode()).hexdigest()
        self.columns = settings.columns or self._usual_columns()
        fields = mappable_fields(self.kind)
        configured = {field: self._column(name) for field, name in settings.column_mapping.items()}
        self._columns = configured or {field: field for field in fields}
        self._ids = tuple(configured.get(str(name), self._column(name)) for name in settings.external_id)
        if "external_id" in configured:
            self._ids = (configured["external_id"],)
        self._mapping = FieldMapping(
            kind=settings.target_table,
            mapping={field: _path(column) for field, column in {**self._columns, "external_id": ID}.items()},
            defaults={"content_type": settings.content_type} if "content_type" in fields else {},
        )

    def refine(self, payload: Json) -> Kind:
        """:raises RecordError: if the row has no id, or a value does not fit"""
        said = {column: value for column, value in payload.items() if self._says(value)}
        return self._mapping.refine({**said, ID: self._external_id(payload)})

    def record(self, row: Row, columns: Sequence[str]) -> SourceRecord:
        """Return the row as a record, or as the problem it is."""
        position = f"line {row.line}"
        problem = row.problem or self._misfit(row, columns)
        if problem:
            text = row.text.replace("\0", "\\u0000")  # no database stores it, and people have to see it
            body = exact_json.dumps({"line": row.line, "text": text})
            return SourceRecord(body=body, position=position, problem=problem)
        payload = dict(zip(columns, row.cells, strict=True))
        body = exact_json.dumps(payload)
        try:
            external_id = self._external_id(payload, body)
        except RecordError as error:
            return SourceRecord(body=body, position=position, problem=f"{position}: {error}")
        updated_at = None
        with suppress(RecordError):  # refining will say so; the record itself can be kept
            updated_at = to_datetime("updated_at", payload.get(self._columns.get("updated_at", ""), ""))
        return SourceRecord(body=body, external_id=external_id, updated_at=updated_at, position=position)

    def check(self, columns: Sequence[str], line: int) -> None:
        """:raises ConfigError: if these are not the columns the settings speak of"""
        listed = ", ".join(map(repr, columns[:SHOWN_COLUMNS]))
        found = f"line {line} has the columns {listed}"
        twice = sorted({column for column in columns if columns.count(column) > 1})
        if twice:
            raise ConfigError(
                f"{found}; {', '.join(map(repr, twice))} stands there more than once: rename one."
            )
        wanted = [*(self._columns.values() if self.settings.column_mapping else ()), *self._ids]
        missing = sorted(set(wanted) - set(columns))
        if missing:
            raise ConfigError(
                f"{found}, but not {', '.join(map(repr, missing))}, which the settings name."
                " Check columnMapping, externalId, hasHeader, skipRows and delimiter."
            )
        is_mapped = not set(self._columns.values()).isdisjoint(columns)
        if not is_mapped and self.kind is not GenericRecord:
            raise ConfigError(
                f"{found}; none is a field of {self.kind.kind}: set columnMapping (or hasHeader)."
            )

    def _usual_columns(self) -> tuple[str, ...]:
        settings = self.settings
        if settings.has_header or settings.column_mapping or self.kind is GenericRecord:
            return ()
        if self.kind is CatalogItem:
            return CATALOG_COLUMNS
        raise ConfigError(
            "a file without a header row needs columnMapping (with column numbers from 1) or columns."
        )

    def _column(self, name: str | int) -> str:
        if isinstance(name, str):
            return name
        if self.settings.has_header:
            raise ConfigError(f"column {name}: the file has a header row; use the name that stands there.")
        if not self.columns:
            return str(name)
        if not 1 <= name <= len(self.columns):
            raise ConfigError(
                f"column {name}: columns are counted from 1, and there are {len(self.columns)}."
            )
        return self.columns[name - 1]

    def _says(self, value: Any) -> bool:
        return value != "" and value not in self.settings.null_values

    def _external_id(self, payload: Json, body: bytes | None = None) -> str:
        ids = self._ids or tuple({"external_id"} & payload.keys() & self._columns.keys())
        if not ids:
            # The database may hand the payload back with its keys in another order; this hash does not mind.
            return exact_json.canonical_hash(body or exact_json.dumps(payload)).hex()
        cells = [payload.get(column, "") for column in ids]
        parts = [str(cell) if self._says(cell) else "" for cell in cells]
        external_id = parts[0] if len(parts) == 1 else _joined(parts)
        if not any(parts):
            raise RecordError(f"no value in {', '.join(ids)}, which should hold the id")
        if len(external_id) > MAX_ID_LENGTH:
            raise RecordError(f"the id in {', '.join(ids)} is longer than {MAX_ID_LENGTH} characters")
        return external_id

    def _misfit(self, row: Row, columns: Sequence[str]) -> str:
        prefix = f"Invalid row format at line {row.line}"
        if len(row.cells) != len(columns):
            which = "the header has" if self.settings.has_header else "there should be"
            cut = (
                "; the file ends here without a line end, so it may be cut off" if row.is_unterminated else ""
            )
            return f"{prefix}: {len(row.cells)} cells where {which} {len(columns)}{cut}"
        return f"{prefix}: it holds a NUL character" if "\0" in row.text else ""


def _path(column: str) -> str:
    return f'"{column}"' if not set('"\\') & set(column) else json.dumps(column)


def _joined(parts: Sequence[str]) -> str:
    # Escaped, so that "a:b" + "c" and "a" + "b:c" stay two ids.
    return ":".join(part.replace("%", "%25").replace(":", "%3A") for part in parts)
