"""Rows of a piece of a feed: found, decoded and split, each on its own.

A row is a line, unless a quotation mark stays open at its end; then the lines that follow may
belong to it. Whether they do hangs on these lines alone, never on where the file was cut, and a
slip of a quotation mark costs one line and not the rest of the file.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from mpi.limits import FEED_LINE_BYTES_MAX, FEED_ROW_LINES_MAX
from mpi.source_layout import FileLayout

_QUOTE = b'"'
_BLANK = b" \r"

NOT_DECODED = "row: the bytes are not text of the declared encoding"
NUL_BYTE = "row: holds a NUL byte"
TOO_LONG = f"row: longer than {FEED_LINE_BYTES_MAX} bytes"
NOT_DELIMITED = "row: quotation marks are not as in CSV"
NOT_OBJECT = "row: is not a JSON object"


class RawRow(NamedTuple):
    """A row as found: its first line counted from 0, its number of lines, and what it holds."""

    place: int
    lines_count: int
    cells: Any
    """A list of texts or a JSON object; None if the row cannot be read, or is blank."""
    reason: str | None
    """Why the row cannot be read; None also for a blank one, which says nothing."""


class DelimitedRows:
    """Rows of CSV in one of its dialects."""

    def __init__(self, layout: FileLayout, width: int) -> None:
        # The byte order mark is the file's, not each line's.
        self.encoding = layout.encoding.removesuffix("-sig")
        self.delimiter, self.width = layout.delimiter, width

    def read(self, lines: Sequence[bytes]) -> Iterator[RawRow]:
        """All rows of these lines; the quick way if every line is plainly one row."""
        cells = self._read_all(lines)
        if cells is None:
            yield from self._read_each(lines)
            return
        for place, row in enumerate(cells):
            if len(row) == self.width:
                yield RawRow(place, 1, row, None)
            elif lines[place].strip(_BLANK):
                yield RawRow(place, 1, None, self._wrong_width(row))

    def row_at(self, lines: Sequence[bytes], place: int, *, is_end: bool) -> RawRow | None:
        """The row that begins with this line; None if lines past the last one could tell.

        Args:
            lines: Without their line ends.
            place: Where a row begins.
            is_end: Nothing follows these lines.
        """
        cells, reason = self._cells(lines[place])
        if cells is not None or reason is TOO_LONG or lines[place].count(_QUOTE) % 2 == 0:
            return RawRow(place, 1, cells, reason)
        text = lines[place]
        for count in range(2, FEED_ROW_LINES_MAX + 1):
            if place + count > len(lines):
                return RawRow(place, 1, None, reason) if is_end else None
            text += b"\n" + lines[place + count - 1]
            if len(text) > FEED_LINE_BYTES_MAX:
                break
            if text.count(_QUOTE) % 2 == 0 and (joined := self._cells(text)[0]) is not None:
                return RawRow(place, count, joined, None)
        return RawRow(place, 1, None, reason)

    def rows_end(self, lines: Sequence[bytes]) -> int:
        """How many of these lines hold whole rows, whatever comes after them."""
        place = 0
        while place < len(lines):
            if lines[place].count(_QUOTE) % 2 == 0:
                place += 1
                continue
            row = self.row_at(lines, place, is_end=False)
            if row is None:
                break
            place += row.lines_count
        return place

    def _read_all(self, lines: Sequence[bytes]) -> list[list[str]] | None:
        data = b"\n".join(lines)
        if b"\0" in data or max(map(len, lines), default=0) > FEED_LINE_BYTES_MAX:
            return None
        if _QUOTE in data and any(line.count(_QUOTE) % 2 for line in lines):
            return None
        try:
            texts = [line.removesuffix("\r") for line in data.decode(self.encoding).split("\n")]
            cells = list(csv.reader(texts, delimiter=self.delimiter, strict=True))
        except (UnicodeDecodeError, csv.Error):
            return None
        return cells if len(cells) == len(lines) else None

    def _read_each(self, lines: Sequence[bytes]) -> Iterator[RawRow]:
        place = 0
        while place < len(lines):
            row = self.row_at(lines, place, is_end=True)
            assert row is not None, "at the end every row is decided"
            place += row.lines_count
            if row.cells is not None or row.reason is not None:
                yield row

    def _cells(self, line: bytes) -> tuple[list[str] | None, str | None]:
        if len(line) > FEED_LINE_BYTES_MAX:
            return None, TOO_LONG
        if b"\0" in line:
            return None, NUL_BYTE
        try:
            text = line.decode(self.encoding).removesuffix("\r")
            rows = list(csv.reader([text], delimiter=self.delimiter, strict=True))
        except UnicodeDecodeError:
            return None, NOT_DECODED
        except csv.Error:
            return None, NOT_DELIMITED
        row = rows[0] if rows else []
        if len(row) == self.width:
            return row, None
        return None, self._wrong_width(row) if line.strip(_BLANK) else None

    def _wrong_width(self, row: Sequence[str]) -> str:
        return f"row: {len(row)} columns where the header has {self.width}"


class ObjectRows:
    """Rows of NDJSON: each line is one JSON object."""

    def read(self, lines: Sequence[bytes]) -> Iterator[RawRow]:
        """All rows of these lines; blank lines are none."""
        for place, line in enumerate(lines):
            row = self.row_at(lines, place, is_end=True)
            if row.reason is None or line.strip(_BLANK):
                yield row

    def row_at(self, lines: Sequence[bytes], place: int, *, is_end: bool) -> RawRow:  # noqa: ARG002
        """The row that is this line (see `DelimitedRows.row_at`)."""
        line = lines[place]
        if len(line) > FEED_LINE_BYTES_MAX:
            return RawRow(place, 1, None, TOO_LONG)
        if b"\0" in line:
            return RawRow(place, 1, None, NUL_BYTE)
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            return RawRow(place, 1, None, NOT_OBJECT)
        is_object = isinstance(value, dict)
        return RawRow(place, 1, value if is_object else None, None if is_object else NOT_OBJECT)

    def rows_end(self, lines: Sequence[bytes]) -> int:
        """Every line is a whole row."""
        return len(lines)


RowFinder = DelimitedRows | ObjectRows


def row_finder(layout: FileLayout, header: Sequence[str] | None) -> RowFinder:
    """What finds rows in files of this layout; `header` is that of a CSV file."""
    return ObjectRows() if header is None else DelimitedRows(layout, len(header))


def split_lines(data: bytes) -> list[bytes]:
    """The lines of these bytes without their line ends; an unfinished last one counts."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines
