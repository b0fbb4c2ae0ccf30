"""What may be configured about delimited files."""

from __future__ import annotations

from typing import Any, Self

from pydantic import ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from connectors.base import Config
from connectors.configured import streams_by_name


class TableConfig(Config):
    """One file. The names people write are in camel case, as in `sourceIdentifier`."""

    model_config = ConfigDict(alias_generator=to_camel)

    source_identifier: str = Field(min_length=1)
    target_table: str = "content_index"
    content_type: str | None = None
    has_header: bool = True
    #: Names for the columns of a file without a header row.
    columns: tuple[str, ...] = ()
    column_mapping: dict[str, str | int] = Field(default_factory=dict)
    external_id: tuple[str | int, ...] = ()
    null_values: tuple[str, ...] = ()
    skip_rows: int = Field(default=0, ge=0)
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quotechar: str = Field(default='"', min_length=1, max_length=1)
    escapechar: str | None = Field(default=None, min_length=1, max_length=1)
    encoding: str | None = None

    @field_validator("external_id", mode="before")
    @classmethod
    def _one_column_may_stand_alone(cls, value: Any) -> Any:
        return [value] if isinstance(value, str | int) else value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        special = [char for char in (self.delimiter, self.quotechar, self.escapechar) if char is not None]
        if len(set(special)) < len(special) or set(special) & set("\r\n\0"):
            raise ValueError("delimiter, quotechar and escapechar must differ, and none may be a line end")
        if self.has_header and self.columns:
            raise ValueError("columns names those of a file without a header row: set hasHeader to false")
        if self.external_id and "external_id" in self.column_mapping:
            raise ValueError("give the id by columnMapping or by externalId, not by both")
        return self


class CsvConfig(Config):
    """One file, or several under `streams`."""

    streams: dict[str, TableConfig]

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, values: Any) -> Any:
        return streams_by_name(values, default_name="rows")
