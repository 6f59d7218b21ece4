"""Many rows at once, as Arrow tables, in one transaction: what a load and `mpi verify` work with.

A load of the whole region is one transaction, so that a machine that dies in the middle leaves the
store as it was. It keeps other writers out from its first statement to its last (readers go on), so
that what it has read still holds when it writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pyarrow as pa

from mpi.storage.bulk_postgresql import postgresql_reader, postgresql_transaction
from mpi.storage.bulk_rows import BulkTransaction, Rows
from mpi.storage.bulk_sqlite import sqlite_reader, sqlite_transaction
from mpi.storage.engine import Store
from mpi.storage.tables import METADATA


@contextmanager
def bulk_transaction(store: Store) -> Iterator[BulkTransaction]:
    """One transaction that keeps other writers out; committed when the block ends.

    Raises:
        StorageUnavailable: If the store cannot be written, is full or stays locked.
        Conflict: If the rows break a rule of the schema; nothing is written then.
    """
    transaction = sqlite_transaction if store.is_sqlite else postgresql_transaction
    with transaction(store) as bulk:
        yield bulk
        bulk.settle()


@contextmanager
def bulk_snapshot(store: Store) -> Iterator[BulkTransaction]:
    """Everything as it was at one moment, to be read alone; nobody is kept out.

    Raises:
        StorageUnavailable: If the store cannot be read.
    """
    reader = sqlite_reader if store.is_sqlite else postgresql_reader
    with reader(store) as bulk:
        yield bulk


def bulk_write(store: Store, tables: Mapping[str, Rows]) -> dict[str, int]:
    """Append to several tables in one transaction, in the order that their references demand.

    Args:
        store: Where to write.
        tables: Name of a table -> rows with columns of its names (see `BulkTransaction.append`).

    Returns:
        Rows written, by table.

    Raises:
        StorageUnavailable, Conflict: As `bulk_transaction`; nothing is written then.
    """
    order = [table.name for table in METADATA.sorted_tables if table.name in tables]
    with bulk_transaction(store) as bulk:
        return {name: bulk.append(name, tables[name]) for name in order}


def read_table(
    store: Store, table: str, columns: Sequence[str] | None = None, where: str | None = None
) -> pa.Table:
    """`BulkTransaction.read` on its own, without keeping anyone out: one row a stored row.

    Raises:
        StorageUnavailable: If the store cannot be read.
    """
    with bulk_snapshot(store) as bulk:
        return bulk.read(table, columns, where)
