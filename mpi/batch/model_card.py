"""The card of a model release: what a steward's lead reads before signing it off."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mpi.batch.calibration import calibration_table
from mpi.batch.estimate import Training
from mpi.batch.thresholds import COST_RATIO, TASK_SHARE, ChosenThresholds
from mpi.linkage.model import Comparison, Model

_LABELS: Final = {
    True: "Pairs whose records hold equal trusted NHS numbers count as matches, pairs with "
    "different ones as non-matches; the NHS number's own levels are fixed by the spec.",
    False: "No trusted NHS number is shared, so nothing says who is who: m and u come from "
    "expectation and maximisation, which tells one person, relatives and strangers apart. Have a "
    "sample of pairs judged (mpi label) before anyone uses this release.",
}


def write_card(model: Model, training: Training, chosen: ChosenThresholds) -> str:
    """The card as Markdown; counts and shares only, no value of any record."""
    return "\n".join(
        [
            *_introduction(model, training),
            *_thresholds(model, chosen),
            *_calibration(training, chosen),
            *(line for c in model.comparisons for line in _comparison(c, training)),
            *_limits(),
        ]
    )


def _introduction(model: Model, training: Training) -> Iterator[str]:
    yield f"# Model {model.name}, release {model.version}"
    yield ""
    yield (
        f"Trained on {training.records:,} records. Two records are compared in "
        f"{len(model.comparisons)} ways; each way adds match weight in bits (log2 odds), and the "
        f"sum starts at {model.prior_bits:.2f} bits, the odds that two random records of the "
        "region are one person. m is the share of true matches on a level, u that of random "
        f"non-matches; the weight of a level is log2(m/u). {_LABELS[training.is_labelled]}"
    )
    yield ""
    yield f"{len(training.stop_list):,} blocking values are stop-listed."
    yield ""


def _thresholds(model: Model, chosen: ChosenThresholds) -> Iterator[str]:
    yield "## Thresholds"
    yield ""
    yield (
        f"* Links from **{model.thresholds.link_bits:+.1f} bits**. A false link costs as much as "
        f"{COST_RATIO:.0f} missed ones, so a weight links when {chosen.link_share:.1%} of the "
        f"labelled pairs of that weight are matches: {chosen.calibrated_link_bits:+.1f} bits, and "
        "no less than the spec says."
    )
    yield (
        f"* Questions from **{model.thresholds.review_bits:+.1f} bits**: worth a steward's time "
        f"where at least {TASK_SHARE:.0%} are matches ({chosen.calibrated_review_bits:+.1f} bits), "
        "and no less than the spec says, which keeps the queue short."
    )
    yield (
        f"* Weights within {model.thresholds.ambiguity_bits:.1f} bits of one another are about as "
        "likely (ambiguity)."
    )
    yield (
        f"* The region's prior lies {chosen.prior_offset_bits:.2f} bits below that of the training "
        f"records, and the thresholds are shifted by as much. {1 - chosen.plateau:.2%} of the "
        "heaviest pairs have different numbers: wrong numbers, not different people."
    )
    yield ""


def _calibration(training: Training, chosen: ChosenThresholds) -> Iterator[str]:
    yield "## Calibration without the NHS number"
    yield ""
    if not training.is_labelled:
        yield "Nothing is labelled, so nothing was calibrated; the thresholds are the spec's."
        yield ""
        return
    yield (
        "Of labelled pairs that no veto keeps apart, by weight without the NHS number, under the "
        "prior of the training records:"
    )
    yield ""
    yield "| weight in bits | pairs | predicted | matches | 95 % interval |"
    yield "|---|---:|---:|---:|---|"
    shifted = training.weights + chosen.prior_offset_bits
    for row in calibration_table(shifted, training.labels):
        low = "" if row.from_bits is None else f"{row.from_bits:g}"
        high = "" if row.to_bits is None else f"{row.to_bits:g}"
        yield (
            f"| {low} to {high} | {row.pairs_count:,} | {row.predicted_share:.1%} | "
            f"{row.observed_share:.1%} | {row.observed_low:.1%} - {row.observed_high:.1%} |"
        )
    yield ""


def _comparison(comparison: Comparison, training: Training) -> Iterator[str]:
    yield f"## {comparison.name}"
    yield ""
    yield "| level | m | u | weight in bits | matching pairs | random pairs |"
    yield "|---|---:|---:|---:|---:|---:|"
    counted = zip(
        comparison.levels,
        training.matching[comparison.name],
        training.random[comparison.name],
        strict=True,
    )
    for level, matching, random in counted:
        adjusted = f", by frequency of {level.frequency}" if level.frequency else ""
        yield (
            f"| {level.words}{adjusted} | {level.m:.6f} | {level.u:.3g} | {level.weight_bits:+.2f} "
            f"| {matching:,} | {random:,} |"
        )
    yield ""


def _limits() -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield (
        "The shipped release comes from a synthetic region calibrated to published error rates, "
        "not from real records: an installation trains its own release, and checks it with "
        "`mpi evaluate` or by clerical review, before it links anyone. Levels that training "
        "hardly saw keep close to the spec."
    )
