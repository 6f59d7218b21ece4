"""Make functions of a source's layout: one row in, the canonical content of its version out.

The layout is walked once, when it is compiled; per row only the closures run. A region repeats
itself (35,000 birth dates, 50,000 forenames), so every change of a text is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from mpi.batch.source_text import (
    REMEMBERED_TEXTS,
    compile_date,
    compile_instant,
    split_address,
    split_comma_name,
)
from mpi.errors import InvalidRecord
from mpi.source_layout import PartLayout, SourceSystem, ValueLayout

Row = Any
"""A list of texts in the order of the header, or a JSON object."""
ReadText = Callable[[Row], str | None]
ReadTexts = Callable[[Row], list[str]]
Transform = Callable[[str], str | None]
ReadColumn = Callable[[str], Callable[[Row], Any]]
"""A column's name -> what reads it from a row: a text, or a JSON value."""


@dataclass(frozen=True, slots=True)
class CompiledLayout:
    """The functions of one layout, for rows of one header."""

    local_id: ReadText
    event_at: Callable[[Row], datetime | None]
    sequence: ReadText
    is_entered_in_error: Callable[[Row], bool]
    content: Callable[[Row], dict[str, Any]]
    """The fields that have a value, in alphabetical order (so that JSON of it is canonical)."""


def compile_layout(source: SourceSystem, header: Sequence[str] | None) -> CompiledLayout:
    """Functions that read rows of this source.

    Args:
        source: Its layout.
        header: Column names of a CSV file, in order; None for JSON objects.

    The functions raise `InvalidRecord` if a JSON value is a list or an object where a text should
    be, or the other way round.
    """
    column = _object_column(source) if header is None else _text_column(source, header)
    row = source.row
    return CompiledLayout(
        local_id=_compile_text(row.local_id, column),
        event_at=_compile_instant(row.event_at, row.zone, column),
        sequence=_compile_text(row.sequence, column) if row.sequence else _read_nothing,
        is_entered_in_error=_compile_flag(row.entered_in_error, row.error_values, column),
        content=_compile_content(source, column),
    )


def _text_column(source: SourceSystem, header: Sequence[str]) -> ReadColumn:
    """Columns of a row that is a list of texts; an optional column that is absent is empty."""
    places = {name: place for place, name in enumerate(header)}
    empty = source.file.empty

    def column(name: str) -> Callable[[Row], Any]:
        if name not in places:
            return _read_nothing
        place = places[name]
        if not empty:
            return lambda row: row[place].strip() or None

        def read(row: Row) -> str | None:
            text = row[place].strip()
            return text if text and text not in empty else None

        return read

    return column


def _object_column(source: SourceSystem) -> ReadColumn:
    """Members of a JSON object by dotted path; what is absent is empty."""
    empty = source.file.empty

    def column(name: str) -> Callable[[Row], Any]:
        *outer, last = name.split(".")

        def read(row: Row) -> Any:
            for key in outer:
                row = row.get(key)
                if row is None:
                    return None
                if not isinstance(row, dict):
                    raise InvalidRecord(f"{name}: an object is expected here")
            value = row.get(last)
            return value if type(value) is not str else _known_text(value.strip(), empty)

        return read

    return column


def _known_text(text: str, empty: frozenset[str]) -> str | None:
    return text if text and text not in empty else None


def scalar_text(value: Any, name: str) -> str | None:
    """A JSON or Parquet value as text: numbers as digits, dates as ISO 8601, truth as `true`."""
    if value is None or type(value) is str:
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, int | float | Decimal):
        return str(value)
    raise InvalidRecord(f"{name}: a text is expected here, not a list or an object")


def _read_nothing(_row: Row) -> None:
    return None


def _is_list(layout: ValueLayout) -> bool:
    return bool(layout.where or layout.item or layout.split or layout.take)


def _compile_text(layout: ValueLayout, column: ReadColumn) -> ReadText:
    """The value as one text; elements of a list are joined."""
    constant = layout.value
    if constant is not None:
        return lambda _row: constant
    raw = _compile_list(layout, column) if _is_list(layout) else _compile_source(layout, column)
    transform = _compile_transform(layout)
    if transform is None:
        return raw

    def read(row: Row) -> str | None:
        text = raw(row)
        return None if text is None else transform(text)

    return read


def _compile_texts(layout: ValueLayout, column: ReadColumn) -> ReadTexts:
    """The value as a list of texts: each element of a list is one."""
    if not _is_list(layout):
        single = _compile_text(layout, column)
        return lambda row: [text] if (text := single(row)) is not None else []
    elements = _compile_elements(layout, column)
    transform = _compile_transform(layout) or str

    def read(row: Row) -> list[str]:
        return [text for element in elements(row) if (text := transform(element)) is not None]

    return read


def _compile_list(layout: ValueLayout, column: ReadColumn) -> ReadText:
    elements, separator = _compile_elements(layout, column), layout.join[0]
    return lambda row: separator.join(elements(row)) or None


def _compile_source(layout: ValueLayout, column: ReadColumn) -> ReadText:
    reads = [_compile_scalar(name, column, layout.join[0]) for name in layout.columns]
    if len(reads) == 1:
        return reads[0]
    joins = layout.join if len(layout.join) > 1 else layout.join * len(reads)
    separators = ("", *joins)

    def read(row: Row) -> str | None:
        text = ""
        for place, each in enumerate(reads):
            value = each(row)
            if value is not None:
                text = text + separators[place] + value if text else value
        return text or None

    return read


def _compile_scalar(name: str, column: ReadColumn, join: str) -> ReadText:
    raw = column(name)

    def read(row: Row) -> str | None:
        value = raw(row)
        if type(value) is str or value is None:
            return value
        if isinstance(value, list):
            return join.join(_element_texts(value, name)) or None
        return scalar_text(value, name)

    return read


def _element_texts(values: Sequence[Any], name: str) -> list[str]:
    texts = (scalar_text(value, name) for value in values)
    return [stripped for text in texts if text is not None and (stripped := text.strip())]


def _compile_elements(layout: ValueLayout, column: ReadColumn) -> ReadTexts:
    if layout.split:
        whole = _compile_source(layout, column)
        cut = _compile_split(layout.split, layout.take)
        return lambda row: [] if (text := whole(row)) is None else list(cut(text))
    name = layout.columns[0]
    raw, take = column(name), layout.take
    where, items, join = layout.where, layout.item, layout.join[0]

    def read(row: Row) -> list[str]:
        values = _as_list(raw(row))
        if where or items:
            values = [_join_items(each, items, join) for each in _where(values, where, name)]
        return _taken(_element_texts(values, name), take)

    return read


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _where(values: Sequence[Any], where: Mapping[str, str], name: str) -> list[dict[str, Any]]:
    if not all(isinstance(value, dict) for value in values):
        raise InvalidRecord(f"{name}: objects are expected in this list")
    return [
        value
        for value in values
        if all(scalar_text(value.get(key), key) == expected for key, expected in where.items())
    ]


def _join_items(element: Mapping[str, Any], items: Sequence[str], join: str) -> str:
    return join.join(_element_texts([element.get(item) for item in items], items[0]))


def _taken(texts: list[str], take: str | None) -> list[str]:
    if take is None:
        return texts
    return texts[:1] if take == "first" else texts[1:]


def _compile_split(separator: str, take: str | None) -> Callable[[str], tuple[str, ...]]:
    def cut(text: str) -> tuple[str, ...]:
        pieces = [stripped for piece in text.split(separator) if (stripped := piece.strip())]
        return tuple(_taken(pieces, take))

    return lru_cache(REMEMBERED_TEXTS)(cut)


def _compile_transform(layout: ValueLayout) -> Transform | None:
    """Everything that turns a text into another, as one remembered function; None if nothing."""
    prefix, part, codes = layout.strip_prefix, layout.part, layout.codes
    if not (prefix or part or codes or layout.dates):
        return None
    split = split_comma_name if part and part.endswith("_name") else split_address
    to_date = compile_date(layout.dates) if layout.dates else str

    def transform(text: str) -> str | None:
        value: str | None = text.removeprefix(prefix).strip() or None
        if part and value:
            value = split(value)[part]
        if value is None:
            return None
        return to_date(codes.get(value, value))

    return lru_cache(REMEMBERED_TEXTS)(transform)


def _compile_instant(
    layout: ValueLayout, zone: str, column: ReadColumn
) -> Callable[[Row], datetime | None]:
    raw = _compile_source(layout, column)
    parse = compile_instant(layout.dates[0], ZoneInfo(zone))

    def read(row: Row) -> datetime | None:
        text = raw(row)
        if text is None:
            return None
        try:
            return parse(text)
        except (ValueError, OverflowError):
            return None

    return read


def _compile_flag(
    layout: ValueLayout | None, values: frozenset[str], column: ReadColumn
) -> Callable[[Row], bool]:
    if layout is None:
        return lambda _row: False
    read = _compile_text(layout, column)
    return lambda row: read(row) in values


def _compile_content(source: SourceSystem, column: ReadColumn) -> Callable[[Row], dict[str, Any]]:
    members: dict[str, Callable[[Row], Any]] = {}
    for name, layouts in source.fields.items():
        many = [_compile_texts(layout, column) for layout in layouts]
        is_many = name == "other_phones"
        members[name] = _compile_all(many) if is_many else _compile_text(layouts[0], column)
    for name, parts in source.parts.items():
        if parts:
            members[name] = _compile_all([_compile_part(part, column) for part in parts])
    ordered = sorted(members.items())

    def content(row: Row) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, read in ordered:
            value = read(row)
            if value:
                found[name] = value
        return found

    return content


def _compile_all(reads: Sequence[Callable[[Row], list[Any]]]) -> Callable[[Row], list[Any]]:
    if len(reads) == 1:
        return reads[0]
    return lambda row: [value for read in reads for value in read(row)]


def _compile_part(part: PartLayout, column: ReadColumn) -> Callable[[Row], list[dict[str, str]]]:
    """A previous name, address or related person; without any value from a column there is none."""
    ordered = sorted(part.fields.items())
    reads = [(name, _compile_text(layout, column)) for name, layout in ordered if layout.columns]
    constants = {name: layout.value for name, layout in ordered if layout.value is not None}

    def read_one(row: Row) -> list[dict[str, str]]:
        found = {name: text for name, read in reads if (text := read(row)) is not None}
        if not found:
            return []
        return [dict(sorted((found | constants).items())) if constants else found]

    if part.each is None:
        return read_one
    name, raw, where = part.each, column(part.each), part.where
    return lambda row: [
        each for element in _where(_as_list(raw(row)), where, name) for each in read_one(element)
    ]
