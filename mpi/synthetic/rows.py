"""Rows of one source: a live one for each record, versions before it, rows entered in error.

Everything here is canonical (one column a field); `mpi.synthetic.write` puts it into the source's
own layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mpi.synthetic.corruption import fold_accents
from mpi.synthetic.people import Flags, Integers, Texts
from mpi.synthetic.sources import SourceSpec

SECONDS_A_DAY: Final = 86_400
STYLED: Final = (
    "given", "middle", "known_as", "family", "previous_family", "title", "flat", "house", "street",
    "locality", "town", "kin_name", "carer_name", "previous_flat", "previous_house",
    "previous_street", "previous_locality", "previous_town",
)  # fmt: skip

Columns = dict[str, Texts]


@dataclass(slots=True, kw_only=True)
class Records:
    """Rows of one source, in order of local id and version; one entry a row in every array.

    `columns` hold texts or None.  `owner`, `first_owner`, `service` and `hard_cases` have one entry
    a *record*; `record` leads from a row to its record, and so does `live` from a record to its
    last row.
    """

    spec: SourceSpec
    columns: Columns
    record: Integers
    updated: Integers
    """Seconds since 1970, when the row became true at the source."""
    sequence: Integers
    is_error: Flags
    live: Integers
    owner: Integers
    """Person whose record it is."""
    first_owner: Integers
    """Person of the first version: another one where a local id was recycled. The truth names this
    one, for the index keeps the first human live until a steward accepts the next."""
    service: NDArray[np.int8]
    local_id: Texts
    """Per record."""
    practice_number: Texts
    """Per record: the number within the practice or source."""
    hard_cases: dict[str, Flags]


class Rows:
    """Rows under construction: one live row a record, then versions that came before or after."""

    def __init__(self, columns: Columns, updated: Integers) -> None:
        count = len(updated)
        self.live_columns = columns
        self.live_updated = updated
        self.columns = [columns]
        self.updated = [updated]
        self.record = [np.arange(count)]
        self.order = [np.zeros(count, dtype=np.int64)]
        self.is_error = [np.zeros(count, dtype=bool)]

    def copied(self, at: Integers) -> Columns:
        """The live rows of these records, to be changed into other versions; one entry an index."""
        return {name: column[at].copy() for name, column in self.live_columns.items()}

    def add(
        self, at: Integers, columns: Columns, updated: Integers, *, order: int, is_error: bool
    ) -> None:
        """One more row for each record.

        Args:
            at: Indexes of the records.
            columns: One entry for each of them, as `copied` gives them.
            updated: When the source says so: seconds from 1970-01-01.
            order: Place among the rows of its record that became true in one second; the live one's
                is 0.
            is_error: The source calls the row entered in error.
        """
        self.columns.append(columns)
        self.updated.append(updated)
        self.record.append(at)
        self.order.append(np.full(len(at), order))
        self.is_error.append(np.full(len(at), is_error))

    def arranged(self, *, local_id: Texts, **of_records: Any) -> Records:
        """All rows by local id and version, numbered within the record from 1."""
        record = np.concatenate(self.record)
        order = np.concatenate(self.order)
        rank = np.empty(len(local_id), dtype=np.int64)
        rank[np.argsort(local_id.astype(str), kind="stable")] = np.arange(len(local_id))
        updated = np.concatenate(self.updated)
        arrangement = np.lexsort((order, updated, rank[record]))
        record, order = record[arrangement], order[arrangement]
        is_first = np.append(True, record[1:] != record[:-1])[: len(record)]
        start = np.maximum.accumulate(np.where(is_first, np.arange(len(record)), 0))
        live = np.empty(len(local_id), dtype=np.int64)
        live[record[order == 0]] = np.flatnonzero(order == 0)
        columns = {
            name: np.concatenate([part[name] for part in self.columns])[arrangement]
            for name in self.live_columns
        }
        return Records(
            columns=columns,
            record=record,
            updated=updated[arrangement],
            sequence=np.arange(len(record)) - start + 1,
            is_error=np.concatenate(self.is_error)[arrangement],
            live=live,
            local_id=local_id,
            **of_records,
        )


def restyle(columns: Columns, spec: SourceSpec) -> None:
    """Capitals and no accents, as old systems keep them; each distinct text is folded once.

    Changes the columns, one entry a row, in place.
    """
    for name in STYLED:
        folded: dict[str | None, str | None] = {None: None}
        for text in set(columns[name].tolist()) - {None}:
            plain = fold_accents(text)
            folded[text] = plain.upper() if spec.is_upper else plain
        columns[name][:] = [folded[text] for text in columns[name].tolist()]
