"""Persons are a pure function of the link graph and the stewards' decisions.

Linking each record as it comes makes the result depend on which came first, and joining whatever
is connected lets one odd record chain two people together. So the groups are found from the whole
graph, heaviest evidence first; what is known of two groups can veto their merging, and where two
merges are about as likely but exclude each other, neither is made. Arrival order and record
numbers have no part in it, nor has anything outside the connected component.

Rules in full: docs/ARCHITECTURE.md. Measured against connected components on 34,000 simulated
records: 0.6 false pairs in 10,000 instead of 347.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from mpi.domain.links import Decision, DecisionKind, Edge, RefusalReason, VetoReason, rounded_bits
from mpi.domain.records import ComparisonRecord
from mpi.domain.tasks import TaskQuestion, TaskType
from mpi.linkage.component import Connected, GrowingGroups, Sides, connected_components
from mpi.linkage.model import Model
from mpi.linkage.questions import OVERSIZED, Group, QuestionBook, Refusal, Source
from mpi.linkage.vetoes import ComponentFacts, NameRule, compile_name_rule

CONTRADICTION: Final = Refusal(TaskType.CONTRADICTING_DECISIONS, RefusalReason.CONTRADICTION)
CLASH: Final = Refusal(TaskType.NHS_NUMBER_CLASH, VetoReason.CONFLICTING_NHS_NUMBERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionRules:
    """What of a model decides about groups; thresholds in bits."""

    link_bits: float
    ambiguity_bits: float
    component_records_max: int
    name_rule: NameRule
    review_bits: float = -inf
    """Edges below it are there only because their records hold one trusted number."""


@dataclass(frozen=True, slots=True)
class Partition:
    """Who is one person, and what is left to ask."""

    groups: list[Group]
    """Every record is in exactly one; ordered by their smallest record number."""
    questions: list[TaskQuestion]
    """At most one for two groups, the heaviest first."""


def partition_rules(model: Model) -> PartitionRules:
    """The part of a model that `partition` needs. Raises InvalidModel."""
    thresholds = model.thresholds
    return PartitionRules(
        link_bits=thresholds.link_bits,
        ambiguity_bits=thresholds.ambiguity_bits,
        component_records_max=thresholds.component_records_max,
        review_bits=rounded_bits(thresholds.review_bits),
        name_rule=compile_name_rule(model.given_names_agree),
    )


def partition(
    records: Mapping[int, ComparisonRecord],
    edges: Iterable[Edge],
    decisions: Iterable[Decision],
    rules: PartitionRules,
    *,
    source: Source | None = None,
) -> Partition:
    """The groups that the evidence and the decisions make of these records.

    Args:
        records: Record number -> what is compared. Whole components: every record that a link
            edge or a *same* decision reaches must be there.
        edges: Edges between these records, of the review band too; in any order.
        decisions: Decisions in force; in any order. Records not among `records` are ignored.
        rules: Of the model that made the edges.
        source: Record number -> source system. With it, weak evidence between records of one
            source is asked about as a duplicate within that source.

    Cost: sorting the edges, and for each merge the edges of the groups that merge. A component of
    500 records in which nothing agrees takes about a second, one without conflicts microseconds.
    """
    links, reviews = _split_by_weight(edges, rules)
    live = _LiveDecisions(decisions, records)
    run = _Run(records, live, rules)
    for component in connected_components(records, links, live.same):
        if len(component.members) > rules.component_records_max:
            run.judge_oversized(component)
        else:
            run.refused += run.judge(component)
    run.groups.sort(key=min)
    return Partition(run.groups, _questions(run, reviews, source))


def is_clean(records: Iterable[ComparisonRecord], rules: PartitionRules) -> bool:
    """Whether nothing known of a component's records can veto or make ambiguous.

    Sufficient, not necessary: at most one trusted number, birth date, given name and birth order,
    and not too many records. Without *different* decisions the whole component is then one group,
    so that bulk work need not call `partition` for it (`mpi.batch.groups` has the same in SQL).
    """
    numbers, birth_dates, given_names, birth_orders = set(), set(), set(), set()
    count = 0
    for record in records:
        count += 1
        numbers.add(record.trusted_nhs_number)
        birth_dates.add(record.birth_date)
        given_names.add(record.given_name)
        birth_orders.add(record.birth_order)
    return count <= rules.component_records_max and all(
        len(values) - (None in values) < 2
        for values in (numbers, birth_dates, given_names, birth_orders)
    )


@dataclass(slots=True)
class _Run:
    """What comes to light while the components are judged, one after another."""

    records: Mapping[int, ComparisonRecord]
    live: _LiveDecisions
    rules: PartitionRules
    groups: list[Group] = field(default_factory=list)
    refused: list[tuple[Edge, Refusal]] = field(default_factory=list)
    """Link edges that were not applied, but for those inside oversized components."""
    skipped: list[Sides] = field(default_factory=list)
    """*Same* decisions that would unite two sides of a *different*."""
    oversized: list[Connected] = field(default_factory=list)

    def judge(self, component: Connected) -> list[tuple[Edge, Refusal]]:
        """Adds the groups of a component; gives the link edges that were not applied."""
        live = self.live
        known = [self.records[record] for record in component.members]
        facts = ComponentFacts(known, self.rules.name_rule)
        if self._is_one_group(component, facts):
            self.groups.append(frozenset(component.members))
            return []
        growing = GrowingGroups(
            component,
            facts,
            opposed=live.opposed,
            disowned=live.disowned,
            ambiguity_bits=self.rules.ambiguity_bits,
        )
        self.skipped += growing.apply_same(component.same)
        growing.apply_links(component.links)
        self.groups += growing.result()
        return growing.refused

    def judge_oversized(self, component: Connected) -> None:
        """Only records with a trusted number in common are joined; one question says so."""
        self.oversized.append(component)
        numbered = [edge for edge in component.links if self._share_number(edge)]
        for part in connected_components(component.members, numbered, component.same):
            self.judge(part)

    def _is_one_group(self, component: Connected, facts: ComponentFacts) -> bool:
        """Whether nothing can keep its records apart, as is nearly always plain at a glance."""
        if len(component.members) == 1:
            return True
        if not self.live.opposed.keys().isdisjoint(component.members):
            return False
        if is_clean(facts.records, self.rules):
            return True
        numbers = {record.trusted_nhs_number for record in facts.records}
        return len(numbers) - (None in numbers) < 2 and facts.has_no_conflict()

    def _share_number(self, edge: Edge) -> bool:
        number = self.records[edge.left].trusted_nhs_number
        return number is not None and number == self.records[edge.right].trusted_nhs_number


class _LiveDecisions:
    """The decisions in force, as far as they concern the records at hand."""

    def __init__(self, decisions: Iterable[Decision], records: Mapping[int, object]) -> None:
        self.same: list[Sides] = []
        self.opposed: dict[int, frozenset[int]] = {}
        self.disowned: frozenset[int] = frozenset()
        self.contradictory: list[Sides] = []
        self.told: list[Decision] = []
        """The decisions with what lives of their sides, where both sides do."""
        for decision in sorted(decisions, key=_number):
            left = frozenset(record for record in decision.left if record in records)
            right = frozenset(record for record in decision.right if record in records)
            self.disowned |= decision.disowned_numbers & (left | right)
            if left and right:
                self.told.append(replace(decision, left=left, right=right))
            if decision.kind is DecisionKind.SAME:
                self.same.append((left, right))
            else:
                self._oppose(left, right)

    def _oppose(self, left: frozenset[int], right: frozenset[int]) -> None:
        for side, other in ((left, right), (right, left)):
            for record in side:
                self.opposed[record] = self.opposed.get(record, frozenset()) | other - {record}
        # After a source merged two of its records, one record can stand on both sides.
        if left & right:
            self.contradictory.append((left & right, frozenset()))


def _number(decision: Decision) -> int:
    return decision.number


def _split_by_weight(edges: Iterable[Edge], rules: PartitionRules) -> tuple[list[Edge], list[Edge]]:
    """Link edges and review edges, their weights rounded."""
    links: list[Edge] = []
    reviews: list[Edge] = []
    link_bits = rounded_bits(rules.link_bits)
    for left, right, weight in edges:
        bits = rounded_bits(weight)
        (links if bits >= link_bits else reviews).append(Edge(left, right, bits))
    return links, reviews


def _questions(run: _Run, reviews: Iterable[Edge], source: Source | None) -> list[TaskQuestion]:
    group_of = {record: group for group in run.groups for record in group}
    live = run.live
    book = QuestionBook(
        run.records, run.rules.name_rule, group_of, live.opposed, live.disowned, source
    )
    for edge, refusal in run.refused:
        book.ask_about_link(edge, refusal)
    for edge in _outside(run.oversized, reviews):
        if edge.match_weight_bits >= run.rules.review_bits:
            book.ask_about_review(edge)
        else:
            book.ask_about_number(edge)
    _ask_again(book, run, reviews)
    _ask_about_size(book, run.oversized)
    _ask_about_decisions(book, run)
    return book.questions()


def _outside(oversized: Sequence[Connected], reviews: Iterable[Edge]) -> Iterable[Edge]:
    """Without the edges inside an oversized component, about which there is one question."""
    if not oversized:
        return reviews
    inside = {
        record: place for place, component in enumerate(oversized) for record in component.members
    }
    return [
        edge
        for edge in reviews
        if edge.left not in inside or inside[edge.left] != inside.get(edge.right)
    ]


def _ask_about_size(book: QuestionBook, oversized: Iterable[Connected]) -> None:
    for component in oversized:
        weights = [
            edge.match_weight_bits
            for edge in component.links
            if book.group_of[edge.left] is not book.group_of[edge.right]
        ]
        if weights:
            book.ask(frozenset(component.members), frozenset(), OVERSIZED, max(weights))


def _ask_about_decisions(book: QuestionBook, run: _Run) -> None:
    """Decisions that contradict each other, and numbers that clash in what decisions united."""
    for sides in run.skipped + run.live.contradictory:
        left, right = (_whole_groups(book, side) for side in sides)
        # One group can hold records of both sides; a question has every record once.
        book.ask(left, right - left, CONTRADICTION, 0.0)
    united = {book.group_of[record] for left, right in run.live.same for record in left | right}
    for group in united:
        numbers = {book.records[record].trusted_nhs_number for record in group - book.disowned}
        if len(numbers - {None}) > 1:
            book.ask(group, frozenset(), CLASH, 0.0)


def _ask_again(book: QuestionBook, run: _Run, reviews: Iterable[Edge]) -> None:
    """Decisions whose evidence has changed materially since they were taken."""
    told = [decision for decision in run.live.told if decision.seen is not None]
    if not told:
        return
    edges = [*reviews, *(edge for edge, _ in run.refused)]
    for decision in told:
        if decision.kind is DecisionKind.SAME:
            book.ask_again_about_same(decision)
        else:
            book.ask_again_about_different(decision, edges, run.rules.ambiguity_bits)


def _whole_groups(book: QuestionBook, records: Iterable[int]) -> Group:
    return frozenset[int]().union(*[book.group_of[record] for record in records])
