"""Given names and birth dates that one record has against all others: slips, or another human's?

A veto keeps records of one home apart if their given names, or their birth dates, clearly differ:
they may be twins, or father and son. In a file whose fields are heavily corrupted the same looks
like a slip. The file itself can tell, by how many records the two sides have. Two people have them
independently of one another: each side has several as often as anybody in the file. A slip stands
alone, and on the other side is the rest of one person. So the file is taken for a mixture of both,
and a lone value is not read by vetoes if it is a slip with near certainty; else it is, and becomes
a question. How many relatives the file's homes hold bounds how many twins and namesakes there can
be: where nobody has brothers, sisters or parents, nobody has twins.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mpi.batch.groups import connected_components
from mpi.batch.pattern_moves import MISSING
from mpi.batch.patterns import decode_patterns
from mpi.batch.relatives import (
    MOSTLY,
    TINY,
    UNLIKE_DATES,
    UNLIKE_NAMES,
    Aspect,
    is_on_levels,
)
from mpi.linkage.model import Model

SLIP_SHARE_MIN: Final = 0.95
"""Share of slips among values of one kind from which they are taken for slips."""
SLIPS_OF_TWO_RECORDS: Final = 0.02
"""Share of slips that two records of one person have in common."""
SURE_LOG_LIKELIHOOD: Final = 1.353
"""Half the 90 % quantile of chi-squared with one degree: a one-sided 95 % bound by likelihood."""
SHARES: Final = np.linspace(0.0, 1.0, 201)
"""Shares of slips that are tried."""
TWINS_PER_RELATIVE: Final = 0.2
"""Pairs of twins, or of namesakes, in one home for each pair of other relatives, at most: several
times as many as there are anywhere (see `RELATIVES`)."""
SURE_BITS: Final = 16.0
"""A pair of this weight, in which relatives are weighed too, is one person: its lone value is a
slip, whatever is known of the file."""
SAME_HOME: Final = Aspect(
    "home",
    frozenset(
        {
            "same_place_and_phone",
            "same_place_phone_missing",
            "same_place",
            "same_place_once",
            "place_close",
        }
    ),
)
SAME_FAMILY: Final = Aspect(
    "name", frozenset({"family_same_given_differs", "family_close_given_differs"})
)
ASPECTS: Final = (
    UNLIKE_NAMES,
    Aspect(UNLIKE_DATES.comparison, UNLIKE_DATES.levels | {"two_slips"}),
)
"""What vetoes read, by the levels on which it conflicts."""
LACKING: Final = {
    ASPECTS[0]: Aspect(
        "name",
        frozenset(
            {
                MISSING,
                "family_same_given_missing",
                "family_close_given_missing",
                "initial_family_same",
            }
        ),
    ),
    ASPECTS[1]: Aspect("birth_date", frozenset({MISSING, "partial"})),
}
"""The levels of each on which one side lacks the value."""
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
    bits: npt.NDArray[np.float64]
    """The heaviest edge between the two."""
    relatives: float
    """Pairs of records in one home with a family name, that differ in given name and birth date."""

    @property
    def sides_with_several(self) -> npt.NDArray[np.int64]:
        """How many of the two groups have several records: 0, 1 or 2."""
        several = self.size > 1
        return np.asarray(several[self.left].astype(int) + several[self.right])

    def is_slip(self) -> npt.NDArray[np.bool_]:
        """Which pairs are one person with near certainty."""
        share, is_sure = self._judge()
        sides = self.sides_with_several
        return is_sure[sides] | (self.bits >= _sure_bits(share)) & (sides < 2)

    def slip_share(self) -> float:
        """Share of slips among the pairs, at least (one-sided 95 %)."""
        share, _ = self._judge()
        return share

    def _judge(self) -> tuple[float, npt.NDArray[np.bool_]]:
        counts = np.bincount(self.sides_with_several, minlength=3)
        return _sure_slips(counts, self.size, self._size_if_slips(), self.relatives)

    def _size_if_slips(self) -> npt.NDArray[np.int64]:
        """What sizes groups had if every conflict were a slip."""
        whole = connected_components(len(self.size), self.left, self.right)
        return np.bincount(whole, weights=self.size, minlength=len(self.size)).astype(np.int64)


def find_slips(
    connection: duckdb.DuckDBPyConnection, model: Model, records_count: int
) -> dict[str, float]:
    """Share of slips among the conflicts of `name` and of `birth_date` in this file, at least.

    Args:
        connection: Holds `edge` (left_record, right_record, match_weight_bits) and
            `blocked_pattern`, a table of `make_patterns`.
        model: Its comparisons and `link_bits`.
        records_count: Records are numbered from 0 to this, exclusive.

    Returns:
        Comparison -> share, 0..1: the one-sided 95 % lower bound by likelihood.
    """
    edges = _Edges.read(connection, model)
    shares = {aspect.comparison: 0.0 for aspect in ASPECTS}
    # Once names are known to be slips, fewer groups look like people with one record only.
    for aspect in (*ASPECTS, *ASPECTS):
        conflicts = edges.conflicts(model, aspect, mostly_slips(shares), records_count)
        shares[aspect.comparison] = conflicts.slip_share()
    return shares


def mostly_slips(shares: Mapping[str, float]) -> frozenset[str]:
    """The comparisons in which one home's differences are rather slips than people.

    Args:
        shares: As `find_slips` gives them.
    """
    return frozenset(name for name, share in shares.items() if share >= MOSTLY)


def _sure_bits(slip_share: float) -> float:
    """The weight from which a conflict is a slip: less where most of them are known to be."""
    odds = slip_share / max(1 - slip_share, 1 - SHARES[-2])
    return SURE_BITS - max(math.log2(max(odds, TINY)), 0.0)


def _sure_slips(
    counts: npt.NDArray[np.int64],
    size: npt.NDArray[np.int64],
    size_if_slips: npt.NDArray[np.int64],
    relatives: float,
) -> tuple[float, npt.NDArray[np.bool_]]:
    """The share of slips, and which pairs are surely, by how many sides have several records.

    Args:
        counts: Pairs of which no, one and both sides have several.
        size: Records of the file's groups; 0 is no group.
        size_if_slips: The same, with the two sides of each pair as one group.
        relatives: Pairs of records of relatives who are neither twins nor namesakes.
    """
    records = size_if_slips[size_if_slips > 1].sum()
    if not records or not counts.sum():
        return 0.0, np.zeros(3, dtype=bool)
    several = (size > 1).sum() / (size > 0).sum()
    people = np.array([(1 - several) ** 2, 2 * several * (1 - several), several**2])
    # Each record of a person may be the slip; of a person with two, the other is then alone too.
    of_two = 2 * (size_if_slips == 2).sum() / records
    slips = (1 - SLIPS_OF_TWO_RECORDS) * np.array([of_two, 1 - of_two, 0.0])
    slips[2] = SLIPS_OF_TWO_RECORDS
    mixed = np.outer(SHARES, slips) + np.outer(1 - SHARES, people)
    likelihood = (counts * np.log(np.maximum(mixed, TINY))).sum(axis=1)
    share = float(SHARES[np.argmax(likelihood >= likelihood.max() - SURE_LOG_LIKELIHOOD)])
    chance = share * slips / np.maximum(share * slips + (1 - share) * people, TINY)
    is_sure = chance >= SLIP_SHARE_MIN
    if share >= MOSTLY:
        twins = TWINS_PER_RELATIVE * relatives * people
        is_sure |= twins <= (1 - SLIP_SHARE_MIN) * counts
    is_sure[2] = False
    return share, np.asarray(is_sure)


def hide_slips(connection: duckdb.DuckDBPyConnection, model: Model, records_count: int) -> int:
    """Empty the given names and birth dates in `records` that are slips, once all is scored.

    Args:
        connection: Holds the tables of `find_slips`, and `records`, whose columns are set to NULL.
        model: See `find_slips`.
        records_count: See `find_slips`.

    Returns:
        How many given names and birth dates were hidden.
    """
    edges = _Edges.read(connection, model)
    hidden = 0
    for aspect in ASPECTS:
        conflicts = edges.conflicts(model, aspect, frozenset(), records_count)
        is_slip = conflicts.is_slip()
        ends = np.concatenate([conflicts.left[is_slip], conflicts.right[is_slip]])
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
    bits: npt.NDArray[np.float64]
    levels: npt.NDArray[np.int64]
    relatives: float

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection, model: Model) -> _Edges:
        columns = connection.execute(
            f"""select l, r, pattern, match_weight_bits from edge
            join blocked_pattern on l = left_record and r = right_record
            where match_weight_bits >= {model.thresholds.link_bits!r}"""
        ).fetchnumpy()
        left, right, patterns = (
            np.asarray(columns[name], np.int64) for name in ("l", "r", "pattern")
        )
        bits = np.asarray(columns["match_weight_bits"], float)
        relatives = _count_relatives(connection, model)
        return cls(left, right, bits, decode_patterns(model, patterns), relatives)

    def conflicts(
        self, model: Model, aspect: Aspect, slips: frozenset[str], records_count: int
    ) -> _Conflicts:
        """Groups that plain edges make, and where only this aspect keeps two of them apart.

        An edge is plain if the aspect speaks for it and no other, those of `slips` left out, speaks
        against it. A record that lacks the value would else be a bridge between two.
        """
        is_unlike = np.zeros(len(self.left), dtype=bool)
        for other in ASPECTS:
            if other != aspect and other.comparison not in slips:
                is_unlike |= is_on_levels(model, self.levels, other)
        is_chosen = is_on_levels(model, self.levels, aspect)
        is_plain = ~(is_unlike | is_chosen | is_on_levels(model, self.levels, LACKING[aspect]))
        is_chosen &= ~is_unlike | (self.bits >= SURE_BITS)
        group = connected_components(records_count, self.left[is_plain], self.right[is_plain])
        left, right = group[self.left[is_chosen]], group[self.right[is_chosen]]
        is_apart = left != right
        ends = np.sort(np.stack([left, right], axis=1)[is_apart], axis=1)
        pairs, place = np.unique(ends, axis=0, return_inverse=True)
        bits = np.full(len(pairs), -np.inf)
        np.maximum.at(bits, place, self.bits[is_chosen][is_apart])
        size = np.bincount(group, minlength=records_count)
        return _Conflicts(pairs[:, 0], pairs[:, 1], size, bits, self.relatives)


def _count_relatives(connection: duckdb.DuckDBPyConnection, model: Model) -> float:
    columns = connection.execute(
        "select pattern, count(*) as pairs from blocked_pattern group by pattern"
    ).fetchnumpy()
    levels = decode_patterns(model, np.asarray(columns["pattern"], np.int64))
    is_relative = np.logical_and.reduce(
        [is_on_levels(model, levels, aspect) for aspect in (SAME_HOME, SAME_FAMILY, UNLIKE_DATES)]
    )
    return float(np.asarray(columns["pairs"])[is_relative].sum())
