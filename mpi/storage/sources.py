"""Source systems as stored: those that have records, or may register some."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as insert_on_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_on_sqlite

from mpi.storage.tables import source_system
from mpi.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSource:
    """A source system and the mapping that reads it; `name` is for people, `source` names it.

    What is None is not known: a system may have records before it has a mapping.
    """

    source: str
    name: str | None = None
    ods_code: str | None = None
    identifier_system: str | None = None
    mapping_digest: str | None = None


def put_sources(unit: UnitOfWork, sources: Iterable[StoredSource]) -> None:
    """Make these source systems known; those known already stay as they are."""
    known = {row.source for row in unit.rows(sa.select(source_system.c.source))}
    insert = insert_on_sqlite if unit.is_sqlite else insert_on_postgresql
    for each in sources:
        if each.source not in known:
            values = {name: getattr(each, name) for name in StoredSource.__slots__}
            unit.connection.execute(insert(source_system).values(values).on_conflict_do_nothing())
