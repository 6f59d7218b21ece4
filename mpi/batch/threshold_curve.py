"""What the scores alone are worth: precision and recall of linking all edges down to a threshold.

Pair by pair, with no groups, vetoes or ambiguities: it judges the model, not the partition.
"""

from __future__ import annotations

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from mpi.batch.evaluation import PRECISION_WANTED, ThresholdPoint

_Numbers = npt.NDArray[np.float64]


class WeightCurve:
    """Precision and recall of linking all edges down to each distinct weight, heaviest first."""

    def __init__(self, weights: _Numbers, linked: _Numbers, correct: _Numbers, true: int) -> None:
        self.weights = weights
        self.precision = np.cumsum(correct) / np.cumsum(linked)
        self.recall = np.cumsum(correct) / max(true, 1)

    def point(self, at: int) -> ThresholdPoint:
        """The point at the `at`th distinct weight, the heaviest being 0."""
        return ThresholdPoint(
            match_weight_bits=float(self.weights[at]),
            precision=float(self.precision[at]),
            recall=float(self.recall[at]),
        )


def weight_curve(
    cursor: duckdb.DuckDBPyConnection, edges: pa.Table | None, true_pairs: int
) -> WeightCurve | None:
    """The curve of these edges; None if none can be judged.

    Args:
        cursor: Holds the temporary table `judged` (record, human); the view `edges` is left in it.
        edges: `left`, `right` (record numbers), `match_weight_bits`; each pair once.
        true_pairs: Pairs of one human among all records, of which recall is the share.
    """
    if edges is None:
        return None
    cursor.register("edges", edges)
    columns = cursor.execute(
        """
        select match_weight_bits as weight, count(*) as linked,
            count(*) filter (where l.human = r.human) as correct
        from edges join judged as l on l.record = edges."left"
        join judged as r on r.record = edges."right"
        group by weight order by weight desc
        """
    ).fetchnumpy()
    if not len(columns["weight"]):
        return None
    return WeightCurve(columns["weight"], columns["linked"], columns["correct"], true_pairs)


def best_point(curve: WeightCurve | None) -> ThresholdPoint | None:
    """The threshold of most recall whose precision is at least `PRECISION_WANTED`; else None."""
    if curve is None:
        return None
    precise = np.flatnonzero(curve.precision >= PRECISION_WANTED)
    return curve.point(int(precise[-1])) if len(precise) else None


def points_at_whole_bits(curve: WeightCurve | None) -> tuple[ThresholdPoint, ...]:
    """The last distinct weight at or above each whole bit."""
    if curve is None:
        return ()
    bits = np.floor(curve.weights)
    last_of_bit = np.append(np.flatnonzero(np.diff(bits)), len(bits) - 1)
    return tuple(curve.point(int(at)) for at in last_of_bit)
