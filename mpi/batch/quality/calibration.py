"""Is a weight of 10 bits really right a thousand times in a thousand and one?

Labels come from the NHS number: a pair of records that both hold a trusted one is a match if the
numbers are equal. Its weight must leave the number's own comparison out, or it would prove itself.
With synthetic people the truth serves as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mpi.batch.quality.intervals import wilson_interval

CALIBRATION_BINS_BITS: Final = tuple(range(-20, 31, 2))
"""Two bits wide, four times the odds; past 30 bits no sample is large enough to tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationRow:
    """The pairs whose weight lies in `[from_bits, to_bits)`; None where the bin has no end."""

    from_bits: float | None
    to_bits: float | None
    pairs_count: int
    matches_count: int
    predicted_share: float
    """Mean of 2^w / (1 + 2^w) over the pairs."""
    observed_share: float
    observed_low: float
    """Two-sided 95 % Wilson interval of the observed share."""
    observed_high: float


def calibration_table(
    weights: npt.NDArray[np.float64],
    labels: npt.NDArray[np.bool_],
    bins: Sequence[float] = CALIBRATION_BINS_BITS,
) -> tuple[CalibrationRow, ...]:
    """Predicted against observed shares of matches; bins without pairs are left out.

    Args:
        weights: Match weights in bits, one for each pair, prior included.
        labels: True where the pair is a match; as long as `weights`.
        bins: Edges of the bins in bits, ascending; what lies beyond makes two more bins.

    Raises:
        ValueError: If the two arrays differ in length.
    """
    if len(weights) != len(labels):
        raise ValueError("calibration: weights and labels must be of one length")
    edges = [None, *bins, None]
    places = np.searchsorted(np.asarray(bins, dtype=np.float64), weights, side="right")
    pairs = np.bincount(places, minlength=len(bins) + 1)
    matches = np.bincount(places, weights=labels, minlength=len(bins) + 1).astype(np.int64)
    predicted = np.bincount(places, weights=probabilities(weights), minlength=len(bins) + 1)
    return tuple(
        _row(edges[at], edges[at + 1], int(pairs[at]), int(matches[at]), predicted[at])
        for at in np.flatnonzero(pairs)
    )


def probabilities(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Match probabilities, one for each weight in bits: 2^w / (1 + 2^w).

    Does not overflow at either end.
    """
    share: npt.NDArray[np.float64] = 1 / (1 + np.exp2(-np.clip(weights, -1000, 1000)))
    return share


def _row(
    from_bits: float | None, to_bits: float | None, pairs: int, matches: int, predicted: float
) -> CalibrationRow:
    low, high = wilson_interval(matches, pairs)
    return CalibrationRow(
        from_bits=from_bits,
        to_bits=to_bits,
        pairs_count=pairs,
        matches_count=matches,
        predicted_share=float(predicted) / pairs,
        observed_share=matches / pairs,
        observed_low=low,
        observed_high=high,
    )
