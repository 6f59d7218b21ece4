"""`mpi threshold`: what each threshold costs in false links, missed links and questions.

A threshold is a judgement about costs, so the costs are put on the table: how many labelled pairs
each one would link falsely or miss, and how long the queue of questions gets. Labels come from
trusted NHS numbers; the weights leave the numbers out, or they would prove themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from mpi.batch.estimate import labelled_weights, observed_prior
from mpi.batch.evaluation_tables import TextTable
from mpi.batch.progress import Progress
from mpi.batch.thresholds import isotonic_shares
from mpi.batch.train import feeds_standardised
from mpi.errors import InvalidInput
from mpi.linkage.model import model_from_spec
from mpi.storage.releases import Release

BITS: Final = tuple(range(-4, 21))
"""Thresholds that are tried; weights are log2 odds, so each halves the odds of the one above."""
PLATEAU_MIN: Final = 0.9
"""Share of matches, as `mpi.batch.thresholds.PLATEAU_MIN`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdCost:
    """Linking from one weight on; false and missed links are expected numbers of labelled pairs."""

    link_bits: int
    false_links: float
    missed_links: float
    cost: float
    """In missed links: a false one counts as many as the cost ratio says."""
    pairs_from_here_per_1000: float
    """Pairs of this weight or more, in a thousand records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdChoice:
    """The table, and what follows from it."""

    rows: tuple[ThresholdCost, ...]
    cost_ratio: float
    link_bits: int
    review_bits: int
    questions_per_1000: float
    """Labelled pairs between the two thresholds, in a thousand records."""
    pairs: int
    records: int

    def table(self) -> TextTable:
        """For people; the chosen thresholds are marked."""
        return TextTable(
            title=f"Cost by threshold, {self.pairs:,} labelled pairs",
            columns=("link from bits", "false links", "missed links", "cost", ""),
            rows=tuple(self._cells(row) for row in self.rows),
        )

    def _cells(self, row: ThresholdCost) -> tuple[str, ...]:
        marks = {self.link_bits: "link", self.review_bits: "ask"}
        return (
            f"{row.link_bits:+d}",
            f"{row.false_links:,.0f}",
            f"{row.missed_links:,.0f}",
            f"{row.cost:,.0f}",
            marks.get(row.link_bits, ""),
        )

    def summary(self) -> str:
        """What was chosen and what it means, in sentences for a terminal."""
        return (
            f"A false link costs as much as {self.cost_ratio:g} missed ones: link from "
            f"{self.link_bits:+d} bits, ask from {self.review_bits:+d} bits; that is "
            f"{self.questions_per_1000:.1f} questions for each 1,000 records.\n"
            "Thresholds belong to a release: write them into the spec's [thresholds] and run "
            "mpi train."
        )


def choose_by_cost(
    folder: Path,
    release: Release,
    *,
    cost_ratio: float,
    tasks_per_1000_max: float,
    progress: Progress,
) -> ThresholdChoice:
    """Cost of each threshold on a folder of feeds under a release.

    Args:
        folder: Feeds whose records partly hold trusted NHS numbers.
        release: Its weights and its trust in numbers.
        cost_ratio: Cost of a false link over that of a missed one; above 0.
        tasks_per_1000_max: Questions that stewards can answer, for each 1,000 records.
        progress: Told of each phase.

    Raises:
        InvalidInput: If a feed or a figure cannot be used, or no records share a trusted number.
    """
    if not (math.isfinite(cost_ratio) and cost_ratio > 0):
        raise InvalidInput("cost-ratio: must be a number above 0")
    if not (math.isfinite(tasks_per_1000_max) and tasks_per_1000_max >= 0):
        raise InvalidInput("tasks: must be 0 or more")
    model = model_from_spec(release.spec, version=release.version, digest=release.digest)
    with feeds_standardised(folder, model, progress=progress) as connection:
        with progress.phase("weigh labelled pairs", 1):
            weights, labels = labelled_weights(
                connection, model, release.frequencies, release.stop_list
            )
        prior = observed_prior(connection)
        ((records,),) = connection.execute(
            "select count(*) from records where trusted_nhs_number is not null"
        ).fetchall()
    if not labels.any():
        raise InvalidInput(
            f"{folder}: no records share a trusted NHS number, so nothing says what a link is"
        )
    shift = math.log2(prior / (1 - prior)) - model.prior_bits
    return weigh_thresholds(
        weights + shift, labels, records=records, cost_ratio=cost_ratio,
        tasks_per_1000_max=tasks_per_1000_max,
    )  # fmt: skip


def weigh_thresholds(
    weights: npt.NDArray[np.float64],
    labels: npt.NDArray[np.bool_],
    *,
    records: int,
    cost_ratio: float,
    tasks_per_1000_max: float,
) -> ThresholdChoice:
    """The table and the cheapest threshold, the lower one by what the queue can bear.

    Args:
        weights: Match weights in bits of labelled pairs.
        labels: Whether each pair is one person; parallel to `weights`.
        records: Records that the pairs are of.
        cost_ratio: Cost of a false link over that of a missed one.
        tasks_per_1000_max: Questions for each 1,000 records, at most.
    """
    share = match_shares(weights, labels)
    rows = tuple(_costs(weights, share, records, cost_ratio))
    link = min(rows, key=lambda row: (row.cost, -row.link_bits))
    queue = {
        row.link_bits: row.pairs_from_here_per_1000 - link.pairs_from_here_per_1000
        for row in rows
        if row.link_bits <= link.link_bits
    }
    review = min(bits for bits, questions in queue.items() if questions <= tasks_per_1000_max)
    return ThresholdChoice(
        rows=rows,
        cost_ratio=cost_ratio,
        link_bits=link.link_bits,
        review_bits=review,
        questions_per_1000=queue[review],
        pairs=len(weights),
        records=records,
    )


def match_shares(
    weights: npt.NDArray[np.float64], labels: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """Probability that each pair is one person, 0..1: never falling with the weight.

    Numbers are wrong in a few pairs of each thousand, however heavy, so a heavy pair with two
    numbers is no false link: shares are taken of those of the heavier half.

    Args:
        weights: Match weights in bits, one for each pair, in any order.
        labels: Whether each pair is one person; parallel to `weights`.
    """
    order = np.lexsort((~labels, weights))
    plateau = max(float(labels[weights >= np.median(weights)].mean()), PLATEAU_MIN)
    share = np.empty(len(weights))
    share[order] = np.minimum(isotonic_shares(labels[order].astype(float)) / plateau, 1.0)
    return share


def _costs(
    weights: npt.NDArray[np.float64],
    share: npt.NDArray[np.float64],
    records: int,
    cost_ratio: float,
) -> Iterator[ThresholdCost]:
    for bits in BITS:
        is_linked = weights >= bits
        false, missed = (1 - share[is_linked]).sum(), share[~is_linked].sum()
        yield ThresholdCost(
            link_bits=bits,
            false_links=float(false),
            missed_links=float(missed),
            cost=float(cost_ratio * false + missed),
            pairs_from_here_per_1000=1_000 * float(is_linked.sum()) / max(records, 1),
        )
