"""Whose the records are that a change touches: judged anew, and only the difference is written.

One transaction goes through here whatever caused it: read the touched part of the graph, lock it,
read it again, partition, give homes and ids, then write links, persons, golden records, tasks and
events where they differ from what is stored. That makes the live index equal to a bulk load of
the same records, whatever the order in which they came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mpi.domain.events import EventType
from mpi.domain.identifiers import PersonId
from mpi.domain.links import Edge
from mpi.domain.records import content_digest
from mpi.domain.tasks import TaskQuestion, TaskType
from mpi.linkage.homes import assign_homes, name_groups
from mpi.linkage.overlay import HeldVersion
from mpi.services.cause import Cause, identity_event
from mpi.services.golden_records import golden_records
from mpi.services.linkage_index import LinkageIndex
from mpi.services.questions import TaskChanges, put_questions
from mpi.services.world import Judged, World, judge, read_world
from mpi.storage.graph import StandingRecord, list_homes, put_home
from mpi.storage.links import close_link, latest_start, open_link
from mpi.storage.locks import Locks
from mpi.storage.outbox import OutboxEvent, add_events
from mpi.storage.persons import (
    PersonRow,
    add_person,
    list_holders,
    list_person_rows,
    new_person_id,
    set_live,
    set_out_of_use,
)
from mpi.storage.tables import PersonState
from mpi.storage.unit_of_work import UnitOfWork


@dataclass(slots=True)
class Relinked:
    """What became of the touched records, by their numbers."""

    person_of: dict[int, PersonId] = field(default_factory=dict)
    """Touched record -> its person now."""
    before: dict[int, PersonId] = field(default_factory=dict)
    """Record -> its person before, of those that had one."""
    created: dict[PersonId, None] = field(default_factory=dict)
    """Ids given, the first first."""
    merged: dict[PersonId, PersonId] = field(default_factory=dict)
    """A person that is no more -> the one that has its records now."""
    split: list[tuple[frozenset[int], frozenset[int]]] = field(default_factory=list)
    """Records that stayed and records that parted from them: they were one person's before."""
    tasks: TaskChanges = field(default_factory=TaskChanges)
    events: list[OutboxEvent] = field(default_factory=list)
    heaviest: dict[int, Edge] = field(default_factory=dict)
    """Record -> its heaviest edge to another record of its person, if it has one."""
    records: Mapping[int, StandingRecord] = field(default_factory=dict)
    """Every live record that was read, as it stood."""


def relink(
    unit: UnitOfWork,
    index: LinkageIndex,
    locks: Locks,
    cause: Cause,
    *,
    seeds: Collection[int],
    stated: Collection[int] = (),
    gone: Sequence[StandingRecord] = (),
    held: Mapping[int, Sequence[HeldVersion]] | None = None,
    known: Mapping[int, StandingRecord] | None = None,
) -> Relinked:
    """Judge anew what a change touches and write what differs.

    Args:
        unit: Where records, edges and decisions are as they shall be.
        index: The model in force.
        locks: What is locked so far.
        cause: Stamped on everything written.
        seeds: Numbers of records from which all that is touched can be reached.
        stated: Records whose content has changed, so that golden records must be made anew.
        gone: Records that live no longer, as they stood.
        held: Of every record restated, its versions that wait for a steward.
        known: Some records, as they stand under the locks taken so far.

    Raises:
        MustRetry: If more is touched than was locked; the writer begins again.
    """
    world = _locked_world(unit, index, locks, seeds, stated, known or {})
    judged = judge(world, index)
    found = Relinked(records=world.records)
    _note_before(world, gone, found)
    rows = _name(unit, index, world, judged, cause, found)
    cause = _not_before(unit, world, gone, cause, found)
    changed = _write_links(unit, world, gone, cause, found)
    changed |= {found.person_of[record] for record in stated if record in found.person_of}
    _write_persons(unit, index, rows, changed, cause, found)
    _note_moves(cause, found)
    questions = judged.questions if cause.is_explained else [*judged.questions, *_splits(found)]
    records = world.touched | {each.number for each in gone}
    found.tasks = put_questions(unit, questions, records, held or {}, world.tasks, cause=cause)
    add_events(unit, [*found.events, *found.tasks.events(found.person_of, cause)])
    return found


def _splits(found: Relinked) -> list[TaskQuestion]:
    return [
        TaskQuestion(
            type=TaskType.UNEXPLAINED_SPLIT,
            left=left,
            right=right,
            match_weight_bits=0.0,
            reason="parted",
        )
        for left, right in found.split
    ]


def _locked_world(
    unit: UnitOfWork,
    index: LinkageIndex,
    locks: Locks,
    seeds: Collection[int],
    changed: Collection[int],
    known: Mapping[int, StandingRecord],
) -> World:
    """The touched part of the graph, which nobody else can change any more."""
    is_out_of_date = locks.take_records(seeds)
    still_known = {} if is_out_of_date else known
    world = read_world(unit, index, seeds, changed=changed, known=still_known)
    while locks.take_records({*world.records, *seeds}):
        world = read_world(unit, index, seeds, changed=changed)
    return world


def _note_before(world: World, gone: Iterable[StandingRecord], found: Relinked) -> None:
    for standing in [*(world.records[number] for number in world.touched), *gone]:
        if standing.person_id is not None:
            found.before[standing.number] = standing.person_id


def _name(
    unit: UnitOfWork,
    index: LinkageIndex,
    world: World,
    judged: Judged,
    cause: Cause,
    found: Relinked,
) -> dict[PersonId, PersonRow]:
    """Homes and person ids of the touched records; gives the persons as stored before."""
    standing = [world.records[number] for number in sorted(world.touched)]
    previous = {each.number: each.home_id for each in standing if each.home_id is not None}
    remembered = {
        each.number: each.remembered_id for each in standing if each.remembered_id is not None
    }
    homes = assign_homes(
        judged.undecided, world.link_edges(index), previous=previous, new_id=new_person_id
    )
    ids = {*previous.values(), *remembered.values(), *found.before.values()}
    rows = list_person_rows(unit, ids) | _rows_out_of_use(unit, world.past)
    named = name_groups(
        judged.groups,
        homes=homes,
        ages={person_id: row.number for person_id, row in rows.items()},
        remembered=remembered,
        new_id=new_person_id,
    )
    found.person_of = {record: each.person_id for each in named for record in each.records}
    # In the order of registration of their first records: ages decide ties later.
    new = [i for n in sorted(homes) for i in (homes[n], found.person_of[n]) if i not in rows]
    found.created = dict.fromkeys(new)
    for person_id in found.created:
        add_person(unit, person_id, at=cause.at)
    remember = {record: each.person_id for each in named for record in each.remember}
    for each in standing:
        _write_home(unit, each, homes[each.number], remember.get(each.number, each.remembered_id))
    return rows


def _rows_out_of_use(unit: UnitOfWork, past: Collection[int]) -> dict[PersonId, PersonRow]:
    """The ids by which records were known that live no longer: where they lead may change."""
    if not past:
        return {}
    ids = {i for each in list_homes(unit, past) for i in each if i is not None}
    rows = list_person_rows(unit, ids)
    return {person_id: row for person_id, row in rows.items() if not _is_live(row)}


def _write_home(
    unit: UnitOfWork, standing: StandingRecord, home_id: PersonId, remembered_id: PersonId | None
) -> None:
    if (home_id, remembered_id) != (standing.home_id, standing.remembered_id):
        put_home(
            unit,
            standing.number,
            home_id=home_id,
            remembered_id=remembered_id,
            is_new=standing.home_id is None,
        )


def _not_before(
    unit: UnitOfWork,
    world: World,
    gone: Iterable[StandingRecord],
    cause: Cause,
    found: Relinked,
) -> Cause:
    """The cause, no earlier than the links that it ends.

    It may have waited at a lock for whoever made them, or another machine's clock may be ahead.
    """
    standing = [*gone, *(world.records[number] for number in world.touched)]
    ended = [
        each.link
        for each in standing
        if each.link is not None and found.person_of.get(each.number) != each.person_id
    ]
    if not ended:
        return cause
    return replace(cause, at=max(cause.at, latest_start(unit, ended)))


def _write_links(
    unit: UnitOfWork,
    world: World,
    gone: Iterable[StandingRecord],
    cause: Cause,
    found: Relinked,
) -> set[PersonId]:
    """Close and open links; gives the persons that lost or gained a record."""
    changed: set[PersonId] = set()
    found.heaviest = _heaviest(world, found.person_of)
    for standing in [*gone, *(world.records[number] for number in sorted(world.touched))]:
        number, before = standing.number, standing.person_id
        after = found.person_of.get(number)
        if before == after:
            continue
        if before is not None and standing.link is not None:
            close_link(unit, standing.link, at=cause.at)
            changed.add(before)
            _tell(cause, found, EventType.UNLINKED, before, record=number, other=after)
        if after is not None:
            open_link(
                unit,
                number,
                after,
                origin=cause.origin,
                match_weight_bits=_bits(found.heaviest.get(number)),
                model=cause.model,
                at=cause.at,
            )
            changed.add(after)
    return changed


def _heaviest(world: World, person_of: Mapping[int, PersonId]) -> dict[int, Edge]:
    """Each record's heaviest edge to another record of its person."""
    heaviest: dict[int, Edge] = {}
    for edge in world.edges.values():
        if edge.left in person_of and person_of[edge.left] == person_of.get(edge.right):
            for end in (edge.left, edge.right):
                known = heaviest.get(end)
                if known is None or edge.match_weight_bits > known.match_weight_bits:
                    heaviest[end] = edge
    return heaviest


def _bits(edge: Edge | None) -> float | None:
    return edge.match_weight_bits if edge else None


def _write_persons(
    unit: UnitOfWork,
    index: LinkageIndex,
    rows: Mapping[PersonId, PersonRow],
    changed: Collection[PersonId],
    cause: Cause,
    found: Relinked,
) -> None:
    """Golden records of the persons in use, and where the other ids lead."""
    members: dict[PersonId, list[int]] = defaultdict(list)
    for record, person_id in found.person_of.items():
        members[person_id].append(record)
    anew = {
        person_id: records
        for person_id, records in members.items()
        if person_id in changed or not _is_live(rows.get(person_id))
    }
    for person_id, golden in golden_records(unit, index, found.records, anew).items():
        _write_live(unit, person_id, rows.get(person_id), golden, cause, found)
    for person_id in sorted({*rows, *found.created} - members.keys()):
        _write_out_of_use(unit, person_id, rows.get(person_id), cause, found)


def _write_live(
    unit: UnitOfWork,
    person_id: PersonId,
    row: PersonRow | None,
    golden: str,
    cause: Cause,
    found: Relinked,
) -> None:
    digest = content_digest(golden)
    if row is not None and _is_live(row) and row.golden_digest == digest:
        return
    set_live(unit, person_id, golden, digest)
    if row is None:
        _tell(cause, found, EventType.CREATED, person_id)
    elif not _is_live(row):
        _tell(cause, found, EventType.RESTORED, person_id)
    else:
        _tell(cause, found, EventType.GOLDEN_CHANGED, person_id)


def _write_out_of_use(
    unit: UnitOfWork,
    person_id: PersonId,
    row: PersonRow | None,
    cause: Cause,
    found: Relinked,
) -> None:
    holders = list_holders(unit, person_id)
    redirect = holders[0] if holders else None
    state = PersonState.RETIRED if redirect else PersonState.CLOSED
    if row is None or (row.state, row.redirect) != (state, redirect):
        set_out_of_use(unit, person_id, redirect)
    if not _is_live(row):
        return
    if redirect is not None:
        found.merged[person_id] = redirect
        _tell(cause, found, EventType.MERGED, person_id, other=redirect)
    else:
        _tell(cause, found, EventType.RETIRED, person_id)


def _is_live(row: PersonRow | None) -> bool:
    return row is not None and row.state is PersonState.LIVE


def _note_moves(cause: Cause, found: Relinked) -> None:
    """Which persons' records parted, and who got a record."""
    for record, after in found.person_of.items():
        if found.before.get(record) != after:
            _tell(cause, found, EventType.LINKED, after, record=record)
    parts: dict[PersonId, dict[PersonId, list[int]]] = defaultdict(lambda: defaultdict(list))
    for record, before in found.before.items():
        if record in found.person_of:
            parts[before][found.person_of[record]].append(record)
    for before, by_person in parts.items():
        if len(by_person) > 1:
            _note_split(before, by_person, cause, found)


def _note_split(
    before: PersonId, by_person: Mapping[PersonId, list[int]], cause: Cause, found: Relinked
) -> None:
    """The largest part, or the one that keeps the id, stays; the others have parted from it."""
    order = sorted(by_person, key=lambda p: (p != before, -len(by_person[p]), min(by_person[p])))
    stays, *parted = order
    for person_id in parted:
        _tell(cause, found, EventType.SPLIT, stays, other=person_id)
        found.split.append((frozenset(by_person[stays]), frozenset(by_person[person_id])))


def _tell(
    cause: Cause,
    found: Relinked,
    type_: EventType,
    person_id: PersonId,
    *,
    record: int | None = None,
    other: PersonId | None = None,
) -> None:
    found.events.append(identity_event(cause, type_, person_id, record=record, other=other))
