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


def assign_persons(connection: duckdb.DuckDBPyConnection, grouping: Grouping) -> None:
    """Tables `assignment` (record, person_id) and `home_row` (record, home_id, remembered_id)."""
