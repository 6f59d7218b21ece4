"""The part of the link graph that a change can touch, read whole: what `partition` judges anew.

Persons are a function of connected components, so whatever is connected with a change by link
edges, by *same* decisions or by a remembered id is judged again. Groups across an edge of the
review band are read too, because questions name whole groups, but nothing is written about them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mpi.domain.identifiers import PersonId
from mpi.domain.links import Decision, DecisionKind, Edge
from mpi.domain.records import ComparisonRecord
from mpi.domain.tasks import TaskQuestion
from mpi.linkage.component import connected_components
from mpi.linkage.homes import Group
from mpi.linkage.partition import is_clean, partition
from mpi.services.linkage_index import LinkageIndex
from mpi.storage.graph import (
    StandingRecord,
    list_decisions,
    list_decisions_naming,
    list_edges_leaving,
    list_edges_of,
    list_family,
    list_homes,
    list_records_remembering,
    list_standing,
    list_surroundings,
    survivors_of,
)
from mpi.storage.prepared import LIST_VALUES_MAX
from mpi.storage.unit_of_work import UnitOfWork

SOME_RECORDS: Final = 32
"""As long as no more are reached, all their edges are read: there are a few hundred at most."""


@dataclass(slots=True)
class World:
    """Records with the edges and decisions between them.

    `edges` are by pair of record numbers, the smaller first; `decisions` by number, all in force.
    """

    records: dict[int, StandingRecord] = field(default_factory=dict)
    """Every live record read: the touched ones and their neighbours across review edges."""
    touched: set[int] = field(default_factory=set)
    past: set[int] = field(default_factory=set)
    """Records reached like touched ones that live no longer: deleted, or merged into others."""
    edges: dict[tuple[int, int], Edge] = field(default_factory=dict)
    decisions: dict[int, Decision] = field(default_factory=dict)
    tasks: set[int] = field(default_factory=set)
    """Numbers of the open tasks that ask about a record read, live or not."""

    def link_edges(self, index: LinkageIndex) -> list[Edge]:
        """The edges of at least `link_bits` between touched records, in no order."""
        link_bits = index.rules.link_bits
        return [
            edge
            for edge in self.edges.values()
            if edge.match_weight_bits >= link_bits
            and edge.left in self.touched
            and edge.right in self.touched
        ]

    def edges_between(self, left: Collection[int], right: Collection[int]) -> list[Edge]:
        """The edges from one side to the other, in order of their records; perhaps none."""
        return sorted(
            edge
            for edge in self.edges.values()
            if (edge.left in left and edge.right in right)
            or (edge.left in right and edge.right in left)
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """What the evidence and the decisions make of a world; only touched records are in it."""

    groups: list[Group]
    undecided: list[Group]
    """The groups that there would be without decisions: homes follow them."""
    questions: list[TaskQuestion]
    """Those that name a touched record."""


def read_world(
    unit: UnitOfWork,
    index: LinkageIndex,
    seeds: Iterable[int],
    *,
    changed: Collection[int] | None = None,
    known: Mapping[int, StandingRecord] | None = None,
) -> World:
    """The world around these records, whether they live or not.

    Args:
        unit: Where to look.
        index: The model in force.
        seeds: Numbers of records from which all that is touched can be reached.
        changed: Those whose content or edges have changed. If it is given, edges between other
            records of one person are left out where they cannot decide anything: see `_complete`.
        known: Records that need not be read again; those of no person are new in this unit.
    """
    world = World()
    reached = _close(unit, index, world, set(seeds), changed, known or {})
    world.touched = reached & world.records.keys()
    world.past = reached - world.touched
    across = {end for pair in world.edges for end in pair} - world.touched
    _close(unit, index, world, across, changed, known or {})
    return world


def judge(world: World, index: LinkageIndex) -> Judged:
    """Partition a world, with its decisions and without them; pure, and the same in any order."""
    compared = {number: standing.comparison for number, standing in world.records.items()}
    edges = [
        edge for edge in world.edges.values() if edge.left in compared and edge.right in compared
    ]
    decisions = list(world.decisions.values())
    found = partition(
        compared,
        edges,
        decisions,
        index.rules,
        source=lambda number: world.records[number].key.source,
    )
    groups = [group for group in found.groups if group <= world.touched]
    undecided = groups
    if decisions:
        without = partition(compared, edges, (), index.rules)
        undecided = [group for group in without.groups if group <= world.touched]
    return Judged(groups, undecided, _about(found.questions, world.touched))


def _about(questions: Iterable[TaskQuestion], touched: set[int]) -> list[TaskQuestion]:
    return [
        question
        for question in questions
        if not touched.isdisjoint(question.left) or not touched.isdisjoint(question.right)
    ]


def _close(
    unit: UnitOfWork,
    index: LinkageIndex,
    world: World,
    frontier: set[int],
    changed: Collection[int] | None,
    known: Mapping[int, StandingRecord],
) -> set[int]:
    """Adds whatever is connected with the frontier, and gives the records reached.

    What lives no longer still connects: without it the others of a *same* decision, or those who
    remember its id, may stand differently.
    """
    reached: set[int] = set()
    is_whole = True
    while frontier:
        standing = _standing(unit, frontier, known)
        world.records.update(standing)
        reached |= frontier
        old = _without_new(frontier, known)
        if changed is None or not SOME_RECORDS < len(reached) <= LIST_VALUES_MAX:
            around = list_surroundings(unit, old)
        else:
            is_whole = False
            around = list_surroundings(unit, old, has_edges=False)
            around.edges += list_edges_leaving(unit, reached)
            around.edges += list_edges_of(unit, _hubs(standing, changed))
        world.tasks |= around.tasks
        beyond = _linked(index, world, around.edges, world.records)
        beyond |= _decided(world, list_decisions(unit, around.decisions))
        if around.has_merged:
            family = list_family(unit, frontier).keys()
            reached |= family
            beyond |= _decided(world, list_decisions_naming(unit, family))
        ids = {each.remembered_id for each in standing.values()}
        ids |= {remembered for _, remembered in list_homes(unit, frontier - standing.keys())}
        beyond |= _remembering(unit, ids)
        frontier = beyond - reached
    if not is_whole:
        _complete(unit, index, world, reached & world.records.keys())
    return reached


def _standing(
    unit: UnitOfWork, numbers: Collection[int], known: Mapping[int, StandingRecord]
) -> dict[int, StandingRecord]:
    standing = {number: known[number] for number in numbers if number in known}
    if len(standing) < len(numbers):
        standing |= list_standing(unit, [each for each in numbers if each not in known])
    return standing


def _without_new(numbers: Iterable[int], known: Mapping[int, StandingRecord]) -> set[int]:
    """The records on which something can hang that is not seen from any other record.

    A record that is new has no task and no decision, and the other ends of its edges are reached
    with it.
    """
    return {n for n in numbers if n not in known or known[n].person_id is not None}


def _hubs(standing: Mapping[int, StandingRecord], changed: Collection[int]) -> set[int]:
    """Records all of whose edges are needed, and one more, which may connect all the others."""
    needed = {number for number, each in standing.items() if each.person_id is None}
    return needed | (standing.keys() & changed) | {*sorted(standing)[:1]}


def _complete(unit: UnitOfWork, index: LinkageIndex, world: World, live: Collection[int]) -> None:
    """Reads the edges that were left out, unless they cannot decide anything.

    Records that are all alike have an edge between any two, so reading them all on each arrival
    would make a thousand arrivals cost as much as a million. If nothing known of these records can
    keep any two apart, and the edges read connect them all, they are one group whatever the others
    weigh; and where those who have or had a home have the same one, it stays and nobody but
    newcomers gets a link, whose weight would be asked for.
    """
    records = [world.records[number] for number in live]
    homes = {each.home_id for each in records} - {None}
    is_settled = (
        not world.decisions
        and len(homes) < 2
        and all(each.person_id in (None, each.home_id) for each in records)
        and not any(each.remembered_id for each in records)
        and is_clean([each.comparison for each in records], index.rules)
        and _is_connected(index, world, live)
    )
    if not is_settled:
        _linked(index, world, list_edges_of(unit, live), world.records)


def _is_connected(index: LinkageIndex, world: World, live: Collection[int]) -> bool:
    links = [
        edge
        for edge in world.edges.values()
        if edge.match_weight_bits >= index.rules.link_bits
        and edge.left in live
        and edge.right in live
    ]
    return len(list(connected_components(live, links, ()))) == 1


def _linked(
    index: LinkageIndex, world: World, edges: Iterable[Edge], live: Collection[int]
) -> set[int]:
    beyond: set[int] = set()
    for edge in edges:
        if edge.left not in live and edge.right not in live:
            continue
        world.edges[edge.left, edge.right] = edge
        if edge.match_weight_bits >= index.rules.link_bits:
            beyond.update((edge.left, edge.right))
    return beyond


def _decided(world: World, decisions: Iterable[Decision]) -> set[int]:
    beyond: set[int] = set()
    for decision in decisions:
        world.decisions[decision.number] = decision
        if decision.kind is DecisionKind.SAME:
            beyond |= decision.left | decision.right
    return beyond


def _remembering(unit: UnitOfWork, ids: set[PersonId | None]) -> set[int]:
    """Whoever remembers these ids: each belongs to the one who has remembered it longest."""
    remembered = {person_id for person_id in ids if person_id is not None}
    return list_records_remembering(unit, remembered) if remembered else set()


def live_records(unit: UnitOfWork, numbers: Iterable[int]) -> dict[int, ComparisonRecord]:
    """How records that were named once are compared today, merged ones by their survivors.

    By the survivors' numbers; those that live no longer are left out.
    """
    living = set(survivors_of(unit, list(numbers)).values())
    return {n: standing.comparison for n, standing in list_standing(unit, living).items()}
