"""A feed as a whole: is it the file that the mapping describes, and where can it be cut?

A file that is missing, empty, of another layout, in another encoding or broken off is refused
before any of its rows is used, so that nothing is ever half-loaded.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from mpi.batch.feeds.row_columns import check_header, find_unknown_key, key_tree
from mpi.batch.feeds.rows import RowFinder, row_finder, split_lines
from mpi.errors import InvalidInput
from mpi.limits import FEED_LINE_BYTES_MAX, FEED_ROW_LINES_MAX
from mpi.source_layout import SourceSystem

CHUNK_BYTES: Final = 4 * 1_048_576
"""About 15,000 rows: half a second's work, and little memory."""
CHUNK_ROWS: Final = 16_384
"""Rows of one chunk of a Parquet file."""
_SAMPLE_BYTES: Final = 1_048_576
_SAMPLE_LINES_MIN: Final = 5
"""Lines with other than ASCII characters before they say anything about the encoding."""
_UTF8_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class FeedChunk:
    """A piece of a feed that a worker process can read by itself; picklable."""

    path: str
    start: int
    """First byte; of a Parquet file, first row."""
    end: int
    line: int
    """Number of the first line, counted from 1, the header included."""
    header: tuple[str, ...] | None
    """Columns of a CSV file; None for objects."""
    bytes_count: int
    """Size, for progress; that of all chunks together is about the file's."""
    is_overlong: bool = False
    """The chunk is one line that is longer than any row may be."""


@dataclass(frozen=True, slots=True)
class FeedFile:
    """A feed whose header, encoding and end are sound."""

    path: Path
    header: tuple[str, ...] | None
    start: int
    """First byte after the header."""
    line: int
    """Number of the line there."""


def open_feed(path: Path, source: SourceSystem) -> FeedFile:
    """Look at the whole of a feed, its beginning and its end; nothing of it is used yet.

    Raises:
        InvalidInput: If it is missing, unreadable, empty, of another layout or encoding, or
            broken off in the last line.
    """
    try:
        if source.file.format == "parquet":
            return _open_parquet(path, source)
        with path.open("rb") as file:
            return _open_lines(path, file, source)
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be read: {error.strerror or error}") from error


def cut_feed(
    feed: FeedFile, source: SourceSystem, *, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[FeedChunk]:
    """Chunks of whole rows, in order; together they hold every row once, however large they are."""
    if source.file.format == "parquet":
        yield from _cut_parquet(feed)
        return
    finder = row_finder(source.file, feed.header)
    start, line = feed.start, feed.line
    size = feed.path.stat().st_size
    with feed.path.open("rb") as file:
        while start < size:
            end, lines_count, is_overlong = _next_cut(file, start, chunk_bytes, finder)
            yield FeedChunk(str(feed.path), start, end, line, feed.header, end - start, is_overlong)
            start, line = end, line + lines_count


def _next_cut(
    file: BinaryIO, start: int, chunk_bytes: int, finder: RowFinder
) -> tuple[int, int, bool]:
    """End of the next chunk, its number of lines, and whether it is one line without bound."""
    wanted = chunk_bytes
    while True:
        file.seek(start)
        data = file.read(wanted)
        is_end = len(data) < wanted
        whole = data if is_end else data[: data.rfind(b"\n") + 1]
        lines = split_lines(whole)
        count = len(lines) if is_end else _rows_end(whole, lines, finder)
        if count:
            return start + _length(lines[:count], whole), count, False
        if b"\n" not in data and len(data) > FEED_LINE_BYTES_MAX:
            return _find_line_end(file, start + len(data)), 1, True
        wanted *= 2


def _rows_end(data: bytes, lines: Sequence[bytes], finder: RowFinder) -> int:
    return finder.rows_end(lines) if b'"' in data else len(lines)


def _length(lines: Sequence[bytes], data: bytes) -> int:
    """Bytes of these first lines of the data, line ends included if they are there."""
    return min(sum(map(len, lines)) + len(lines), len(data))


def _find_line_end(file: BinaryIO, at: int) -> int:
    file.seek(at)
    while data := file.read(FEED_LINE_BYTES_MAX):
        place = data.find(b"\n")
        if place >= 0:
            return at + place + 1
        at += len(data)
    return at


def _open_lines(path: Path, file: BinaryIO, source: SourceSystem) -> FeedFile:
    sample = file.read(_SAMPLE_BYTES)
    if not sample:
        raise InvalidInput(f"{path}: the file is empty")
    start = len(_UTF8_MARK) if sample.startswith(_UTF8_MARK) else 0
    feed = FeedFile(path, None, start, 1)
    if source.file.format == "csv":
        feed = _read_header(path, sample, start, source)
    whole = sample if len(sample) < _SAMPLE_BYTES else sample[: sample.rfind(b"\n") + 1]
    lines = split_lines(whole[feed.start :]) if whole[feed.start :] else []
    _check_encoding(path, lines, source.file.encoding.removesuffix("-sig"))
    if source.file.format == "ndjson":
        _check_objects(path, lines, source)
    _check_end(path, file, feed, source)
    return feed


def _read_header(path: Path, sample: bytes, start: int, source: SourceSystem) -> FeedFile:
    line, line_end, _ = sample[start:].partition(b"\n")
    if not line_end and len(sample) == _SAMPLE_BYTES:
        raise InvalidInput(f"{path}: the first line is not the header of source {source.name}")
    try:
        text = line.decode(source.file.encoding.removesuffix("-sig")).strip("\r")
        rows = list(csv.reader([text], delimiter=source.file.delimiter, strict=True))
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{path}: the header is not {source.file.encoding} text, as the mapping says"
        ) from error
    except csv.Error as error:
        raise InvalidInput(
            f"{path}: the first line is not the header of source {source.name}"
        ) from error
    header = tuple(name.strip() for name in (rows[0] if rows else []))
    check_header(header, source, path)
    return FeedFile(path, header, start + len(line) + len(line_end), 2)


def _check_encoding(path: Path, lines: Sequence[bytes], encoding: str) -> None:
    """Refuse a file of which every line that could tell says that it is in another encoding."""
    telling = [line for line in lines if not line.isascii()]
    if len(telling) < _SAMPLE_LINES_MIN:
        return
    in_utf8 = sum(_is_text(line, "utf-8") for line in telling)
    if encoding != "utf-8" and in_utf8 == len(telling):
        raise InvalidInput(f"{path}: the mapping says {encoding}, but the text is utf-8")
    if not any(_is_text(line, encoding) for line in telling):
        raise InvalidInput(f"{path}: the text is not {encoding}, as the mapping says")


def _is_text(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _check_objects(path: Path, lines: Sequence[bytes], source: SourceSystem) -> None:
    """The first row that can be read stands for the header that NDJSON lacks."""
    finder = row_finder(source.file, None)
    first = next((row.cells for row in finder.read(lines) if row.cells is not None), None)
    if first is None and lines:
        raise InvalidInput(f"{path}: no line is a JSON object, as ndjson needs")
    unknown = find_unknown_key(first, key_tree(source))
    if unknown is not None:
        raise InvalidInput(
            f"{path}: key {unknown} is unknown: map it or list it as ignored in the mapping of "
            f"source {source.name}"
        )


def _check_end(path: Path, file: BinaryIO, feed: FeedFile, source: SourceSystem) -> None:
    """A last line that lacks its line end and is no whole row was broken off on its way here."""
    size = file.seek(0, 2)
    file.seek(max(feed.start, size - _SAMPLE_BYTES))
    tail = file.read()
    if not tail or tail.endswith(b"\n"):
        return
    finder = row_finder(source.file, feed.header)
    lines = split_lines(tail)
    for count in range(1, min(len(lines), FEED_ROW_LINES_MAX) + 1):
        ending = lines[-count:]
        row = finder.row_at(ending, 0, is_end=True)
        if row is not None and row.cells is not None and row.lines_count == count:
            return
    raise InvalidInput(f"{path}: the last line is incomplete: the file was broken off")


def _open_parquet(path: Path, source: SourceSystem) -> FeedFile:
    if path.exists() and path.stat().st_size == 0:
        raise InvalidInput(f"{path}: the file is empty")
    try:
        schema = pq.read_schema(path)
    except pa.ArrowInvalid as error:
        raise InvalidInput(f"{path}: is not a Parquet file, or was broken off") from error
    tops = {column.partition(".")[0] for column in schema.names}
    check_parquet_columns(sorted(tops), source, path)
    return FeedFile(path, None, 0, 1)


def check_parquet_columns(names: Sequence[str], source: SourceSystem, path: Path) -> None:
    """Raise `InvalidInput` if a column is unknown, or one that must be there is missing."""
    tree = key_tree(source)
    unknown = set(names) - tree.keys
    optional = {name.partition(".")[0] for name in source.file.ignored | source.file.optional}
    missing = tree.keys - set(names) - optional
    for columns, rule in ((unknown, "is unknown"), (missing, "is missing")):
        if columns:
            raise InvalidInput(f"{path}: column {', '.join(sorted(columns))} {rule}")


def _cut_parquet(feed: FeedFile) -> Iterator[FeedChunk]:
    metadata = pq.read_metadata(feed.path)
    size = feed.path.stat().st_size
    start = 0
    for group in range(metadata.num_row_groups):
        group_end = start + metadata.row_group(group).num_rows
        while start < group_end:
            end = min(start + CHUNK_ROWS, group_end)
            share = size * (end - start) // metadata.num_rows
            yield FeedChunk(str(feed.path), start, end, start + 1, None, share)
            start = end


def read_parquet_rows(chunk: FeedChunk) -> list[dict[str, object]]:
    """The rows of a chunk of a Parquet file, as objects."""
    with pq.ParquetFile(chunk.path) as file:
        group_start = 0
        for group in range(file.metadata.num_row_groups):
            rows_count = file.metadata.row_group(group).num_rows
            if chunk.start < group_start + rows_count:
                table = file.read_row_group(group)
                rows = table.slice(chunk.start - group_start, chunk.end - chunk.start)
                listed: list[dict[str, object]] = rows.to_pylist()
                return listed
            group_start += rows_count
    return []


def read_lines(chunk: FeedChunk) -> list[bytes]:
    """The lines of a chunk, without their line ends."""
    with Path(chunk.path).open("rb") as file:
        file.seek(chunk.start)
        return split_lines(file.read(chunk.end - chunk.start))


def read_beginning(chunk: FeedChunk, bytes_count: int) -> bytes:
    """The first bytes of a chunk; for one that is too long to be read."""
    with Path(chunk.path).open("rb") as file:
        file.seek(chunk.start)
        return file.read(min(bytes_count, chunk.end - chunk.start))
