"""The three kinds of pairs: one person, strangers, and relatives; and what they make of patterns.

`mpi.batch.files.maximisation` learns their shares from a file, and `mpi.batch.files.expectation`
goes to and fro between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mpi.batch.files.patterns import Patterns
from mpi.batch.files.relatives import TINY, Shares, relatives_start
from mpi.linkage.model import Model

Bits = npt.NDArray[np.float64]

MATCHES_PER_RECORD: Final = 0.5
RELATIVES_PER_RECORD: Final = 1.0
"""Where the estimation starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the estimation works on; pairs and records are counts."""

    blocked: Patterns
    random: Patterns
    pairs_within: float
    """Pairs of records of one source, blocked or not."""
    pairs_across: float
    records: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Shares of each comparison's levels by kind of pair, missing first (1.0), and of the kinds."""

    matches: list[Shares]
    strangers: list[Shares]
    relatives: list[Shares]
    kinds: Shares
    """Across sources and within one x matches, strangers, relatives: shares of all pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindBits:
    """Log2 probability of patterns under each kind of pair, its share of all pairs included.

    One entry for each pattern, in their order.
    """

    matches: Bits
    strangers: Bits
    """Without the adjustment by frequencies, which is subtracted from it."""
    relatives: Bits


def start_estimate(model: Model, evidence: Evidence) -> Estimate:
    """The shipped model's shares, and kinds by the number of records.

    The estimate is of the model's comparisons, in their order.
    """
    comparisons = model.comparisons
    strangers = [_with_missing([level.u for level in c.levels]) for c in comparisons]
    return Estimate(
        matches=[_with_missing([level.m for level in c.levels]) for c in comparisons],
        strangers=strangers,
        relatives=[
            relatives_start(c, shares) for c, shares in zip(comparisons, strangers, strict=True)
        ],
        kinds=kind_shares(
            np.full(2, MATCHES_PER_RECORD * evidence.records / 2),
            np.full(2, RELATIVES_PER_RECORD * evidence.records / 2),
            evidence,
        ),
    )


def kind_shares(matches: Shares, relatives: Shares, evidence: Evidence) -> Shares:
    """Shares of the kinds, as `Estimate` has them, by pairs of matches and of relatives.

    Both are counts, one entry for pairs across sources and one for those within.
    """
    totals = np.array([evidence.pairs_across, evidence.pairs_within])
    kinds = np.empty((2, 3))
    # Half a pair more of each kind, so that none is ruled out; at most a tenth of all pairs at
    # first sight, because a file of ten records has but 45.
    kinds[:, 0] = np.minimum((matches + 0.5) / (totals + 2), 0.4)
    kinds[:, 2] = np.minimum((relatives + 0.5) / (totals + 2), 0.4)
    kinds[:, 1] = 1 - kinds[:, 0] - kinds[:, 2]
    return kinds


def kind_bits(estimate: Estimate, patterns: Patterns, *, without: int | None = None) -> KindBits:
    """What each kind makes of patterns; parallel to them.

    Args:
        estimate: Of the comparisons that the patterns have.
        patterns: Any.
        without: A comparison that is left out.
    """
    stratum = patterns.is_same_source.astype(int)
    log_kinds = np.log2(np.maximum(estimate.kinds, TINY))[stratum]
    totals = [
        log_kinds[:, kind] + _sum_bits(shares, patterns, without)
        for kind, shares in enumerate((estimate.matches, estimate.strangers, estimate.relatives))
    ]
    return KindBits(matches=totals[0], strangers=totals[1], relatives=totals[2])


def posteriors(bits: KindBits, adjustment_bits: Bits) -> tuple[Shares, Shares, Shares]:
    """Probability that each pattern is a match, strangers, relatives; the three add up to 1.

    Args:
        bits: Of the patterns.
        adjustment_bits: What frequencies add to each pattern's weight; parallel to `bits`.
    """
    strangers = bits.strangers - adjustment_bits
    highest = np.maximum(np.maximum(bits.matches, strangers), bits.relatives)
    parts = [np.exp2(kind - highest) for kind in (bits.matches, strangers, bits.relatives)]
    total = parts[0] + parts[1] + parts[2]
    return parts[0] / total, parts[1] / total, parts[2] / total


def _with_missing(shares: list[float]) -> Shares:
    return np.array([1.0, *shares])


def _sum_bits(shares: list[Shares], patterns: Patterns, without: int | None) -> Bits:
    total = np.zeros(len(patterns.counts))
    for place, comparison in enumerate(shares):
        if place != without:
            total += np.log2(np.maximum(comparison, TINY))[patterns.levels[:, place]]
    return total
