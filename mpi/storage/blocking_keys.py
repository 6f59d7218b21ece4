"""Blocking keys as stored: who is found by which, and those that too many records hold.

A value that outgrew the limit is *crowded*: a data-quality item, not a person's name. From then on
no new pair is made through it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from mpi.storage.prepared import PreparedQuery, delete_from, insert_into, list_parts
from mpi.storage.tables import blocking_key, crowded_key
from mpi.storage.unit_of_work import UnitOfWork


def count_shared_keys(unit: UnitOfWork, keys: Collection[int]) -> Counter[int]:
    """Record -> how many of these keys it holds, of every live record that holds one.

    Crowded keys find nobody.
    """
    shared: Counter[int] = Counter()
    for part in list_parts(keys):
        shared.update(dict(_SHARED.rows(unit, part)))
    return shared


def count_holders(unit: UnitOfWork, keys: Collection[int]) -> dict[int, int]:
    """Key -> how many live records hold it, of those of these keys that somebody holds.

    Crowded keys are left out.
    """
    return {key: count for part in list_parts(keys) for key, count in _COUNTED.rows(unit, part)}


def list_crowded(unit: UnitOfWork, keys: Collection[int]) -> set[int]:
    """Those of these keys that make no new pairs, because too many records hold them."""
    return {key for part in list_parts(keys) for (key,) in _CROWDED.rows(unit, part)}


def add_crowded(unit: UnitOfWork, key: int, *, records_count: int, at: datetime) -> None:
    """From now on no new pair is made through this value; it must not be noted yet.

    Args:
        unit: Where to write.
        key: A blocking key, 64 bits.
        records_count: Records that held it when it was noticed.
        at: When that was.
    """
    _ADD_CROWDED.run(unit, key=key, records_count=records_count, noticed_at=at)


def replace_keys(
    unit: UnitOfWork, record: int, *, added: Iterable[int], removed: Iterable[int]
) -> None:
    """Change the blocking keys under which a record is found.

    Args:
        unit: Where to write.
        record: Its number.
        added: Keys that it does not hold yet.
        removed: Keys that it holds.
    """
    _DROP.run_many(unit, [(key, record) for key in removed])
    _ADD.run_many(unit, [(key, record) for key in sorted(added)])


_keys: Final[sa.BindParameter[int]] = sa.bindparam("keys", expanding=True)
_HELD: Final = (
    sa.select()
    .where(blocking_key.c.key.in_(_keys))
    .where(blocking_key.c.key.not_in(sa.select(crowded_key.c.key)))
)
_SHARED: Final = PreparedQuery(
    _HELD.add_columns(blocking_key.c.record, sa.func.count()).group_by(blocking_key.c.record),
    list_name="keys",
)
_COUNTED: Final = PreparedQuery(
    _HELD.add_columns(blocking_key.c.key, sa.func.count()).group_by(blocking_key.c.key),
    list_name="keys",
)
_CROWDED: Final = PreparedQuery(
    sa.select(crowded_key.c.key).where(crowded_key.c.key.in_(_keys)), list_name="keys"
)
_ADD: Final = insert_into(blocking_key, "key", "record")
_DROP: Final = delete_from(blocking_key, "key", "record")
_ADD_CROWDED: Final = insert_into(crowded_key, "key", "records_count", "noticed_at")
