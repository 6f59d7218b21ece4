"""Rows of any CSV file: all at once where every line is plainly a row, else line by line.

Arrow is fast, but to it a stray quotation mark runs on until the next one, and whatever rows lie
between are gone. So its answer counts only if it found a row for every line. Any other file is
read by the rules of feeds (`mpi.batch.feeds.rows`), where a slip costs one line that is set aside.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.csv as pcsv

from mpi.batch.feeds.rows import NOT_DELIMITED, DelimitedRows, RawRow, split_lines
from mpi.errors import InvalidInput
from mpi.source_layout import FileLayout

BLOCK_BYTES: Final = 1 << 25
_ROWS_AT_ONCE: Final = 65_536


@dataclass(frozen=True, slots=True)
class AsideRow:
    """A line that could not be read as a row."""

    line: int
    """Counted from 1, which is the header."""
    reason: str
    raw: str
    """The line as it is in the file."""


def read_rows(
    path: Path, header: Sequence[str], delimiter: str
) -> tuple[pa.Table, tuple[AsideRow, ...]]:
    """All rows below the header as texts, NULL where empty, and what is no row.

    Args:
        path: A CSV file in UTF-8.
        header: Distinct names of the columns.
        delimiter: One character.

    Raises:
        InvalidInput: If most lines are no rows.
    """
    table = _read_at_once(path, header, delimiter)
    if table is not None and table.num_rows == _plain_lines_count(path):
        return table, ()
    aside: list[AsideRow] = []
    lines = _lines(path)
    rows = _good_rows(_each_row(lines, header, delimiter), lines, aside)
    read = pa.concat_tables(_tables(rows, header))
    if len(aside) > read.num_rows:
        raise InvalidInput(
            f"{path}: is not CSV: most rows have another number of columns than the header "
            f"or stray quotation marks, the first of them line {aside[0].line:,}"
        )
    return read, tuple(aside)


def aside_table(rows: Sequence[AsideRow]) -> pa.Table:
    """Rows set aside: `line`, `reason`, `raw`."""
    return pa.table(
        {
            "line": pa.array([row.line for row in rows], pa.int64()),
            "reason": pa.array([row.reason for row in rows], pa.string()),
            "raw": pa.array([row.raw for row in rows], pa.string()),
        }
    )


def _read_at_once(path: Path, header: Sequence[str], delimiter: str) -> pa.Table | None:
    """The rows as Arrow has them; None if it stumbles over one."""
    try:
        return pcsv.read_csv(
            path,
            read_options=pcsv.ReadOptions(
                use_threads=False, block_size=BLOCK_BYTES, column_names=header, skip_rows=1
            ),
            parse_options=pcsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pcsv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
    except pa.ArrowInvalid:
        return None


def _plain_lines_count(path: Path) -> int | None:
    """Lines below the header that are not empty; None if a line's end is in doubt."""
    count = 0
    with path.open("rb") as file:
        for line in islice(file, 1, None):
            text = line.rstrip(b"\r\n")
            if b"\r" in text:
                return None
            count += bool(text)
    return count


def _lines(path: Path) -> list[bytes]:
    """All lines, the header too, without their ends."""
    data = path.read_bytes()
    return split_lines(data if b"\n" in data else data.replace(b"\r", b"\n"))


def _each_row(lines: Sequence[bytes], header: Sequence[str], delimiter: str) -> Iterator[RawRow]:
    finder = DelimitedRows(FileLayout(format="csv", delimiter=delimiter), len(header))
    place = 1
    while place < len(lines):
        row = finder.row_at(lines, place, is_end=True)
        assert row is not None, "at the end every row is decided"
        rest = lines[place + 1 : place + row.lines_count]
        if any(_is_row(line, len(header), delimiter) for line in rest):
            row = RawRow(place, 1, None, NOT_DELIMITED)
        yield row
        place += row.lines_count


def _is_row(line: bytes, width: int, delimiter: str) -> bool:
    """Whether a line between quotation marks is a row by itself: then the marks are stray."""
    try:
        cells = next(csv.reader([line.decode().rstrip("\r")], delimiter=delimiter), [])
    except csv.Error:
        return False
    return len(cells) == width


def _good_rows(
    rows: Iterator[RawRow], lines: Sequence[bytes], aside: list[AsideRow]
) -> Iterator[list[str]]:
    for row in rows:
        if row.cells is not None:
            yield row.cells
        elif row.reason is not None:
            aside.append(AsideRow(row.place + 1, row.reason, lines[row.place].decode()))


def _tables(rows: Iterator[list[str]], header: Sequence[str]) -> list[pa.Table]:
    """The rows in pieces, at least one."""
    schema = pa.schema([(name, pa.string()) for name in header])
    tables = [schema.empty_table()]
    while piece := list(islice(rows, _ROWS_AT_ONCE)):
        columns = [
            pa.array([text or None for text in column], pa.string())
            for column in zip(*piece, strict=True)
        ]
        tables.append(pa.table(columns, schema=schema))
    return tables
