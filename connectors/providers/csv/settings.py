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
    """Path below one of SYNC_FILE_ROOTS, an http(s) URL, or s3://BUCKET/NAME; plain, gzip or zip."""
    zip_member: str = ""
    """Of a zip archive with several files: the name of one, or a pattern such as `*/orders-*.csv`."""
    s3_endpoint: str = Field(default="", pattern=r"^(https?://[^?#\s]+)?$")
    """For s3://: the store's address, such as https://minio.example.com; empty: Amazon S3."""
    s3_region: str = Field(default="us-east-1", pattern=r"^[a-z0-9-]+$")
    """For s3://: the region keys are made out for; many other stores take any."""
    target_table: str = "content_index"
    """A kind, or `content_index`, `catalog_items`."""
    content_type: str | None = None
    """What the content is (music, video); for content items."""
    has_header: bool = True
    """The first row names the columns."""
    columns: tuple[str, ...] = ()
    """Names for the columns of a file without a header row."""
    column_mapping: dict[str, str | int] = Field(default_factory=dict)
    """Our field to their column, by name, or by number from 1 where there are no names."""
    external_id: tuple[str | int, ...] = ()
    """The columns whose values, joined with ":", are the id of a row."""
    null_values: tuple[str, ...] = ()
    """Cells that say nothing, besides blank ones."""
    skip_rows: int = Field(default=0, ge=0)
    """How many lines to leave out at the beginning."""
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    """What stands between cells; an Excel `sep=;` line is honoured."""
    quotechar: str = Field(default='"', min_length=1, max_length=1)
    """What stands around cells that hold delimiters or line ends."""
    escapechar: str | None = Field(default=None, min_length=1, max_length=1)
    """What stands before a quote that is part of a cell; usually quotes are doubled."""
    encoding: str | None = None
    """How bytes are read; default: byte order mark, else strict UTF-8."""

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
    """Settings of each file by the name of its stream; one file may stand at the top level."""

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, values: Any) -> Any:
        return streams_by_name(values, default_name="rows")
