"""What an evaluation found, as plain numbers: a rate never travels without the counts behind it.

Words as in docs/ARCHITECTURE.md: an *automatic link* is an unordered pair of records that share a
person before any decision; rates are per such pair; a bound is the one-sided 95 % bound.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

from mpi.batch.intervals import upper_bound

RATE_PER: Final = 10_000
PRECISION_WANTED: Final = 0.999
"""Recall is reported where the scores alone are at least this precise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCounts:
    """Unordered pairs of records: those of one human, those put on one person, and both."""

    true_pairs: int
    linked_pairs: int
    correct_pairs: int

    @property
    def false_pairs(self) -> int:
        """Linked, but two humans."""
        return self.linked_pairs - self.correct_pairs

    @property
    def missed_pairs(self) -> int:
        """One human, but on two persons."""
        return self.true_pairs - self.correct_pairs

    @property
    def precision(self) -> float:
        """Share of the linked pairs that is correct; 1 if nothing was linked."""
        return _share(self.correct_pairs, self.linked_pairs)

    @property
    def recall(self) -> float:
        """Share of the true pairs that is linked; 1 if there are none."""
        return _share(self.correct_pairs, self.true_pairs)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, 0..1."""
        return _harmonic_mean(self.precision, self.recall)

    @property
    def false_per_10000(self) -> float:
        """False links in 10,000 links."""
        return RATE_PER * (1 - self.precision)

    @property
    def false_per_10000_upper(self) -> float:
        """One-sided 95 % upper bound of `false_per_10000`, the pairs taken as independent."""
        return RATE_PER * upper_bound(self.false_pairs, self.linked_pairs)

    def to_dict(self) -> dict[str, Any]:
        """Counts and rates as JSON values."""
        return {
            **asdict(self),
            "false_pairs": self.false_pairs,
            "missed_pairs": self.missed_pairs,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "false_per_10000": self.false_per_10000,
            "false_per_10000_upper": self.false_per_10000_upper,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BCubed:
    """Precision and recall, 0..1, averaged over records, so that one huge group cannot dominate.

    Source: Bagga & Baldwin 1998, DOI 10.3115/980451.980859.
    """

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall, 0..1."""
        return _harmonic_mean(self.precision, self.recall)

    def to_dict(self) -> dict[str, float]:
        """Precision, recall and F1 by name, as JSON values."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRates:
    """The pairs of which at least one record has this value, e.g. `hard_case` `twin`."""

    dimension: str
    value: str
    records_count: int
    pairs: PairCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePairRates:
    """The pairs between two sources, or within one; names in alphabetical order."""

    left: str
    right: str
    pairs: PairCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdPoint:
    """What linking every edge of at least this weight would give, pair by pair, no groups.

    Precision and recall are shares, 0..1.
    """

    match_weight_bits: float
    precision: float
    recall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How the index compares with the truth; about the persons *before* decisions.

    Only `links` is about the persons as they stand, with the stewards' decisions in force. Records
    known to one side only are in no rate; they are counted here instead.
    """

    records_count: int
    """Records that both the index and the truth know."""
    humans_count: int
    persons_count: int
    records_without_truth: int
    """In the index, not in the truth."""
    truth_without_record: int
    """In the truth, not in the index: quarantined rows, or feeds that were not loaded."""
    true_pairs_out_of_reach: int
    """True pairs lost because a record is not in the index; `recall` does not count them."""
    records_of_two_humans: int
    """The truth names two humans for one key (a recycled number); in no rate."""
    automatic_links: PairCounts
    links: PairCounts
    bcubed: BCubed
    over_merged_persons: int
    """Persons that hold records of two humans or more."""
    split_humans: int
    """Humans whose records are on two persons or more."""
    twins_linked: int
    """Pairs of records that share a person though they are two humans, both marked as twins."""
    tasks_count: int
    recall_at_precision: ThresholdPoint | None
    """The threshold of most recall whose precision is >= 0.999; None without edges or such."""
    curve: tuple[ThresholdPoint, ...]
    """One point for each whole bit, heaviest first."""
    by_source_pair: tuple[SourcePairRates, ...]
    by_group: tuple[GroupRates, ...]

    @property
    def tasks_per_1000_records(self) -> float:
        """Questions left to stewards for each thousand records."""
        return 1_000 * self.tasks_count / self.records_count if self.records_count else 0.0

    @property
    def over_merged_share(self) -> float:
        """Share of all persons."""
        return self.over_merged_persons / self.persons_count if self.persons_count else 0.0

    @property
    def split_share(self) -> float:
        """Share of all humans."""
        return self.split_humans / self.humans_count if self.humans_count else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Everything as JSON values: counts, rates and the tables."""
        content = {name: getattr(self, name) for name in _PLAIN_FIELDS}
        content |= {
            "automatic_links": self.automatic_links.to_dict(),
            "links": self.links.to_dict(),
            "bcubed": self.bcubed.to_dict(),
            "recall_at_precision": self.recall_at_precision and asdict(self.recall_at_precision),
            "curve": [asdict(point) for point in self.curve],
            "by_source_pair": [
                {"left": row.left, "right": row.right, **row.pairs.to_dict()}
                for row in self.by_source_pair
            ],
            "by_group": [
                {
                    "dimension": row.dimension,
                    "value": row.value,
                    "records_count": row.records_count,
                    **row.pairs.to_dict(),
                }
                for row in self.by_group
            ],
        }
        return content


_PLAIN_FIELDS: Final = (
    "records_count",
    "humans_count",
    "persons_count",
    "records_without_truth",
    "truth_without_record",
    "true_pairs_out_of_reach",
    "records_of_two_humans",
    "over_merged_persons",
    "over_merged_share",
    "split_humans",
    "split_share",
    "twins_linked",
    "tasks_count",
    "tasks_per_1000_records",
)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _harmonic_mean(left: float, right: float) -> float:
    return 2 * left * right / (left + right) if left + right else 0.0
