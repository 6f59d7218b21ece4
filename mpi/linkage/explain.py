"""Why two records weigh what they weigh, as plain data that adds up to the weight exactly.

A steward must be able to see every bit of evidence for and against; a sum that is nearly right
would make them doubt the rest. The numbers are the scorer's own, in the scorer's order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mpi.domain.records import ComparisonRecord
from mpi.linkage.model import Comparison
from mpi.linkage.scorer import MISSING, LevelWeight, Scorer

MISSING_NAME: Final = "missing"
_MISSING_WORDS: Final = "not known on both sides"
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationStep:
    """What one comparison adds to the weight of a pair, in bits."""

    comparison: str
    level: str
    """The level's name, or `missing`."""
    words: str
    weight_bits: float
    adjustment_bits: float
    """For how common the agreed value is; 0.0 where the level does not ask."""
    frequency_field: str | None
    frequency: float | None
    """Share of the region's records that hold the agreed value, 0..1."""
    running_bits: float
    """The prior and all steps up to and with this one."""

    @property
    def frequency_words(self) -> str:
        """`family name shared by about 12 in a million`; empty if there is no frequency."""
        if self.frequency is None or self.frequency_field is None:
            return ""
        field = self.frequency_field.replace("_", " ")
        count = self.frequency * _MILLION
        if count < 1:
            return f"{field} shared by fewer than 1 in a million"
        return f"{field} shared by about {count:,.0f} in a million"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """The whole weight of one pair.

    Adding to `prior_bits` each step's weight and adjustment, in order, gives
    `match_weight_bits`, the scorer's own number, to the last bit.
    """

    prior_bits: float
    steps: tuple[ExplanationStep, ...]
    match_weight_bits: float


def explain(scorer: Scorer, left: ComparisonRecord, right: ComparisonRecord) -> Explanation:
    """The waterfall of a pair; which record is left makes no difference."""
    model = scorer.model
    weights = scorer.levels(scorer.prepare(left), scorer.prepare(right))
    running = model.prior_bits
    steps = []
    for comparison, weight in zip(model.comparisons, weights, strict=True):
        running = running + weight.weight_bits + weight.adjustment_bits
        steps.append(_step(comparison, weight, running))
    return Explanation(prior_bits=model.prior_bits, steps=tuple(steps), match_weight_bits=running)


def _step(comparison: Comparison, weight: LevelWeight, running_bits: float) -> ExplanationStep:
    level = None if weight.level == MISSING else comparison.levels[weight.level]
    return ExplanationStep(
        comparison=comparison.name,
        level=level.name if level else MISSING_NAME,
        words=level.words if level else _MISSING_WORDS,
        weight_bits=weight.weight_bits,
        adjustment_bits=weight.adjustment_bits,
        frequency_field=level.frequency if level else None,
        frequency=weight.frequency,
        running_bits=running_bits,
    )
