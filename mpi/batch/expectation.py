"""Weights re-estimated on a file without labels, by expectation and maximisation over patterns.

Three kinds of pairs are told apart, not two: one person; strangers; and *relatives*, who share a
home and a family name without being one person. Under the usual two kinds the members of a
household look like one person, because what they share is counted as if strangers shared it by
chance; here twins, namesakes and couples are weighed against how often relatives agree. What
relatives share is learned from the file too: how many there are, how often they are born on one
day and have similar names.

Strangers' agreement comes from random pairs, so that it does not depend on blocking; the other two
kinds from blocked pairs, which hold nearly all of them. Nothing runs away: every share starts from
the shipped model's and is drawn towards it as by a number of pairs already seen.

Source: Dempster, Laird & Rubin 1977; for record linkage Winkler 1988 (US Census RR2000/05).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from mpi.batch.patterns import Patterns
from mpi.batch.relatives import (
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
    relatives_start,
    tied_shares,
)
from mpi.linkage.model import Comparison, Level, Model

Bits = npt.NDArray[np.float64]
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
MATCHES_PER_RECORD: Final = 0.5
RELATIVES_PER_RECORD: Final = 1.0
"""Where the estimation starts."""
ITERATIONS_MAX: Final = 40
CHANGE_MIN: Final = 1e-4
"""Estimation ends when the number of matches changes by less than this share."""
UNREACHED_M_MAX: Final = 0.3
"""If more of a comparison's m lies on levels that no pair of the file is on, its columns are not
what the model was made for, and the other comparisons judge it first."""


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
    iterations: int = 0


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
        kinds=_kinds(
            np.full(2, MATCHES_PER_RECORD * evidence.records / 2),
            np.full(2, RELATIVES_PER_RECORD * evidence.records / 2),
            evidence,
        ),
    )


def estimate_kinds(
    model: Model,
    evidence: Evidence,
    start: Estimate | None = None,
    *,
    slips: Slips | None = None,
) -> Estimate:
    """Expectation and maximisation until the number of matches stays.

    Args:
        model: Its shares are what the estimate is drawn towards.
        evidence: Patterns of the file.
        start: An earlier estimate to go on from; else the shipped shares.
        slips: What `mpi.batch.lone_values` knows, once there are edges. Where differences are
            mostly slips of one person, they teach nothing about relatives; where they are not,
            twins teach nothing about slips.

    Returns:
        The shares after at most `ITERATIONS_MAX` rounds, and how many those were.
    """
    shipped = start_estimate(model, evidence)
    estimate = start or shipped
    if start is None:
        shipped = estimate = _judged_by_others(model, evidence, shipped)
    before = 0.0
    for iteration in range(1, ITERATIONS_MAX + 1):
        estimate, matches = _step(model, evidence, shipped, estimate, slips)
        estimate = replace(estimate, iterations=iteration)
        if abs(matches - before) <= CHANGE_MIN * matches:
            break
        before = matches
    return estimate


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


def _kinds(matches: Shares, relatives: Shares, evidence: Evidence) -> Shares:
    totals = np.array([evidence.pairs_across, evidence.pairs_within])
    kinds = np.empty((2, 3))
    # Half a pair more of each kind, so that none is ruled out; at most a tenth of all pairs at
    # first sight, because a file of ten records has but 45.
    kinds[:, 0] = np.minimum((matches + 0.5) / (totals + 2), 0.4)
    kinds[:, 2] = np.minimum((relatives + 0.5) / (totals + 2), 0.4)
    kinds[:, 1] = 1 - kinds[:, 0] - kinds[:, 2]
    return kinds


def _sum_bits(shares: list[Shares], patterns: Patterns, without: int | None) -> Bits:
    total = np.zeros(len(patterns.counts))
    for place, comparison in enumerate(shares):
        if place != without:
            total += np.log2(np.maximum(comparison, TINY))[patterns.levels[:, place]]
    return total


def _judged_by_others(model: Model, evidence: Evidence, shipped: Estimate) -> Estimate:
    """The shipped shares, with those replaced that the file's columns make impossible."""
    matches = list(shipped.matches)
    for place, comparison in enumerate(model.comparisons):
        reached = _level_counts(evidence.blocked, place, evidence.blocked.counts, comparison) > 0
        unreached = shipped.matches[place][1:][~reached].sum()
        if not reached.any() or unreached <= UNREACHED_M_MAX:
            continue
        bits = kind_bits(shipped, evidence.blocked, without=place)
        match, _, _ = posteriors(bits, np.zeros(len(evidence.blocked.counts)))
        counts = _level_counts(evidence.blocked, place, evidence.blocked.counts * match, comparison)
        matches[place] = np.concatenate([[1.0], _drawn(counts, shipped.matches[place][1:])])
    return replace(shipped, matches=matches)


def _step(
    model: Model,
    evidence: Evidence,
    shipped: Estimate,
    estimate: Estimate,
    slips: Slips | None,
) -> tuple[Estimate, float]:
    """One expectation and one maximisation; and the number of matches expected."""
    blocked, random = evidence.blocked, evidence.random
    match, stranger, relative = posteriors(kind_bits(estimate, blocked), blocked.adjustment_bits)
    _, random_stranger, _ = posteriors(kind_bits(estimate, random), random.adjustment_bits)
    found = _Found(
        blocked.counts * match,
        blocked.counts * stranger,
        blocked.counts * relative,
        random.counts * random_stranger,
    )
    places = range(len(model.comparisons))
    matches = [_next_matches(model, evidence, shipped, found, place, slips) for place in places]
    next_estimate = Estimate(
        matches=matches,
        strangers=[_next_strangers(model, evidence, shipped, found, place) for place in places],
        relatives=[
            _next_relatives(model, evidence, shipped, found, place, slips, matches[place])
            for place in places
        ],
        kinds=_kinds(
            _by_stratum(found.matches, blocked),
            _relatives_count(model, evidence, estimate, found, slips),
            evidence,
        ),
    )
    return next_estimate, float(found.matches.sum())


@dataclass(frozen=True, slots=True)
class _Found:
    """Pairs expected of each kind, by pattern."""

    matches: Shares
    strangers: Shares
    relatives: Shares
    random_strangers: Shares


def _by_stratum(expected: Shares, patterns: Patterns) -> Shares:
    counts = np.bincount(patterns.is_same_source.astype(int), weights=expected, minlength=2)
    return np.asarray(counts, float)


def _aspect_share(model: Model, shares: list[Shares], aspect: Aspect) -> float:
    """Share of pairs on the aspect's levels; 1 if the model does not compare it."""
    for comparison, levels in zip(model.comparisons, shares, strict=True):
        if comparison.name == aspect.comparison:
            chosen = [level.name in aspect.levels for level in comparison.levels]
            return float(levels[1:][chosen].sum())
    return 1.0


def _are_mostly_slips(aspect: Aspect, slips: Slips | None) -> bool:
    return slips is not None and slips[aspect.comparison] >= MOSTLY


def _teaching_aspects(slips: Slips | None) -> tuple[Aspect, ...]:
    """What relatives must differ in for a file to teach how many they are.

    Where different names of one home are mostly slips, only those also born on different days are
    relatives without doubt.
    """
    is_doubtful = _are_mostly_slips(UNLIKE_NAMES, slips)
    return (UNLIKE_NAMES, UNLIKE_DATES) if is_doubtful else (UNLIKE_NAMES,)


def _relatives_count(
    model: Model, evidence: Evidence, estimate: Estimate, found: _Found, slips: Slips | None
) -> Shares:
    """Pairs of relatives by stratum, from those that are relatives without doubt.

    In a file with neither given names nor birth dates nobody is, and their number stays where it
    started.
    """
    aspects = _teaching_aspects(slips)
    if not _has(GIVEN_NAMES, model, evidence):
        if not _has(BIRTH_DATES, model, evidence):
            return np.full(2, RELATIVES_PER_RECORD * evidence.records / 2)
        aspects = (UNLIKE_DATES,)
    expected, share = found.relatives, 1.0
    for aspect in aspects:
        expected = expected * is_on_levels(model, evidence.blocked.levels, aspect)
        share *= _aspect_share(model, estimate.relatives, aspect)
    return _by_stratum(expected, evidence.blocked) / max(share, TINY)


def _has(aspect: Aspect, model: Model, evidence: Evidence) -> bool:
    """Whether any pair of the file is on these levels."""
    return bool(is_on_levels(model, evidence.blocked.levels, aspect).any())


def _level_counts(
    patterns: Patterns, place: int, expected: Shares, comparison: Comparison
) -> Shares:
    """Pairs expected on each level, missing left out."""
    size = len(comparison.levels) + 1
    counts = np.bincount(patterns.levels[:, place], weights=expected, minlength=size)
    return np.asarray(counts[1:], float)


def _drawn(counts: Shares, shipped: Shares) -> Shares:
    """Shares by counts, drawn towards the shipped ones."""
    least = LEVEL_PAIRS_MIN * min(counts.sum() / LEVEL_PAIRS_FROM, 1.0)
    prior = np.maximum(SHIPPED_PAIRS * shipped, least)
    return np.asarray((counts + prior) / (counts.sum() + prior.sum()), float)


def is_reestimated(comparison: Comparison, level: Level) -> bool:
    """Whether the file may teach this level; a number of another scheme differs from file to file,
    an NHS number does not."""
    return not level.is_fixed or comparison.name == "identifier"


def _next_matches(
    model: Model,
    evidence: Evidence,
    shipped: Estimate,
    found: _Found,
    place: int,
    slips: Slips | None,
) -> Shares:
    comparison, start = model.comparisons[place], shipped.matches[place]
    counts = _level_counts(evidence.blocked, place, found.matches, comparison)
    shares = _drawn(counts, start[1:])
    if comparison.name == UNLIKE_NAMES.comparison:
        taught = _confirmed_names(model, evidence, found, place, start[1:], slips)
        shares = _with_unlike_share(comparison, shares, taught, UNLIKE_NAMES)
        shares = _with_alike_limit(comparison, shares)
    elif comparison.name == UNLIKE_DATES.comparison and not _has(GIVEN_NAMES, model, evidence):
        # Without given names parents and children would teach that birth dates differ.
        shares = _with_unlike_share(comparison, shares, start[1:], UNLIKE_DATES)
    return _unless_fixed(comparison, start, shares)


def _confirmed_names(
    model: Model,
    evidence: Evidence,
    found: _Found,
    place: int,
    shipped: Shares,
    slips: Slips | None,
) -> Shares:
    """Shares of the names of pairs that are one person whatever their names.

    Numbers confirm that. A birth date does only where twins are known not to be meant.
    """
    comparison, levels = model.comparisons[place], evidence.blocked.levels
    by_number, by_date = (
        _level_counts(
            evidence.blocked,
            place,
            found.matches * np.logical_or.reduce([is_on_levels(model, levels, a) for a in aspects]),
            comparison,
        )
        for aspects in (CONFIRMED_BY_NUMBER, CONFIRMED_BY_DATE)
    )
    if by_number.sum() >= CONFIRMED_PAIRS_MIN:
        return _drawn(by_number, shipped)
    if by_date.sum() < CONFIRMED_PAIRS_MIN:
        return shipped
    share = 1.0 if slips is None else slips[UNLIKE_NAMES.comparison]
    return np.maximum(_drawn(by_date, shipped) * share, shipped)


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


def _next_strangers(
    model: Model, evidence: Evidence, shipped: Estimate, found: _Found, place: int
) -> Shares:
    """From random pairs; and never below what the blocked pairs alone show."""
    comparison = model.comparisons[place]
    start = shipped.strangers[place][1:]
    random = _level_counts(evidence.random, place, found.random_strangers, comparison)
    shares = (random + RANDOM_PAIRS) / (random.sum() + RANDOM_PAIRS / start)
    informed = random.sum() / max(found.random_strangers.sum(), 1.0)
    pairs = (evidence.pairs_within + evidence.pairs_across) * max(informed, TINY)
    blocked = _level_counts(evidence.blocked, place, found.strangers, comparison)
    if random.sum() > 0:
        shares = np.maximum(shares, blocked / max(pairs, 1.0))
    shares = np.maximum(shares, [level.u_min for level in comparison.levels])
    return _unless_fixed(comparison, shipped.strangers[place], np.minimum(shares, 1.0))


def _next_relatives(
    model: Model,
    evidence: Evidence,
    shipped: Estimate,
    found: _Found,
    place: int,
    slips: Slips | None,
    matches: Shares,
) -> Shares:
    """Learned from relatives that differ in something else, so that it is not slips that teach."""
    comparison = model.comparisons[place]
    start = shipped.relatives[place][1:]
    aspects = _teaching_aspects(slips)
    if comparison.name == UNLIKE_NAMES.comparison or not _has(GIVEN_NAMES, model, evidence):
        aspects = (UNLIKE_DATES,)
    if aspects[-1].comparison == comparison.name:
        return shipped.relatives[place]
    if _are_mostly_slips(UNLIKE_DATES, slips):
        return _tied(comparison, shipped.relatives[place], matches)
    expected = found.relatives
    for aspect in aspects:
        expected = expected * is_on_levels(model, evidence.blocked.levels, aspect)
    counts = _level_counts(evidence.blocked, place, expected, comparison)
    shares = _drawn(counts, start)
    held = np.array([(comparison.name, level.name) in HELD for level in comparison.levels])
    if held.any():
        free = 1 - start[held].sum()
        shares = np.where(held, start, shares * free / shares[~held].sum())
    shares = _unless_fixed(comparison, shipped.relatives[place], shares)
    return _tied(comparison, shares, matches)


def _tied(comparison: Comparison, relatives: Shares, matches: Shares) -> Shares:
    if comparison.name != UNLIKE_NAMES.comparison:
        return relatives
    return np.concatenate([[1.0], tied_shares(comparison, relatives[1:], matches[1:])])


def _unless_fixed(comparison: Comparison, shipped: Shares, shares: Shares) -> Shares:
    free = [is_reestimated(comparison, level) for level in comparison.levels]
    return np.concatenate([[1.0], np.where(free, shares, shipped[1:])])
