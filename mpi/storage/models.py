"""Which model release a store's edges and links were made with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from mpi.storage.prepared import PreparedQuery
from mpi.storage.tables import model_release
from mpi.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRelease:
    """A release that the store knows."""

    number: int
    """What edges and links name it by."""
    digest: str
    name: str
    version: str
    released_at: datetime


def find_release_in_force(unit: UnitOfWork) -> StoredRelease | None:
    """The release that every path scores with; None in a store that holds nothing yet."""
    row = _IN_FORCE.first(unit)
    if row is None:
        return None
    number, digest, name, version, released_at = row
    return StoredRelease(
        number=number, digest=digest, name=name, version=version, released_at=released_at
    )


def find_number_in_force(unit: UnitOfWork, digest: str) -> int | None:
    """The number of the release of this digest, if it is the one in force."""
    row = _NUMBER.first(unit, digest=digest)
    return row[0] if row else None


def put_release_in_force(
    unit: UnitOfWork, *, digest: str, name: str, version: str, at: datetime
) -> int:
    """Make a release the one in force, known before or not, and give its number.

    Args:
        unit: Where to write; the one before is in force no longer.
        digest: 64 hexadecimal digits; names the release.
        name: Of the model.
        version: Of the release.
        at: Kept with a release that was not known.
    """
    unit.connection.execute(sa.update(model_release).values(is_in_force=False))
    known = unit.first(sa.select(model_release.c.number).where(model_release.c.digest == digest))
    if known is not None:
        number: int = known.number
        restore = sa.update(model_release).where(model_release.c.number == number)
        unit.connection.execute(restore.values(is_in_force=True))
        return number
    added = sa.insert(model_release).values(
        digest=digest, name=name, version=version, released_at=at, is_in_force=True
    )
    row = unit.connection.execute(added.returning(model_release.c.number)).one()
    return int(row.number)


_IN_FORCE: Final = PreparedQuery(
    sa.select(
        model_release.c.number,
        model_release.c.digest,
        model_release.c.name,
        model_release.c.version,
        model_release.c.released_at,
    ).where(model_release.c.is_in_force)
)
_NUMBER: Final = PreparedQuery(
    sa.select(model_release.c.number).where(
        model_release.c.is_in_force, model_release.c.digest == sa.bindparam("digest")
    )
)
