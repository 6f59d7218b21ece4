"""Given names and birth dates that one record has against all others: slips, or another human's?

A veto keeps records of one home apart if their given names, or their birth dates, clearly differ:
they may be twins, or father and son. In a file whose fields are heavily corrupted the same looks
like a slip. The file itself can tell: twins have records of their own, so where people usually have
several records, *both* of two different names have several; a slip stands alone. Where the file
shows that nearly all lone values are slips, a lone value is not read by vetoes; where it does not,
it is, and becomes a question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mpi.batch.groups import connected_components
from mpi.batch.patterns import decode_patterns
from mpi.batch.relatives import UNLIKE_DATES, UNLIKE_NAMES, Aspect, is_on_levels
from mpi.linkage.model import Model

SLIP_SHARE_MIN: Final = 0.95
"""Share of slips among lone values from which they are taken for slips."""
UNSEEN_PAIRS: Final = 1.0
"""So many more pairs of people than were seen might be there: few seen prove little."""
ASPECTS: Final = (UNLIKE_NAMES, UNLIKE_DATES)
"""What vetoes read, by the levels on which it conflicts."""
_FIELDS: Final = {
    "name": ("given_name",),
    "birth_date": ("birth_date", "birth_year", "birth_month", "birth_day"),
}
"""What of a record vetoes no longer see of a lone value."""


@dataclass(frozen=True, slots=True)
class _Conflicts:
    """Pairs of plain groups that only one aspect speaks against; arrays are parallel."""

    left: npt.NDArray[np.int64]
    """Smallest record of the one group."""
    right: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    """Records of each group, at its smallest record; 0 elsewhere."""

    @property
    def is_lone(self) -> npt.NDArray[np.bool_]:
        return np.asarray(np.minimum(self.size[self.left], self.size[self.right]) == 1)


def find_slips(
    connection: duckdb.DuckDBPyConnection, model: Model, records_count: int
) -> frozenset[str]:
    """The comparisons (`name`, `birth_date`) of which lone values are slips in this file.

    Reads the tables `edge` and `blocked_pattern`.
    """
    edges = _Edges.read(connection, model)
    slips: frozenset[str] = frozenset()
    # Once names are known to be slips, fewer groups look like people with one record only.
    for aspect in (*ASPECTS, *ASPECTS):
        if aspect.comparison not in slips:
            conflicts = edges.conflicts(model, aspect, slips, records_count)
            slips |= {aspect.comparison} if _are_slips(conflicts) else frozenset()
    return slips


def _are_slips(conflicts: _Conflicts) -> bool:
    """Whether lone values are too many for people of their own.

    Of two people, both have several records with the squared probability that one has; so the
    pairs in which both have say how many pairs of people there are, and how many of them would
    look lone.
    """
    groups, several = (conflicts.size > 0).sum(), (conflicts.size > 1).sum()
    lone = int(conflicts.is_lone.sum())
    if not lone or not several:
        return False
    both_have = (several / groups) ** 2
    seen = len(conflicts.left) - lone
    expected_lone = (seen + UNSEEN_PAIRS) / both_have * (1 - both_have)
    return bool(expected_lone <= (1 - SLIP_SHARE_MIN) * lone)


def hide_slips(
    connection: duckdb.DuckDBPyConnection, model: Model, slips: frozenset[str], records_count: int
) -> int:
    """Empty the lone values of these comparisons in `records`, once everything is scored.

    Returns:
        The number of records of which something was hidden.
    """
    edges = _Edges.read(connection, model)
    hidden = 0
    for aspect in ASPECTS:
        if aspect.comparison not in slips:
            continue
        conflicts = edges.conflicts(model, aspect, frozenset(), records_count)
        ends = np.concatenate(
            [conflicts.left[conflicts.is_lone], conflicts.right[conflicts.is_lone]]
        )
        alone = np.unique(ends[conflicts.size[ends] == 1])
        hidden += len(alone)
        connection.register("lone", pa.table({"record": alone}))
        emptied = ", ".join(f"{field} = null" for field in _FIELDS[aspect.comparison])
        connection.execute(
            f"update records set {emptied} where record in (select record from lone)"
        )
        connection.unregister("lone")
    return hidden


@dataclass(frozen=True, slots=True)
class _Edges:
    """Link edges and their patterns."""

    left: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64]
    levels: npt.NDArray[np.int64]

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection, model: Model) -> _Edges:
        columns = connection.execute(
            f"""select l, r, pattern from edge
            join blocked_pattern on l = left_record and r = right_record
            where match_weight_bits >= {model.thresholds.link_bits!r}"""
        ).fetchnumpy()
        left, right, patterns = (np.asarray(columns[name], np.int64) for name in columns)
        return cls(left, right, decode_patterns(model, patterns))

    def conflicts(
        self, model: Model, aspect: Aspect, slips: frozenset[str], records_count: int
    ) -> _Conflicts:
        """Groups that plain edges make, and where only this aspect keeps two of them apart.

        An edge is plain if no aspect, those of `slips` left out, speaks against it.
        """
        is_unlike = np.zeros(len(self.left), dtype=bool)
        for other in ASPECTS:
            if other != aspect and other.comparison not in slips:
                is_unlike |= is_on_levels(model, self.levels, other)
        is_chosen = is_on_levels(model, self.levels, aspect)
        is_plain = ~(is_unlike | is_chosen)
        is_chosen &= ~is_unlike
        group = connected_components(records_count, self.left[is_plain], self.right[is_plain])
        left, right = group[self.left[is_chosen]], group[self.right[is_chosen]]
        pairs = np.unique(
            np.stack([np.minimum(left, right), np.maximum(left, right)], axis=1)[left != right],
            axis=0,
        )
        return _Conflicts(pairs[:, 0], pairs[:, 1], np.bincount(group, minlength=records_count))
