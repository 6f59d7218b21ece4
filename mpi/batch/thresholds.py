"""Thresholds from what errors cost: a weight is enough when linking costs less than not linking.

A threshold does not transfer between data sets or models (published best ones ran from -16 to +15
bits), so each release gets its own, from pairs whose truth the NHS number tells.

Source of isotonic regression by pool-adjacent-violators: Ayer et al. 1955,
DOI 10.1214/aoms/1177728423.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mpi.linkage.model import Thresholds

COST_RATIO: Final = 20.0
"""A false link costs as much as this many missed ones: it can show a doctor another's allergies."""
TASK_SHARE: Final = 0.1
"""A question is worth a steward's time when one in ten of its kind is a link."""

PLATEAU_MIN: Final = 0.9
"""Share of matches. More wrong numbers than one in ten nobody has; then the weights are wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenThresholds:
    """Thresholds in bits, and what they were chosen by."""

    link_bits: float
    review_bits: float
    calibrated_link_bits: float
    """Where the labelled pairs alone would put the first."""
    calibrated_review_bits: float
    link_share: float
    """Share of matches asked of a weight that links."""
    plateau: float
    """Share of equal numbers among the heavier half; the rest are wrong numbers, not people."""
    prior_offset_bits: float
    """By how much the region's prior lies below that of the training records."""


def choose_thresholds(
    weights: npt.NDArray[np.float64],
    labels: npt.NDArray[np.bool_],
    *,
    spec: Thresholds,
    prior_offset_bits: float,
    cost_ratio: float = COST_RATIO,
    task_share: float = TASK_SHARE,
) -> ChosenThresholds:
    """The lowest weights at which linking, and asking, are worth it, but no lower than the spec's.

    The spec's thresholds stand for what labels cannot show: numbers that are wrong look like
    matches missed, and people of the whole region who share a name and a birth date by chance are
    more than those of a sample.

    Args:
        spec: Thresholds of the model's spec.
        weights: Match weights in bits of labelled pairs, under the region's prior.
        labels: Whether each pair is a match; parallel to `weights`.
        prior_offset_bits: Log2 odds of the training records' prior less those of the region's.
        cost_ratio: Cost of a false link over that of a missed one.
        task_share: Share of matches from which a question is worth asking.
    """
    # Of equal weights the matches come first, so that they are pooled with the others.
    order = np.lexsort((~labels, weights))
    share = isotonic_shares(labels[order].astype(float))
    plateau = _plateau(weights, labels)
    link_share = cost_ratio / (1 + cost_ratio)
    link = _first_reaching(weights[order], share / plateau, link_share) + prior_offset_bits
    review = _first_reaching(weights[order], share / plateau, task_share) + prior_offset_bits
    return ChosenThresholds(
        link_bits=max(round(link, 1), spec.link_bits),
        review_bits=max(round(review, 1), spec.review_bits),
        calibrated_link_bits=link,
        calibrated_review_bits=review,
        link_share=link_share,
        plateau=plateau,
        prior_offset_bits=prior_offset_bits,
    )


def _plateau(weights: npt.NDArray[np.float64], labels: npt.NDArray[np.bool_]) -> float:
    if not len(weights):
        return 1.0
    return max(float(labels[weights >= np.median(weights)].mean()), PLATEAU_MIN)


def _first_reaching(
    weights: npt.NDArray[np.float64], share: npt.NDArray[np.float64], wanted: float
) -> float:
    """The lowest weight with such a share; beyond the heaviest if none has; 0 without weights."""
    if not len(weights):
        return 0.0
    at = int(np.searchsorted(share, wanted))
    return float(weights[at] if at < len(weights) else weights[-1] + 1)


def isotonic_shares(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The non-decreasing sequence nearest to the values in least squares, one for each of them.

    Source: Ayer et al. 1955, DOI 10.1214/aoms/1177728423.
    """
    means: list[float] = []
    counts: list[int] = []
    for value in values.tolist():
        mean, count = value, 1
        while means and means[-1] >= mean:
            before, held = means.pop(), counts.pop()
            mean = (mean * count + before * held) / (count + held)
            count += held
        means.append(mean)
        counts.append(count)
    return np.repeat(np.array(means), np.array(counts, dtype=np.int64))
