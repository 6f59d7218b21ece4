"""Which files a store has taken in: what tells that there is nothing left to do."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from mpi.config import SourceSystem
from mpi.storage.bulk import read_table
from mpi.storage.bulk_rows import BulkTransaction
from mpi.storage.engine import Store

Feeds = Sequence[tuple[SourceSystem, Path]]
Row = Mapping[str, Any]
_KEY = ("source", "file_digest", "mapping_digest")


def find_loads(store: Store, feeds: Feeds, *, model_digest: str) -> list[Row] | None:
    """The rows of `feed_load` of these very files, if loading them again can change nothing.

    That is so if each was loaded under its present mapping, the model is the one in force, and no
    record is retired: a feed that has one brings it back.
    """
    if read_table(store, "source_record", ["number"], "state <> 'live'").num_rows:
        return None
    models = read_table(store, "model_release", ["digest", "is_in_force"]).to_pylist()
    if not any(each["is_in_force"] and each["digest"] == model_digest for each in models):
        return None
    columns = [*_KEY, "versions_count", "quarantined_count"]
    rows = read_table(store, "feed_load", columns).to_pylist()
    known = {_key(row): row for row in rows}
    found = [known.get(key) for key in _keys(feeds)]
    return [row for row in found if row] if all(found) else None


def write_loads(
    bulk: BulkTransaction,
    feeds: Feeds,
    versions: Mapping[str, int],
    quarantined: Mapping[str, int],
    *,
    at: datetime,
) -> None:
    """One row for each file that was not loaded before: how many of its rows were read."""
    known = {_key(row) for row in bulk.read("feed_load", _KEY).to_pylist()}
    new = [key for key in _keys(feeds) if key not in known]
    read = [versions.get(source, 0) for source, _, _ in new]
    aside = [quarantined.get(source, 0) for source, _, _ in new]
    columns = zip(*new, strict=True) if new else ((), (), ())
    rows = {name: pa.array(c, pa.string()) for name, c in zip(_KEY, columns, strict=True)} | {
        "rows_count": pa.array([sum(both) for both in zip(read, aside, strict=True)], pa.int64()),
        "versions_count": pa.array(read, pa.int64()),
        "quarantined_count": pa.array(aside, pa.int64()),
        "loaded_at": pa.array([at] * len(new), pa.timestamp("us", "UTC")),
    }
    bulk.append("feed_load", pa.table(rows))


def _keys(feeds: Feeds) -> list[tuple[str, str, str]]:
    return [(source.name, _file_digest(path), source.digest) for source, path in feeds]


def _key(row: Row) -> tuple[str, str, str]:
    return (row["source"], row["file_digest"], row["mapping_digest"])


def _file_digest(path: Path) -> str:
    """64 hexadecimal digits of SHA-256 over a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
