"""The comparisons of a model that cost little, to leave out pairs that cannot become edges.

Half of the pairs of a region share a name and a street but not a birth date. A pair whose quick
comparisons say so much against it that the best level of every other could not make up for it needs
no costly comparison; the others are scored whole, so every weight stays the same.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from mpi.linkage.frequencies import frequency_column
from mpi.linkage.model import Comparison, Level, Model

QUICK_TESTS_MAX: Final = 15
"""Tests of a quick comparison; the names' have forty."""
SLACK_BITS: Final = 0.01
"""Sums of rounded numbers differ by less, in whatever order they are added."""


def quick_look(model: Model, *, tests_max: int = QUICK_TESTS_MAX) -> tuple[Model, float] | None:
    """The model of its quick comparisons, and the weight in bits that every edge has in it.

    None if all comparisons are quick, or none is, or the others' weight has no limit.
    """
    quick = tuple(each for each in model.comparisons if _tests_count(each) <= tests_max)
    others = [each for each in model.comparisons if each not in quick]
    threshold_bits = model.thresholds.review_bits - sum(_bits_max(model, each) for each in others)
    if not quick or not others or math.isinf(threshold_bits):
        return None
    return replace(model, comparisons=quick), threshold_bits - SLACK_BITS


def _tests_count(comparison: Comparison) -> int:
    alternatives = (comparison.missing, *(level.when for level in comparison.levels))
    return sum(len(condition) for each in alternatives for condition in each)


def _bits_max(model: Model, comparison: Comparison) -> float:
    """The most that a comparison adds, its frequencies included; a missing one adds nothing."""
    return max(0.0, *(_level_bits_max(model, comparison, level) for level in comparison.levels))


def _level_bits_max(model: Model, comparison: Comparison, level: Level) -> float:
    column = frequency_column(model, comparison, level)
    if column is None:
        return level.weight_bits
    if not column.adjusted_u(column.frequency_min):
        return math.inf
    return level.weight_bits + max(0.0, column.adjustment_bits(column.frequency_min))
