"""From a source's raw file to record versions; what cannot be read is set aside with its reason.

One bad row never stops a feed and none is lost: it is counted, told, and written to a file from
which it can be repaired and sent again. A feed is read in chunks, so that worker processes can
share it; the result does not depend on where it is cut.
"""

from __future__ import annotations

import csv
import gc
import io
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import orjson
import pyarrow as pa

from mpi.batch.feed_files import (
    CHUNK_BYTES,
    FeedChunk,
    cut_feed,
    open_feed,
    read_beginning,
    read_lines,
    read_parquet_rows,
)
from mpi.batch.feed_rows import TOO_LONG, RawRow, row_finder
from mpi.batch.row_columns import find_unknown_key, key_tree
from mpi.batch.row_layout import CompiledLayout, compile_layout
from mpi.batch.version_rows import VERSION_SCHEMA, version_from_row
from mpi.config import SourceSystem
from mpi.domain.identifiers import checked_record_key
from mpi.domain.records import RecordVersion, content_digest
from mpi.errors import InvalidIdentifier, InvalidInput, InvalidRecord
from mpi.limits import FEED_FIELD_CHARACTERS_MAX

__all__ = [
    "FeedChunk",
    "ParsedChunk",
    "QuarantinedRow",
    "list_feeds",
    "parse_chunk",
    "read_chunks",
    "read_feed",
    "write_quarantine",
]

IGNORED_FILES: Final = frozenset({"truth.csv", "manifest.json"})
"""What a folder of feeds may hold beside them."""
_OVERLONG_KEPT_BYTES: Final = 1_000
"""Of a row too long to be read, only its beginning is set aside; the feed itself has the rest."""
_SEQUENCE: Final = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A row that was set aside."""

    line: int
    """Line of the file where it begins, the first being 1; of a Parquet file, row."""
    reason: str
    """Field and rule; never a value, so it may be logged."""
    raw: bytes
    """The row as it was sent, without its line end: personal data."""


@dataclass(frozen=True, slots=True)
class ParsedChunk:
    """What one chunk held, in the order of the file."""

    versions: pa.Table
    """Of `VERSION_SCHEMA`."""
    quarantined: list[QuarantinedRow]


def list_feeds(
    folder: Path, sources: Mapping[str, SourceSystem]
) -> list[tuple[SourceSystem, Path]]:
    """The feeds of a folder, `<source>.csv|ndjson|parquet`, by source name.

    `truth.csv`, `manifest.json`, hidden files and folders inside are left alone.

    Raises:
        InvalidInput: If the folder is missing or holds no feed, or a file is not one.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise InvalidInput(f"{folder}: cannot be read: {error.strerror or error}") from error
    feeds = [
        (_source_of(path, sources), path)
        for path in paths
        if path.name not in IGNORED_FILES and not path.name.startswith(".")
    ]
    if not feeds:
        raise InvalidInput(f"{folder}: the folder holds no feed (<source>.csv, .ndjson, .parquet)")
    return feeds


def read_chunks(
    path: Path, source: SourceSystem, *, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[FeedChunk]:
    """The feed in pieces that can be parsed apart; it is checked as a whole at once, not later.

    Raises:
        InvalidInput: If the file as a whole cannot be used (see `mpi.batch.feed_files`).
    """
    return cut_feed(open_feed(path, source), source, chunk_bytes=chunk_bytes)


def parse_chunk(
    chunk: FeedChunk, source: SourceSystem, *, latest: datetime | None = None
) -> ParsedChunk:
    """Every row of a chunk, as a version or set aside; blank lines are neither.

    Args:
        chunk: Of a feed of this source.
        source: Its mapping.
        latest: An event later than this is set aside: it would stay live for ever.

    Returns:
        A row of `versions` for each row that can be understood, the others beside them. No row
        raises: what is wrong with it is its `reason`.
    """
    # A quarter of the time would go into looking for cycles among values that cannot have any.
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        return _parse_chunk(chunk, source, latest)
    finally:
        if was_collecting:
            gc.enable()


def read_feed(path: Path, source: SourceSystem) -> Iterator[RecordVersion | QuarantinedRow]:
    """Everything that a feed holds, in its order; for small files and for tests.

    Raises:
        InvalidInput: If the file as a whole cannot be used, or none of its rows can.
    """
    versions_count = 0
    first: QuarantinedRow | None = None
    for chunk in read_chunks(path, source):
        parsed = parse_chunk(chunk, source)
        versions_count += parsed.versions.num_rows
        first = first or next(iter(parsed.quarantined), None)
        yield from parsed.quarantined
        yield from (version_from_row(**row) for row in parsed.versions.to_pylist())
    refuse_unreadable(path, versions_count=versions_count, first=first)


def refuse_unreadable(path: Path, *, versions_count: int, first: QuarantinedRow | None) -> None:
    """Raise `InvalidInput` if rows were set aside and none was read: the file is another one."""
    if versions_count == 0 and first is not None:
        raise InvalidInput(f"{path}: no row could be read; line {first.line}: {first.reason}")


def write_quarantine(folder: Path, source: str, rows: Iterable[QuarantinedRow]) -> Path | None:
    """Write `<source>.csv` (source, line, reason, raw) into the folder, for its owner's eyes only.

    The last column is the row byte for byte, in the encoding of the feed. An earlier file of the
    source is replaced, or removed if it has no such rows now.

    Args:
        folder: Made if it is missing.
        source: Name of the source system.
        rows: In any order.

    Returns:
        The file, or None if there are no rows.

    Raises:
        InvalidInput: If it cannot be written.
    """
    path, ordered = folder / f"{source}.csv", sorted(rows, key=lambda row: row.line)
    try:
        if not ordered:
            path.unlink(missing_ok=True)
            return None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_privately(path, _quarantine_lines(source, ordered))
    except OSError as error:
        raise InvalidInput(f"{path}: cannot be written: {error.strerror or error}") from error
    return path


def _parse_chunk(chunk: FeedChunk, source: SourceSystem, latest: datetime | None) -> ParsedChunk:
    layout = _compiled(source, chunk.header)
    versions: list[_Version] = []
    quarantined: list[QuarantinedRow] = []
    for row, raw in _raw_rows(chunk, source):
        reason = row.reason
        if reason is None:
            try:
                versions.append(_version(source.name, layout, row.cells, latest))
                continue
            except InvalidRecord as error:
                reason = str(error)
        quarantined.append(QuarantinedRow(chunk.line + row.place, reason, raw(row)))
    return ParsedChunk(_versions_table(versions), quarantined)


_Version = tuple[str, str, datetime, int, str, str, bool, None]
"""A row of `VERSION_SCHEMA`."""


def _versions_table(versions: Sequence[_Version]) -> pa.Table:
    columns = zip(*versions, strict=True) if versions else [()] * len(VERSION_SCHEMA)
    arrays = [pa.array(c, kind) for c, kind in zip(columns, VERSION_SCHEMA.types, strict=True)]
    return pa.table(arrays, schema=VERSION_SCHEMA)


def _source_of(path: Path, sources: Mapping[str, SourceSystem]) -> SourceSystem:
    source = sources.get(path.stem)
    if source is None:
        raise InvalidInput(f"{path}: no source system is named {path.stem}")
    if path.suffix != f".{source.file.format}":
        raise InvalidInput(
            f"{path}: feeds of {source.name} are {source.file.format}, as its mapping says"
        )
    return source


_COMPILED: dict[tuple[str, tuple[str, ...] | None], CompiledLayout] = {}
"""Layouts that this process has compiled, by digest of the mapping and header."""


def _compiled(source: SourceSystem, header: tuple[str, ...] | None) -> CompiledLayout:
    key = (source.digest, header)
    if key not in _COMPILED:
        _COMPILED[key] = compile_layout(source, header)
    return _COMPILED[key]


def _raw_rows(
    chunk: FeedChunk, source: SourceSystem
) -> Iterator[tuple[RawRow, Callable[[RawRow], bytes]]]:
    """Rows of the chunk, each with what gives it back as it was sent."""
    if chunk.is_overlong:
        beginning = read_beginning(chunk, _OVERLONG_KEPT_BYTES)
        yield RawRow(0, 1, None, TOO_LONG), lambda _row: beginning
    elif source.file.format == "parquet":
        for place, cells in enumerate(read_parquet_rows(chunk)):
            yield _known_keys_only(RawRow(place, 1, cells, None), source), _parquet_row_bytes
    else:
        lines = read_lines(chunk)
        finder = row_finder(source.file, chunk.header)

        def raw(row: RawRow) -> bytes:
            return _raw_bytes(lines, row)

        for row in finder.read(lines):
            yield row if chunk.header else _known_keys_only(row, source), raw


def _raw_bytes(lines: Sequence[bytes], row: RawRow) -> bytes:
    data = b"\n".join(lines[row.place : row.place + row.lines_count]).removesuffix(b"\r")
    return data[:_OVERLONG_KEPT_BYTES] if row.reason is TOO_LONG else data


def _parquet_row_bytes(row: RawRow) -> bytes:
    return orjson.dumps(row.cells, default=str)


def _known_keys_only(row: RawRow, source: SourceSystem) -> RawRow:
    """The key is not named: in a broken row it may be anything."""
    tree = _KEY_TREES.get(source.digest)
    if tree is None:
        tree = _KEY_TREES[source.digest] = key_tree(source)
    if row.cells is None or find_unknown_key(row.cells, tree) is None:
        return row
    return row._replace(reason="row: has a key that the mapping does not know")


_KEY_TREES: dict[str, Any] = {}
"""Known keys of the sources that this process has read, by digest of the mapping."""


def _version(source: str, layout: CompiledLayout, cells: Any, latest: datetime | None) -> _Version:
    """The version that a row describes.

    Raises:
        InvalidRecord: If it cannot be known whose it is or when it became true, or if a field
            holds what no demographics can.
    """
    row = layout.prepare(cells)
    try:
        key = checked_record_key(source, layout.local_id(row) or "")
    except InvalidIdentifier as error:
        raise InvalidRecord(str(error)) from error
    event_at = layout.event_at(row)
    if event_at is None:
        raise InvalidRecord("event_at: is missing or not a time of the declared format")
    if latest is not None and event_at > latest:
        raise InvalidRecord("event_at: is later than the day after the row was received")
    sequence = layout.sequence(row)
    if sequence and not _SEQUENCE.fullmatch(sequence):
        raise InvalidRecord("sequence: is not a whole number")
    content = layout.content(row)
    # Keys are inserted in order and these bytes equal `content_json`'s: a test holds both.
    canonical = orjson.dumps(content).decode()
    if len(canonical) > FEED_FIELD_CHARACTERS_MAX or "\\u0000" in canonical:
        _check_texts(content)
    return (
        *key,
        event_at,
        int(sequence) if sequence else 0,
        content_digest(canonical),
        canonical,
        layout.is_entered_in_error(row),
        None,
    )


def _check_texts(content: Mapping[str, Any]) -> None:
    """Raise `InvalidRecord` for a text that is too long or that a database cannot hold."""
    for name, value in content.items():
        for text in _texts(value):
            if len(text) > FEED_FIELD_CHARACTERS_MAX:
                raise InvalidRecord(f"{name}: longer than {FEED_FIELD_CHARACTERS_MAX} characters")
            if "\0" in text:
                raise InvalidRecord(f"{name}: holds a NUL character")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    else:
        members = value.values() if isinstance(value, Mapping) else value
        for member in members:
            yield from _texts(member)


def _quarantine_lines(source: str, rows: Iterable[QuarantinedRow]) -> Iterator[bytes]:
    yield b"source,line,reason,raw\r\n"
    for row in rows:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow((source, row.line, row.reason))
        raw = row.raw.replace(b'"', b'""')
        yield text.getvalue().encode() + b',"' + raw + b'"\r\n'


def _write_privately(path: Path, lines: Iterable[bytes]) -> None:
    """Whole or not at all, and readable by its owner only from the first byte on."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(lines)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
