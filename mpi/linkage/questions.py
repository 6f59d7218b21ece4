"""Link evidence that was not applied becomes a question for a steward, never silence.

A steward's time is the scarcest thing here: whatever the number of edges between two groups, they
are asked about once, for the most serious reason, and not at all about what is already answered
by another steward or, for the weak evidence of the review band, by a veto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final, NamedTuple

from mpi.domain.links import Decision, Edge, RefusalReason, VetoReason, rounded_bits
from mpi.domain.records import ComparisonRecord
from mpi.domain.tasks import TaskQuestion, TaskType
from mpi.linkage.vetoes import NameRule, find_groups_veto

SERIOUSNESS: Final = {type_: rank for rank, type_ in enumerate(TaskType)}
REVIEW_BAND: Final = "review_band"
"""Reason of a question that nothing but a middling weight asks."""
SAME_SOURCE: Final = "same_source"

Group = frozenset[int]
Source = Callable[[int], str]


class Refusal(NamedTuple):
    """Why two groups that a link edge joins stay apart."""

    type: TaskType
    reason: str


AMBIGUOUS: Final = Refusal(TaskType.AMBIGUITY, RefusalReason.AMBIGUITY)
OVERSIZED: Final = Refusal(TaskType.OVERSIZED_COMPONENT, RefusalReason.OVERSIZED)
SHARED_NUMBER: Final = Refusal(TaskType.NHS_NUMBER_CLASH, RefusalReason.SHARED_NUMBER)
MORE_ALIKE: Final = Refusal(TaskType.POSSIBLE_MERGE, RefusalReason.EVIDENCE_CHANGED)
LESS_ALIKE: Final = Refusal(TaskType.BLOCKED_BY_VETO, RefusalReason.EVIDENCE_CHANGED)


def vetoed(reason: VetoReason) -> Refusal:
    """The refusal that a veto makes. One number on two people is a clash; someone must mend it."""
    if reason is VetoReason.CONFLICTING_DEMOGRAPHICS:
        return Refusal(TaskType.NHS_NUMBER_CLASH, reason)
    return Refusal(TaskType.BLOCKED_BY_VETO, reason)


def graver(left: Refusal, right: Refusal) -> Refusal:
    """The more serious of two; of two alike, the one whose reason comes first in the alphabet."""
    if left.type is right.type:
        return left if left.reason <= right.reason else right
    return left if SERIOUSNESS[left.type] > SERIOUSNESS[right.type] else right


@dataclass(slots=True)
class QuestionBook:
    """Collects what is to be asked, one question for two groups."""

    records: Mapping[int, ComparisonRecord]
    name_rule: NameRule
    group_of: Mapping[int, Group]
    opposed: Mapping[int, frozenset[int]]
    """Record -> records that a *different* decision keeps from it."""
    disowned: frozenset[int]
    source: Source | None = None
    _asked: dict[tuple[Group, Group], tuple[Refusal, float]] = field(default_factory=dict)
    _vetoes: dict[tuple[Group, Group], VetoReason | None] = field(default_factory=dict)

    def ask(self, left: Group, right: Group, refusal: Refusal, match_weight_bits: float) -> None:
        """Adds a question about two groups, or makes the one that is there graver or heavier.

        Which group is left makes no difference; the weight is in bits.
        """
        pair = _ordered(left, right)
        if pair in self._asked:
            earlier, heaviest = self._asked[pair]
            refusal = graver(earlier, refusal)
            match_weight_bits = max(heaviest, match_weight_bits)
        self._asked[pair] = (refusal, match_weight_bits)

    def ask_about_link(self, edge: Edge, refusal: Refusal) -> None:
        """A link edge that was not applied, unless other edges or a steward have settled it."""
        left, right = self.group_of[edge.left], self.group_of[edge.right]
        if left is not right and not self._is_decided(left, right):
            self.ask(left, right, refusal, edge.match_weight_bits)

    def ask_about_review(self, edge: Edge) -> None:
        """An edge of the review band, unless a veto settles that the groups are two people."""
        left, right = self.group_of[edge.left], self.group_of[edge.right]
        if left is right:
            return
        veto = self._veto(left, right)
        if veto is None:
            self.ask(left, right, self._review(edge, left, right), edge.match_weight_bits)
        elif veto is VetoReason.CONFLICTING_DEMOGRAPHICS:
            self.ask(left, right, vetoed(veto), edge.match_weight_bits)

    def ask_about_number(self, edge: Edge) -> None:
        """Two records with one trusted number and little else in common: whose is it?"""
        left, right = self.group_of[edge.left], self.group_of[edge.right]
        if left is not right and not self._is_decided(left, right):
            self.ask(left, right, SHARED_NUMBER, edge.match_weight_bits)

    def ask_again_about_different(
        self, decision: Decision, edges: Iterable[Edge], material_bits: float
    ) -> None:
        """Asks again where an edge between the sides now weighs `material_bits` more than seen.

        If the steward saw no weight, any edge will do. The decision must hold what was seen.
        """
        assert decision.seen is not None, "without evidence there is nothing to compare"
        seen_bits = decision.seen.match_weight_bits
        bar = -inf if seen_bits is None else rounded_bits(seen_bits + material_bits)
        sides = (decision.left, decision.right)
        for edge in edges:
            is_between = any(edge.left in x and edge.right in y for x, y in (sides, sides[::-1]))
            left, right = self.group_of[edge.left], self.group_of[edge.right]
            if is_between and left is not right and edge.match_weight_bits >= bar:
                self.ask(left, right, MORE_ALIKE, edge.match_weight_bits)

    def ask_again_about_same(self, decision: Decision) -> None:
        """If a veto that the steward did not see speaks between the two sides.

        After a source merged two of its records, one can stand on both; it is asked about once.
        """
        assert decision.seen is not None, "without evidence there is nothing to compare"
        left, right = decision.left, decision.right - decision.left
        if not right:
            left, right = decision.left - decision.right, decision.right
        if not left:
            return
        veto = find_groups_veto(self._records_of(left), self._records_of(right), self.name_rule)
        if veto is not None and veto is not decision.seen.veto:
            self.ask(left, right, LESS_ALIKE, 0.0)

    def questions(self) -> list[TaskQuestion]:
        """The heaviest first."""
        asked = [
            TaskQuestion(
                type=refusal.type,
                left=left,
                right=right,
                match_weight_bits=match_weight_bits,
                reason=str(refusal.reason),
            )
            for (left, right), (refusal, match_weight_bits) in self._asked.items()
        ]
        asked.sort(key=_by_weight)
        return asked

    def _review(self, edge: Edge, left: Group, right: Group) -> Refusal:
        if self.source is not None and self.source(edge.left) == self.source(edge.right):
            return Refusal(TaskType.DUPLICATE_WITHIN_SOURCE, SAME_SOURCE)
        if len(left) == 1 or len(right) == 1:
            return Refusal(TaskType.POSSIBLE_LINK, REVIEW_BAND)
        return Refusal(TaskType.POSSIBLE_MERGE, REVIEW_BAND)

    def _is_decided(self, left: Group, right: Group) -> bool:
        if not self.opposed:
            return False
        return any(not right.isdisjoint(self.opposed.get(record, ())) for record in left)

    def _veto(self, left: Group, right: Group) -> VetoReason | None:
        if self._is_decided(left, right):
            return VetoReason.DECIDED_DIFFERENT
        pair = _ordered(left, right)
        if pair not in self._vetoes:
            self._vetoes[pair] = find_groups_veto(
                self._records_of(left), self._records_of(right), self.name_rule
            )
        return self._vetoes[pair]

    def _records_of(self, group: Group) -> Sequence[tuple[ComparisonRecord, bool]]:
        return [(self.records[record], record in self.disowned) for record in group]


def _ordered(left: Group, right: Group) -> tuple[Group, Group]:
    if not right or (left and min(left) <= min(right)):
        return left, right
    return right, left


def _by_weight(question: TaskQuestion) -> tuple[float, int, int]:
    return (-question.match_weight_bits, min(question.left), min(question.right, default=0))
