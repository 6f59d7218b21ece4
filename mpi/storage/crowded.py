"""Blocking values that outgrew the limit: a data-quality item, not a person's name."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from mpi.storage.prepared import insert_into
from mpi.storage.tables import crowded_key
from mpi.storage.unit_of_work import UnitOfWork


def add_crowded(unit: UnitOfWork, key: int, *, records_count: int, at: datetime) -> None:
    """From now on no new pair is made through this value; it must not be noted yet.

    Args:
        unit: Where to write.
        key: A blocking key, 64 bits.
        records_count: Records that held it when it was noticed.
        at: When that was.
    """
    _ADD.run(unit, key=key, records_count=records_count, noticed_at=at)


_ADD: Final = insert_into(crowded_key, "key", "records_count", "noticed_at")
