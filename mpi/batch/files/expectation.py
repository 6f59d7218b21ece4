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

from dataclasses import replace
from typing import Final

import numpy as np

from mpi.batch.files.kinds import Estimate, Evidence, kind_bits, posteriors, start_estimate
from mpi.batch.files.maximisation import Lesson, Slips, drawn_shares, level_counts, next_estimate
from mpi.linkage.model import Model

ITERATIONS_MAX: Final = 40
CHANGE_MIN: Final = 1e-4
"""Estimation ends when the number of matches changes by less than this share."""
UNREACHED_M_MAX: Final = 0.3
"""If more of a comparison's m lies on levels that no pair of the file is on, its columns are not
what the model was made for, and the other comparisons judge it first."""


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
        slips: What `mpi.batch.files.lone_values` knows, once there are edges. Where differences are
            mostly slips of one person, they teach nothing about relatives; where they are not,
            twins teach nothing about slips.

    Returns:
        The shares after at most `ITERATIONS_MAX` rounds.
    """
    shipped = start_estimate(model, evidence)
    estimate = start or shipped
    if start is None:
        shipped = estimate = _judged_by_others(model, evidence, shipped)
    before = 0.0
    for _ in range(ITERATIONS_MAX):
        lesson = _expect(model, evidence, shipped, estimate, slips)
        estimate = next_estimate(lesson, estimate)
        matches = float(lesson.matches.sum())
        if abs(matches - before) <= CHANGE_MIN * matches:
            break
        before = matches
    return estimate


def _judged_by_others(model: Model, evidence: Evidence, shipped: Estimate) -> Estimate:
    """The shipped shares, with those replaced that the file's columns make impossible."""
    matches = list(shipped.matches)
    for place, comparison in enumerate(model.comparisons):
        reached = level_counts(evidence.blocked, place, evidence.blocked.counts, comparison) > 0
        unreached = shipped.matches[place][1:][~reached].sum()
        if not reached.any() or unreached <= UNREACHED_M_MAX:
            continue
        bits = kind_bits(shipped, evidence.blocked, without=place)
        match, _, _ = posteriors(bits, np.zeros(len(evidence.blocked.counts)))
        counts = level_counts(evidence.blocked, place, evidence.blocked.counts * match, comparison)
        matches[place] = np.concatenate([[1.0], drawn_shares(counts, shipped.matches[place][1:])])
    return replace(shipped, matches=matches)


def _expect(
    model: Model,
    evidence: Evidence,
    shipped: Estimate,
    estimate: Estimate,
    slips: Slips | None,
) -> Lesson:
    """How many pairs of each pattern are of which kind, by an estimate."""
    blocked, random = evidence.blocked, evidence.random
    match, stranger, relative = posteriors(kind_bits(estimate, blocked), blocked.adjustment_bits)
    _, random_stranger, _ = posteriors(kind_bits(estimate, random), random.adjustment_bits)
    return Lesson(
        model=model,
        evidence=evidence,
        shipped=shipped,
        slips=slips,
        matches=blocked.counts * match,
        strangers=blocked.counts * stranger,
        relatives=blocked.counts * relative,
        random_strangers=random.counts * random_stranger,
    )
