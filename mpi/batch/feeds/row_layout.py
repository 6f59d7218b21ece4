"""Make functions of a source's layout: one row in, the canonical content of its version out.

The layout is walked once, when it is compiled; per row only the closures run. A region repeats
itself (35,000 birth dates, 50,000 forenames), so every change of a text is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from mpi.batch.feeds.row_cells import (
    Cells,
    ObjectCells,
    ReadText,
    Row,
    TextCells,
    as_list,
    list_texts,
    objects_where,
    read_nothing,
)
from mpi.batch.feeds.source_text import (
    REMEMBERED_TEXTS,
    compile_date,
    compile_instant,
    split_address,
    split_comma_name,
)
from mpi.source_layout import PartLayout, SourceSystem, ValueLayout

ReadTexts = Callable[[Row], list[str]]
Transform = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class CompiledLayout:
    """The functions of one layout, for rows of one header."""

    prepare: Callable[[Row], Row]
    """To be called first; the others take what it returns."""
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
    row, empty = source.row, source.file.empty
    cells = ObjectCells(empty) if header is None else TextCells(header, empty)
    return CompiledLayout(
        prepare=cells.prepare,
        local_id=_compile_local_id(row.local_id, cells),
        event_at=_compile_instant(row.event_at, row.zone, cells),
        sequence=_compile_text(row.sequence, cells) if row.sequence else read_nothing,
        is_entered_in_error=_compile_flag(row.entered_in_error, row.error_values, cells),
        content=_compile_content(source, cells),
    )


def _is_list(layout: ValueLayout) -> bool:
    return bool(layout.where or layout.item or layout.split or layout.take)


def _compile_text(layout: ValueLayout, cells: Cells) -> ReadText:
    """The value as one text; elements of a list are joined."""
    constant = layout.value
    if constant is not None:
        return lambda _row: constant
    raw = _compile_list(layout, cells) if _is_list(layout) else _compile_source(layout, cells)
    transform = _compile_transform(layout)
    if transform is None:
        return raw

    def read(row: Row) -> str | None:
        text = raw(row)
        return transform(text) if text else None

    return read


def _compile_local_id(layout: ValueLayout, cells: Cells) -> ReadText:
    """All of its columns or nothing: a practice's code alone would be the record of many people."""
    read, columns = _compile_text(layout, cells), layout.columns
    if len(columns) < 2:
        return read
    parts = [cells.read_text(name, layout.join[0]) for name in columns]
    return lambda row: read(row) if all(part(row) for part in parts) else None


def _compile_texts(layout: ValueLayout, cells: Cells) -> ReadTexts:
    """The value as a list of texts: each element of a list is one."""
    if not _is_list(layout):
        single = _compile_text(layout, cells)
        return lambda row: [text] if (text := single(row)) else []
    elements = _compile_elements(layout, cells)
    transform = _compile_transform(layout)
    if transform is None:
        return elements
    change = transform
    return lambda row: [text for element in elements(row) if (text := change(element))]


def _compile_list(layout: ValueLayout, cells: Cells) -> ReadText:
    elements, separator = _compile_elements(layout, cells), layout.join[0]
    return lambda row: separator.join(elements(row))


def _compile_source(layout: ValueLayout, cells: Cells) -> ReadText:
    reads = [cells.read_text(name, layout.join[0]) for name in layout.columns]
    if len(reads) == 1:
        return reads[0]
    joins = layout.join if len(layout.join) > 1 else layout.join * len(reads)
    separated = list(zip(("", *joins), reads, strict=False))

    def read(row: Row) -> str:
        text = ""
        for separator, each in separated:
            value = each(row)
            if value:
                text = text + separator + value if text else value
        return text

    return read


def _compile_elements(layout: ValueLayout, cells: Cells) -> ReadTexts:
    if layout.split:
        whole = _compile_source(layout, cells)
        cut = _compile_split(layout.split, layout.take)
        return lambda row: list(cut(text)) if (text := whole(row)) else []
    name = layout.columns[0]
    raw, take = cells.read_value(name), layout.take
    where, items, join = layout.where, layout.item, layout.join[0]

    def read(row: Row) -> list[str]:
        value = raw(row)
        if where or items:
            value = [_join_items(each, items, join) for each in objects_where(value, where, name)]
        return _taken(list_texts(as_list(value), name), take)

    return read


def _join_items(element: Mapping[str, Any], items: Sequence[str], join: str) -> str:
    return join.join(list_texts([element.get(item) for item in items], items[0]))


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
    """Everything that turns a text into another, as one function; None if nothing is to be done."""
    prefix, part, codes = layout.strip_prefix, layout.part, layout.codes
    if not (prefix or part or codes or layout.dates):
        return None
    split = split_comma_name if part and part.endswith("_name") else split_address
    if part and not (prefix or codes or layout.dates):
        return lambda text: split(text)[part]
    to_date = compile_date(layout.dates) if layout.dates else str

    def transform(text: str) -> str | None:
        value: str | None = text.removeprefix(prefix).strip() or None
        if part and value:
            value = split(value)[part]
        if value is None:
            return None
        return to_date(codes.get(value, value))

    # Dates and codes repeat; a text with a prefix is most often a number, which does not.
    return transform if prefix else lru_cache(REMEMBERED_TEXTS)(transform)


def _compile_instant(
    layout: ValueLayout, zone: str, cells: Cells
) -> Callable[[Row], datetime | None]:
    raw = _compile_source(layout, cells)
    parse = compile_instant(layout.dates[0], ZoneInfo(zone))

    def read(row: Row) -> datetime | None:
        text = raw(row)
        if not text:
            return None
        try:
            return parse(text)
        except (ValueError, OverflowError):
            return None

    return read


def _compile_flag(
    layout: ValueLayout | None, values: frozenset[str], cells: Cells
) -> Callable[[Row], bool]:
    if layout is None:
        return lambda _row: False
    read = _compile_text(layout, cells)
    return lambda row: read(row) in values


def _compile_content(source: SourceSystem, cells: Cells) -> Callable[[Row], dict[str, Any]]:
    members: dict[str, Callable[[Row], Any]] = {}
    for name, layouts in source.fields.items():
        many = [_compile_texts(layout, cells) for layout in layouts]
        is_many = name == "other_phones"
        members[name] = _compile_all(many) if is_many else _compile_text(layouts[0], cells)
    for name, parts in source.parts.items():
        if parts:
            members[name] = _compile_all([_compile_part(part, cells) for part in parts])
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


def _compile_part(part: PartLayout, cells: Cells) -> Callable[[Row], list[dict[str, str]]]:
    """A previous name, address or related person; without any value from a column there is none."""
    members = [
        (name, _compile_text(layout, cells), layout.value)
        for name, layout in sorted(part.fields.items())
    ]
    telling = [read for _, read, constant in members if constant is None]

    def read_one(row: Row) -> list[dict[str, str]]:
        for read in telling:
            if read(row):
                return [{name: text for name, read, _ in members if (text := read(row))}]
        return []

    if part.each is None:
        return read_one
    name, raw, where = part.each, cells.read_value(part.each), part.where
    return lambda row: [
        each for element in objects_where(raw(row), where, name) for each in read_one(element)
    ]
