"""What an installation knows about each source system, as data; its settings are `mpi.settings`.

A tenth organisation is a file in a folder, not code; so a mistake in that file must be told in one
sentence that names the file and the key, before any row is read.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from mpi.errors import InvalidSettings
from mpi.limits import SOURCE_NAME_CHARACTERS_MAX
from mpi.settings import Settings, read_settings, read_toml
from mpi.source_layout import (
    FileLayout,
    IdentifierDomain,
    PartLayout,
    RowLayout,
    SourceSystem,
    ValueLayout,
    date_pattern,
)

__all__ = [
    "Settings",
    "SourceSystem",
    "read_settings",
    "read_source_system",
    "read_source_systems",
]

SOURCES_FOLDER: Final = Path(__file__).parent / "sources"

TEXT_FIELDS: Final = frozenset(
    {
        "nhs_number", "nhs_number_status", "identifier", "given_name", "middle_name", "family_name",
        "date_of_birth", "sex", "address", "town", "postcode", "phone", "email", "birth_order",
        "title", "gp_practice", "ethnic_category", "language", "date_of_death",
    }
)  # fmt: skip
"""Fields of `Demographics` with one text. Base modules see no domain: a test compares the two."""
MANY_FIELDS: Final = frozenset({"other_phones"})
PART_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "previous_names": frozenset({"given_name", "family_name", "kind", "until"}),
    "previous_addresses": frozenset({"address", "town", "postcode", "until"}),
    "related_people": frozenset({"name", "relationship", "phone"}),
}
TRUST_DEFAULT: Final = 50
"""Trust, 0..`TRUST_MAX`, of a field of which a mapping says nothing."""
TRUST_MAX: Final = 100
_ENCODINGS: Final = frozenset({"utf-8", "utf-8-sig", "cp1252", "iso-8859-1", "iso-8859-15"})
"""Supersets of ASCII only: a line end and a delimiter are one byte, so a file can be cut."""
_FORMATS: Final = frozenset({"csv", "ndjson", "parquet"})
_PARTS: Final = frozenset(
    {"given_name", "middle_name", "family_name", "address", "town", "postcode"}
)


def read_source_systems(folder: Path | None = None) -> dict[str, SourceSystem]:
    """Every source system of a folder of mappings, by name, in the order of the names.

    Args:
        folder: Holds one `<source>.toml` for each; None means the product's own folder.

    Raises:
        InvalidSettings: If the folder holds no mapping or one is wrong; the sentence names the
            file and the key.
    """
    chosen = folder or SOURCES_FOLDER
    paths = sorted(chosen.glob("*.toml"))
    if not paths:
        raise InvalidSettings(f"{chosen}: the folder holds no source mapping (*.toml)")
    return {path.stem: read_source_system(path) for path in paths}


def read_source_system(path: Path) -> SourceSystem:
    """The source system that one mapping file describes.

    Args:
        path: A TOML file named `<source>.toml`; docs/interfaces/feeds.md describes its keys.

    Raises:
        InvalidSettings: If it cannot be read, or a key is missing, unknown or wrong; the sentence
            names the file and the key.
    """
    content = read_toml(path)
    top = _Table(path.name, "", content)
    source = _source_system(top, _content_digest(content))
    if source.name != path.stem:
        raise top.error("name", "must be the file's name without .toml")
    return source


class _Table:
    """A TOML table that knows where it is, so that every complaint names file and key."""

    def __init__(self, file: str, key: str, content: Any) -> None:
        self.file, self.key = file, key
        if not isinstance(content, dict):
            raise InvalidSettings(f"{file}: {key}: must be a table")
        self.content: dict[str, Any] = content

    def error(self, key: str, rule: str) -> InvalidSettings:
        return InvalidSettings(f"{self.file}: {self._path(key)}: {rule}")

    def allow(self, *keys: str) -> None:
        for key in self.content:
            if key not in keys:
                raise self.error(key, "there is no such key here")

    def table(self, key: str) -> _Table:
        return _Table(self.file, self._path(key), self.content.get(key, {}))

    def tables(self, key: str) -> list[_Table]:
        content = self.content.get(key, [])
        if not isinstance(content, list):
            raise self.error(key, "must be a list of tables, [[...]]")
        return [
            _Table(self.file, f"{self._path(key)}[{place}]", each)
            for place, each in enumerate(content, start=1)
        ]

    def text(self, key: str, default: str | None = None) -> str:
        value = self.content.get(key, default)
        if not isinstance(value, str) or not value:
            raise self.error(key, "must be a text that is not empty")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """One text or a list of them; none if the key is absent."""
        value = self.content.get(key, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
            raise self.error(key, "must be a text or a list of texts")
        return tuple(listed)

    def mapping(self, key: str) -> dict[str, str]:
        value = self.content.get(key, {})
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self.error(key, "must be a table of texts")
        return dict(value)

    def _path(self, key: str) -> str:
        return f"{self.key}.{key}" if self.key else key


def _source_system(top: _Table, digest: str) -> SourceSystem:
    top.allow(
        "name", "display", "ods_code", "identifier_domain", "file", "row", "fields", "trust",
        *PART_FIELDS,
    )  # fmt: skip
    domain = top.table("identifier_domain")
    domain.allow("uri", "kind")
    layout = _file_layout(top.table("file"))
    return SourceSystem(
        name=_source_name(top),
        display=top.text("display"),
        ods_code=top.text("ods_code"),
        identifier_domain=IdentifierDomain(uri=domain.text("uri"), kind=domain.text("kind")),
        file=layout,
        row=_row_layout(top.table("row"), layout),
        fields=_fields(top.table("fields"), layout),
        parts={name: _parts(top, name, layout) for name in PART_FIELDS},
        trust=_trust(top.table("trust")),
        digest=digest,
    )


def _source_name(top: _Table) -> str:
    name = top.text("name")
    if not re.fullmatch(rf"[a-z0-9_-]{{1,{SOURCE_NAME_CHARACTERS_MAX}}}", name):
        raise top.error(
            "name", f"must be 1-{SOURCE_NAME_CHARACTERS_MAX} lower-case letters, digits, - or _"
        )
    return name


def _file_layout(table: _Table) -> FileLayout:
    table.allow("format", "encoding", "delimiter", "empty", "ignored", "optional")
    layout = FileLayout(
        format=table.text("format"),
        encoding=table.text("encoding", "utf-8").lower(),
        delimiter=table.text("delimiter", ","),
        empty=frozenset(table.texts("empty")),
        ignored=frozenset(table.texts("ignored")),
        optional=frozenset(table.texts("optional")),
    )
    if layout.format not in _FORMATS:
        raise table.error("format", f"must be one of {', '.join(sorted(_FORMATS))}")
    if layout.encoding not in _ENCODINGS:
        raise table.error("encoding", f"must be one of {', '.join(sorted(_ENCODINGS))}")
    if layout.format != "csv" and layout.encoding != "utf-8":
        raise table.error("encoding", f"{layout.format} is always utf-8")
    if len(layout.delimiter) != 1 or not layout.delimiter.isascii() or layout.delimiter in '"\r\n':
        raise table.error("delimiter", "must be one ASCII character, no quotation mark or line end")
    return layout


def _row_layout(table: _Table, layout: FileLayout) -> RowLayout:
    table.allow("local_id", "event_at", "sequence", "entered_in_error")
    for key in ("local_id", "event_at"):
        if key not in table.content:
            raise table.error(key, "is missing")
    event, zone = _event_time(table)
    sequence = _value(table, "sequence", layout) if "sequence" in table.content else None
    error = table.table("entered_in_error")
    error.allow("column", "values")
    return RowLayout(
        local_id=_value(table, "local_id", layout),
        event_at=event,
        zone=zone,
        sequence=sequence,
        entered_in_error=ValueLayout(columns=(error.text("column"),)) if error.content else None,
        error_values=frozenset(error.texts("values")),
    )


def _event_time(table: _Table) -> tuple[ValueLayout, str]:
    event = table.table("event_at")
    event.allow("column", "format", "zone")
    date_format, zone = event.text("format", "ISO"), event.text("zone", "UTC")
    if date_format != "ISO":
        pattern = _checked_date(event, "format", date_format)
        if "<day>" not in pattern or "<month" not in pattern:
            raise event.error("format", "an event time needs year, month and day")
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise event.error("zone", "there is no such time zone") from error
    column = event.text("column")
    return ValueLayout(columns=(column,), dates=(date_format,)), zone


def _fields(table: _Table, layout: FileLayout) -> dict[str, tuple[ValueLayout, ...]]:
    table.allow(*TEXT_FIELDS, *MANY_FIELDS)
    values: dict[str, tuple[ValueLayout, ...]] = {
        name: (_value(table, name, layout),) for name in table.content if name in TEXT_FIELDS
    }
    for name in MANY_FIELDS & table.content.keys():
        listed = table.content[name]
        if not isinstance(listed, list):
            raise table.error(name, "must be a list of columns or tables")
        members = _Table(table.file, f"{table.key}.{name}", dict(enumerate(listed, start=1)))
        values[name] = tuple(_value(members, place, layout) for place in members.content)
    return values


def _parts(top: _Table, name: str, layout: FileLayout) -> tuple[PartLayout, ...]:
    return tuple(_part(table, PART_FIELDS[name], layout) for table in top.tables(name))


def _part(table: _Table, names: frozenset[str], layout: FileLayout) -> PartLayout:
    table.allow("each", "where", *names)
    each = table.text("each") if "each" in table.content else None
    if layout.format == "csv" and ("each" in table.content or "where" in table.content):
        raise table.error("each", "csv has no lists; name the columns instead")
    values = {name: _value(table, name, layout) for name in table.content if name in names}
    if not any(value.columns for value in values.values()):
        raise table.error("fields", "at least one must come from a column")
    return PartLayout(each=each, where=table.mapping("where"), fields=values)


def _value(table: _Table, key: str, layout: FileLayout) -> ValueLayout:
    """A column's name, or a table that says more."""
    content = table.content[key]
    if isinstance(content, str):
        content = {"column": content}
    value = _Table(table.file, table._path(key), content)
    value.allow(
        "column", "columns", "value", "where", "item", "split", "take", "join", "strip_prefix",
        "part", "codes", "date",
    )  # fmt: skip
    _check_value(value, layout)
    for date_format in value.texts("date"):
        _checked_date(value, "date", date_format)
    return ValueLayout(
        columns=value.texts("column") + value.texts("columns"),
        value=value.text("value") if "value" in value.content else None,
        where=value.mapping("where"),
        item=value.texts("item"),
        split=value.text("split") if "split" in value.content else None,
        take=value.text("take") if "take" in value.content else None,
        join=value.texts("join") or (" ",),
        strip_prefix=value.text("strip_prefix") if "strip_prefix" in value.content else "",
        part=value.text("part") if "part" in value.content else None,
        codes=value.mapping("codes"),
        dates=value.texts("date"),
    )


def _check_value(value: _Table, layout: FileLayout) -> None:
    content = value.content
    if sum(key in content for key in ("column", "columns", "value")) != 1:
        raise value.error("column", "name one of column, columns and value")
    if "column" in content:
        value.text("column")
    if "columns" in content and not all(value.texts("columns")):
        raise value.error("columns", "must not be empty")
    if content.get("part", "town") not in _PARTS:
        raise value.error("part", f"must be one of {', '.join(sorted(_PARTS))}")
    if content.get("take", "first") not in ("first", "rest"):
        raise value.error("take", "must be first or rest")
    if layout.format == "csv" and ("where" in content or "item" in content):
        raise value.error("where", "csv has no lists of objects")
    if len(value.texts("join")) > 1 and len(value.texts("join")) != len(value.texts("columns")) - 1:
        raise value.error("join", "must be one text, or one fewer than the columns")


def _checked_date(table: _Table, key: str, date_format: str) -> str:
    try:
        return date_pattern(date_format)
    except ValueError as error:
        raise table.error(key, str(error)) from error


def _trust(table: _Table) -> dict[str, int]:
    names = sorted(TEXT_FIELDS | MANY_FIELDS | PART_FIELDS.keys())
    table.allow("default", *names)
    for key, value in table.content.items():
        if type(value) is not int or not 0 <= value <= TRUST_MAX:
            raise table.error(key, f"must be a whole number from 0 to {TRUST_MAX}")
    default = table.content.get("default", TRUST_DEFAULT)
    return {name: table.content.get(name, default) for name in names}


def _content_digest(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(canonical.encode(), digest_size=16).hexdigest()
