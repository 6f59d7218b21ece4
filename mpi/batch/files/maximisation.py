"""What a file's pairs teach about each level, given how likely each is of which kind.

Nothing runs away: every share is drawn towards the shipped model's as by a number of pairs already
seen. Relatives are learned from pairs that differ in something else, so that one person's slips do
not make them ever more like matches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mpi.batch.files.kinds import RELATIVES_PER_RECORD, Estimate, Evidence, kind_shares
from mpi.batch.files.patterns import Patterns
from mpi.batch.files.relatives import (
    ALIKE_LEVEL,
    BIRTH_DATES,
    CONFIRMED_BY_DATE,
    CONFIRMED_BY_NUMBER,
    CONFIRMED_PAIRS_MIN,
    GIVEN_NAMES,
    HELD,
    MOSTLY,
    TINY,
    UNLIKE_DATES,
    UNLIKE_NAMES,
    Aspect,
    Shares,
    alike_share_max,
    is_on_levels,
    tied_shares,
)
from mpi.linkage.model import Comparison, Level, Model

Slips = Mapping[str, float]
"""Comparison -> share of slips among the pairs of one home that differ in it, at least."""

SHIPPED_PAIRS: Final = 20.0
"""The shipped m weighs as much as this many matching pairs, but each level at least..."""
LEVEL_PAIRS_MIN: Final = 0.5
"""... as much as this many: no level is ruled out because nobody was seen on it."""
LEVEL_PAIRS_FROM: Final = 1000.0
"""Where so many pairs teach; fewer rule nothing out."""
RANDOM_PAIRS: Final = 3.0
"""The shipped u of a level weighs as much as this many random pairs seen on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Pairs of each kind that are expected by pattern, and what else a round learns from."""

    model: Model
    evidence: Evidence
    shipped: Estimate
    slips: Slips | None
    matches: Shares
    """Of the blocked patterns, as are the next two; parallel to them."""
    strangers: Shares
    relatives: Shares
    random_strangers: Shares
    """Of the random patterns."""

    def counts(self, place: int, expected: Shares) -> Shares:
        """Blocked pairs expected on each level of a comparison: one entry a level, without missing.

        Args:
            place: Of the comparison in the model.
            expected: Pairs of each blocked pattern.
        """
        return level_counts(self.evidence.blocked, place, expected, self.model.comparisons[place])

    def is_on(self, aspect: Aspect) -> npt.NDArray[np.bool_]:
        """Which blocked patterns are on one of these levels: one flag for each pattern."""
        return is_on_levels(self.model, self.evidence.blocked.levels, aspect)

    def has(self, aspect: Aspect) -> bool:
        """Whether any pair of the file is on these levels."""
        return bool(self.is_on(aspect).any())


def next_estimate(lesson: Lesson, estimate: Estimate) -> Estimate:
    """The shares that the lesson teaches; `estimate` is what it was expected by."""
    places = range(len(lesson.model.comparisons))
    matches = [_next_matches(lesson, place) for place in places]
    return Estimate(
        matches=matches,
        strangers=[_next_strangers(lesson, place) for place in places],
        relatives=[_next_relatives(lesson, place, matches[place]) for place in places],
        kinds=kind_shares(
            _by_stratum(lesson.matches, lesson.evidence.blocked),
            _relatives_count(lesson, estimate),
            lesson.evidence,
        ),
    )


def level_counts(
    patterns: Patterns, place: int, expected: Shares, comparison: Comparison
) -> Shares:
    """Pairs expected on each level of a comparison: one entry a level, without missing.

    Args:
        patterns: Of the model's comparisons.
        place: Of the comparison among them.
        expected: Pairs of each pattern.
        comparison: The same comparison.
    """
    size = len(comparison.levels) + 1
    counts = np.bincount(patterns.levels[:, place], weights=expected, minlength=size)
    return np.asarray(counts[1:], float)


def drawn_shares(counts: Shares, shipped: Shares) -> Shares:
    """Shares by counts of pairs, drawn towards the shipped ones; both have an entry a level."""
    least = LEVEL_PAIRS_MIN * min(counts.sum() / LEVEL_PAIRS_FROM, 1.0)
    prior = np.maximum(SHIPPED_PAIRS * shipped, least)
    return np.asarray((counts + prior) / (counts.sum() + prior.sum()), float)


def _by_stratum(expected: Shares, patterns: Patterns) -> Shares:
    counts = np.bincount(patterns.is_same_source.astype(int), weights=expected, minlength=2)
    return np.asarray(counts, float)


def _relatives_count(lesson: Lesson, estimate: Estimate) -> Shares:
    """Pairs of relatives by stratum, from those that are relatives without doubt.

    In a file with neither given names nor birth dates nobody is, and their number stays where it
    started.
    """
    aspects = _teaching_aspects(lesson.slips)
    if not lesson.has(GIVEN_NAMES):
        if not lesson.has(BIRTH_DATES):
            return np.full(2, RELATIVES_PER_RECORD * lesson.evidence.records / 2)
        aspects = (UNLIKE_DATES,)
    expected, share = lesson.relatives, 1.0
    for aspect in aspects:
        expected = expected * lesson.is_on(aspect)
        share *= _aspect_share(lesson.model, estimate.relatives, aspect)
    return _by_stratum(expected, lesson.evidence.blocked) / max(share, TINY)


def _are_mostly_slips(aspect: Aspect, slips: Slips | None) -> bool:
    return slips is not None and slips[aspect.comparison] >= MOSTLY


def _teaching_aspects(slips: Slips | None) -> tuple[Aspect, ...]:
    """What relatives must differ in for a file to teach how many they are.

    Where different names of one home are mostly slips, only those also born on different days are
    relatives without doubt.
    """
    is_doubtful = _are_mostly_slips(UNLIKE_NAMES, slips)
    return (UNLIKE_NAMES, UNLIKE_DATES) if is_doubtful else (UNLIKE_NAMES,)


def _aspect_share(model: Model, shares: list[Shares], aspect: Aspect) -> float:
    """Share of pairs on the aspect's levels; 1 if the model does not compare it."""
    for comparison, levels in zip(model.comparisons, shares, strict=True):
        if comparison.name == aspect.comparison:
            chosen = [level.name in aspect.levels for level in comparison.levels]
            return float(levels[1:][chosen].sum())
    return 1.0


def _next_matches(lesson: Lesson, place: int) -> Shares:
    comparison, start = lesson.model.comparisons[place], lesson.shipped.matches[place]
    shares = drawn_shares(lesson.counts(place, lesson.matches), start[1:])
    if comparison.name == UNLIKE_NAMES.comparison:
        taught = _confirmed_names(lesson, place, start[1:])
        shares = _with_unlike_share(comparison, shares, taught, UNLIKE_NAMES)
        shares = _with_alike_limit(comparison, shares)
    elif comparison.name == UNLIKE_DATES.comparison and not lesson.has(GIVEN_NAMES):
        # Without given names parents and children would teach that birth dates differ.
        shares = _with_unlike_share(comparison, shares, start[1:], UNLIKE_DATES)
    return _unless_fixed(comparison, start, shares)


def _confirmed_names(lesson: Lesson, place: int, shipped: Shares) -> Shares:
    """Shares of the names of pairs that are one person whatever their names.

    Numbers confirm that. A birth date does only where twins are known not to be meant.
    """
    by_number, by_date = (
        lesson.counts(
            place, lesson.matches * np.logical_or.reduce([lesson.is_on(each) for each in aspects])
        )
        for aspects in (CONFIRMED_BY_NUMBER, CONFIRMED_BY_DATE)
    )
    if by_number.sum() >= CONFIRMED_PAIRS_MIN:
        return drawn_shares(by_number, shipped)
    if by_date.sum() < CONFIRMED_PAIRS_MIN:
        return shipped
    share = 1.0 if lesson.slips is None else lesson.slips[UNLIKE_NAMES.comparison]
    return np.maximum(drawn_shares(by_date, shipped) * share, shipped)


def _with_unlike_share(
    comparison: Comparison, shares: Shares, taught: Shares, aspect: Aspect
) -> Shares:
    """The shares with as many differences as `taught` has."""
    unlike = np.array([level.name in aspect.levels for level in comparison.levels])
    if not unlike.any() or unlike.all():
        return shares
    rest = shares[~unlike].sum()
    return np.where(unlike, taught, shares * (1 - taught[unlike].sum()) / rest)


def _with_alike_limit(comparison: Comparison, shares: Shares) -> Shares:
    """The shares without similar names of twins."""
    alike = np.array([level.name == ALIKE_LEVEL for level in comparison.levels])
    excess = shares[alike].sum() - alike_share_max(comparison, shares)
    if excess <= 0:
        return shares
    limited = np.where(alike, shares - excess, shares)
    return np.asarray(limited / limited.sum(), float)


def _next_strangers(lesson: Lesson, place: int) -> Shares:
    """From random pairs; and never below what the blocked pairs alone show."""
    comparison, evidence = lesson.model.comparisons[place], lesson.evidence
    start = lesson.shipped.strangers[place][1:]
    random = level_counts(evidence.random, place, lesson.random_strangers, comparison)
    shares = (random + RANDOM_PAIRS) / (random.sum() + RANDOM_PAIRS / start)
    informed = random.sum() / max(lesson.random_strangers.sum(), 1.0)
    pairs = (evidence.pairs_within + evidence.pairs_across) * max(informed, TINY)
    if random.sum() > 0:
        shares = np.maximum(shares, lesson.counts(place, lesson.strangers) / max(pairs, 1.0))
    shares = np.maximum(shares, [level.u_min for level in comparison.levels])
    return _unless_fixed(comparison, lesson.shipped.strangers[place], np.minimum(shares, 1.0))


def _next_relatives(lesson: Lesson, place: int, matches: Shares) -> Shares:
    """Learned from relatives that differ in something else, so that it is not slips that teach."""
    comparison, shipped = lesson.model.comparisons[place], lesson.shipped.relatives[place]
    aspects = _teaching_aspects(lesson.slips)
    if comparison.name == UNLIKE_NAMES.comparison or not lesson.has(GIVEN_NAMES):
        aspects = (UNLIKE_DATES,)
    if aspects[-1].comparison == comparison.name:
        return shipped
    if _are_mostly_slips(UNLIKE_DATES, lesson.slips):
        return _tied(comparison, shipped, matches)
    expected = lesson.relatives
    for aspect in aspects:
        expected = expected * lesson.is_on(aspect)
    shares = drawn_shares(lesson.counts(place, expected), shipped[1:])
    shares = _with_held(comparison, shares, shipped[1:])
    return _tied(comparison, _unless_fixed(comparison, shipped, shares), matches)


def _with_held(comparison: Comparison, shares: Shares, shipped: Shares) -> Shares:
    """The shares with the shipped ones where a file cannot teach them."""
    held = np.array([(comparison.name, level.name) in HELD for level in comparison.levels])
    if not held.any():
        return shares
    free = 1 - shipped[held].sum()
    return np.where(held, shipped, shares * free / shares[~held].sum())


def _tied(comparison: Comparison, relatives: Shares, matches: Shares) -> Shares:
    if comparison.name != UNLIKE_NAMES.comparison:
        return relatives
    return np.concatenate([[1.0], tied_shares(comparison, relatives[1:], matches[1:])])


def _unless_fixed(comparison: Comparison, shipped: Shares, shares: Shares) -> Shares:
    free = [_is_reestimated(comparison, level) for level in comparison.levels]
    return np.concatenate([[1.0], np.where(free, shares, shipped[1:])])


def _is_reestimated(comparison: Comparison, level: Level) -> bool:
    """Whether the file may teach this level; a number of another scheme differs from file to file,
    an NHS number does not."""
    return not level.is_fixed or comparison.name == "identifier"
