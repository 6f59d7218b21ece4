"""Homes: the ids that records belong to by evidence alone, and the person ids that follow.

A person's id must survive new evidence, and a retracted decision must give back the very ids that
were there before. So every record remembers a home that follows the partition *without* decisions,
and the ids of the groups *with* decisions are read off the homes; decisions write nothing into
them. Which id a group has depends on the order of registration; which records it has never does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from mpi.domain.identifiers import PersonId
from mpi.domain.links import Edge, rounded_bits

Group = frozenset[int]
NewId = Callable[[], PersonId]


@dataclass(frozen=True, slots=True)
class NamedGroup:
    """A group with its person id."""

    person_id: PersonId
    records: Group
    remember: Group = frozenset()
    """It owns no home, and these of its records must remember its id, for when they meet again;
    the others keep what they remember, if anything."""


def assign_homes(
    groups: Iterable[Group],
    links: Iterable[Edge],
    *,
    previous: Mapping[int, PersonId],
    new_id: NewId,
) -> dict[int, PersonId]:
    """Every record's home after a partition without decisions.

    Args:
        groups: The groups, each record in one; record numbers are the order of registration.
        links: Link edges between their records; of one group or not.
        previous: Record -> home before; newcomers are not in it, other records do no harm.
        new_id: Gives an id that nobody ever had.

    Returns:
        Record -> home, for every record of the groups.

    A home that falls into several groups stays with the part that has most of its records, then
    with the part whose first record registered first; the others' records are newcomers. Newcomers
    inherit along the strongest link, those of a group without any home share a new one.
    """
    members = list(groups)
    homes = _kept_homes(members, previous)
    neighbours: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for left, right, weight in links:
        bits = rounded_bits(weight)
        neighbours[left].append((bits, right))
        neighbours[right].append((bits, left))
    for group in members:
        _settle_newcomers(group, homes, neighbours, new_id)
    return homes


def _kept_homes(groups: list[Group], previous: Mapping[int, PersonId]) -> dict[int, PersonId]:
    keeper = _owners(groups, previous)
    return {
        record: previous[record]
        for number, group in enumerate(groups)
        for record in group
        if record in previous and keeper[previous[record]] == number
    }


def _owners(groups: list[Group], homes: Mapping[int, PersonId]) -> dict[PersonId, int]:
    """Which group owns each home: most of its records, then the first registered of them."""
    best: dict[PersonId, tuple[int, int, int]] = {}
    for number, group in enumerate(groups):
        held: dict[PersonId, list[int]] = defaultdict(list)
        for record in group:
            if record in homes:
                held[homes[record]].append(record)
        for home, records in held.items():
            claim = (-len(records), min(records), number)
            best[home] = min(best.get(home, claim), claim)
    return {home: number for home, (_, _, number) in best.items()}


def _settle_newcomers(
    group: Group,
    homes: dict[int, PersonId],
    neighbours: Mapping[int, list[tuple[float, int]]],
    new_id: NewId,
) -> None:
    """Give a home to every record of a group that has none, the strongest link first."""
    homeless = {record for record in group if record not in homes}
    if not homeless:
        return
    waiting: list[tuple[float, int, int]] = []

    def offer(record: int) -> None:
        for weight, other in neighbours.get(record, ()):
            if other in homeless:
                heappush(waiting, (-weight, record, other))

    for record in sorted(group - homeless):
        offer(record)
    while waiting:
        _, giver, taker = heappop(waiting)
        if taker in homeless:
            homes[taker] = homes[giver]
            homeless.discard(taker)
            offer(taker)
    if homeless:
        shared = new_id()
        homes.update(dict.fromkeys(homeless, shared))


def name_groups(
    groups: Collection[Group],
    *,
    homes: Mapping[int, PersonId],
    ages: Mapping[PersonId, int],
    remembered: Mapping[int, PersonId],
    new_id: NewId,
) -> list[NamedGroup]:
    """The person id of every group of the partition with decisions.

    Args:
        groups: Each record in one; of a home or a remembered id, all records that live.
        homes: Record -> home, of every record (`assign_homes`).
        ages: Id -> its place among all ids ever made, the oldest first; ids just made are younger
            than all others and need not be there.
        remembered: Record -> the id of a group without a home that it was in once.
        new_id: Gives an id that nobody ever had.

    Returns:
        The groups with their ids, each id once. The oldest home that a group owns names it; a group
        that owns none takes the id remembered for its records, else a new one.
    """
    members = list(groups)
    owned: dict[int, list[tuple[PersonId, int]]] = defaultdict(list)
    for home, number in _owners(members, homes).items():
        first = min(record for record in members[number] if homes.get(record) == home)
        owned[number].append((home, first))
    anchored = _anchored(members, remembered)
    named = []
    for number, group in enumerate(members):
        if number in owned:
            named.append(NamedGroup(_oldest(owned[number], ages)[0], group))
        elif number in anchored:
            person_id, anchor = _oldest(anchored[number], ages)
            younger = [record for record in group if record > anchor and record not in remembered]
            named.append(NamedGroup(person_id, group, frozenset(younger)))
        else:
            named.append(NamedGroup(new_id(), group, group))
    return named


def _anchored(
    groups: list[Group], remembered: Mapping[int, PersonId]
) -> dict[int, list[tuple[PersonId, int]]]:
    """Groups -> ids that are theirs by memory, each with its anchor.

    An id's anchor is the first registered of the records that remember it, and the id belongs
    where its anchor is. Majorities shift as records arrive; an anchor stays: nothing older is ever
    made to remember the id, nor is it made to forget it. So retracted decisions give it back.
    """
    anchors: dict[PersonId, tuple[int, int]] = {}
    for number, group in enumerate(groups):
        for record in group:
            if record in remembered:
                here = (record, number)
                anchors[remembered[record]] = min(anchors.get(remembered[record], here), here)
    found: dict[int, list[tuple[PersonId, int]]] = defaultdict(list)
    for person_id, (record, number) in anchors.items():
        found[number].append((person_id, record))
    return found


def _oldest(
    candidates: Iterable[tuple[PersonId, int]], ages: Mapping[PersonId, int]
) -> tuple[PersonId, int]:
    """The oldest id of these and its first record; ids just made by the age of that record."""

    def age(candidate: tuple[PersonId, int]) -> tuple[bool, int, int]:
        person_id, first = candidate
        return (person_id not in ages, ages.get(person_id, 0), first)

    return min(candidates, key=age)
