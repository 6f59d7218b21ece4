"""Groups of a bulk run to person ids: every record's home and every group's id.

Where no record of a group has a home yet, the group is one new home: that is nearly all of a first
load, and is done at once. `mpi.linkage.homes` settles the others.
"""

from __future__ import annotations

import secrets

import duckdb
import numpy as np
import pyarrow as pa

from mpi.batch.groups import Grouping
from mpi.domain.identifiers import PERSON_ID_RANDOM_BYTES, PersonId, person_id_from_bytes


def new_person_id() -> PersonId:
    """An id that no person ever had: 60 random bits, checked again by the store's unique key."""
    return person_id_from_bytes(secrets.token_bytes(PERSON_ID_RANDOM_BYTES))


def assign_persons(connection: duckdb.DuckDBPyConnection, grouping: Grouping) -> None:
    """Tables `assignment` (record, person_id) and `home_row` (record, home_id, remembered_id)."""
    names, group_of = np.unique(grouping.groups, return_inverse=True)
    ids = pa.array([new_person_id() for _ in names], pa.string())
    persons = ids.take(pa.array(group_of))
    rows = pa.table({"record": grouping.records, "person_id": persons})
    connection.register("assigned", rows)
    connection.execute("create or replace table assignment as select * from assigned")
    connection.execute(
        """create or replace table home_row as
        select record, person_id as home_id, null::varchar as remembered_id from assigned"""
    )
    connection.unregister("assigned")
