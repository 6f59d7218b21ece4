"""The engine of bulk work: one DuckDB connection with bounded memory and our comparators in it.

DuckDB spills to a folder of its own when memory runs short; the folder goes with the connection,
because it holds personal data. One that a killed load left behind goes with its work folder.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import duckdb

from mpi.config import Settings
from mpi.errors import StorageUnavailable
from mpi.linkage.comparators import macros_sql

MEMORY_MIB: Final = 3_584
"""The budget for a whole region is 8 GiB; Python and its worker processes need the rest."""
SPILL_PREFIX: Final = "mpi-"
"""Begins the names of the folders that hold what did not fit into memory."""


def processors_count() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0))


@contextmanager
def open_engine(
    settings: Settings, *, folder: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB with the comparators' macros and no tables, closed at the end.

    Args:
        settings: How many threads and how much memory it may use.
        folder: Where it may spill; the system's for temporary files by default.

    Raises:
        StorageUnavailable: If memory or disk runs out while the connection is in use.
    """
    with (
        tempfile.TemporaryDirectory(prefix=SPILL_PREFIX, dir=folder) as spill,
        _resting_collector(),
    ):
        connection = duckdb.connect()
        try:
            connection.execute(f"set memory_limit = '{settings.memory_mib or MEMORY_MIB}MiB'")
            connection.execute(f"set threads = {settings.workers_count or processors_count()}")
            connection.execute(f"set temp_directory = {sql_text(spill)}")
            connection.execute("set enable_progress_bar = false")
            connection.execute("set preserve_insertion_order = false")
            connection.execute("set timezone = 'UTC'")
            for statement in macros_sql():
                connection.execute(statement)
            yield connection
        except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
            raise StorageUnavailable(
                "bulk engine: memory or disk ran out; free some and run the command again"
            ) from error
        finally:
            connection.close()


def sql_text(text: str | Path) -> str:
    """A text in quotation marks, for the statements that take no parameters: `'o''brien'`."""
    quoted = str(text).replace("'", "''")
    return f"'{quoted}'"


@contextmanager
def _resting_collector() -> Iterator[None]:
    """Bulk work makes millions of objects and no cycles: looking for some costs a fifth."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
