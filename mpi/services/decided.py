"""What a steward's act did to whom, or would do: the same code runs, and a preview is undone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mpi.domain.identifiers import PersonId, RecordKey
from mpi.services.act import Act, Carried
from mpi.services.disclosure import audit_disclosure
from mpi.services.restate import record_keys
from mpi.services.world import World, read_world
from mpi.storage.locks import Locks
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What a decision, or taking it back, did to whom; ids only."""

    decision: int
    """0 in a preview, and where something else than a decision did it."""
    evidence_digest: str | None
    """Of what there was to see."""
    before: Mapping[PersonId, tuple[RecordKey, ...]]
    """The persons that were touched -> their records in key order, before and `after`."""
    after: Mapping[PersonId, tuple[RecordKey, ...]]
    merged: Mapping[PersonId, PersonId]
    """A person that is no more -> the one that has its records now."""
    tasks_opened: tuple[int, ...]
    tasks_settled: tuple[int, ...]
    """Tasks that settled themselves."""


def run_act(
    writer: Writer, act: Act, work: Callable[[UnitOfWork, Locks], Decided], *, is_preview: bool
) -> Decided:
    """Run a steward's act; a preview undoes it and tells what it would have been.

    What a preview tells is audited by itself, because its own trail is undone with it.

    Args:
        writer: Of the store.
        act: What is done.
        work: Does it; may run several times.
        is_preview: Undo it. Then the answer's `decision` is 0.

    Raises:
        StorageUnavailable: If the store cannot be written now; and whatever `work` raises.
    """

    def preview(unit: UnitOfWork, locks: Locks) -> Decided:
        raise _Undone(work(unit, locks))

    if not is_preview:
        return writer.run(work)
    try:
        return writer.run(preview)
    except _Undone as undone:
        told = replace(undone.result, decision=0)
    persons, at = sorted({*told.before, *told.after}), act.clock.now()
    writer.run(
        lambda unit, _: audit_disclosure(
            unit, f"preview_{act.action}", act.recipient, persons, at=at
        )
    )
    return told


def locked_world(unit: UnitOfWork, locks: Locks, act: Act, records: set[int]) -> World:
    """The part of the graph around some records, which nobody else can change any more.

    Raises:
        MustRetry: If it grew while others held a part of it; the writer begins again.
    """
    world = read_world(unit, act.index, records)
    while locks.take_records({*world.records, *records}):
        world = read_world(unit, act.index, records)
    return world


def decided_as(
    unit: UnitOfWork, carried: Carried, decision: int, evidence_digest: str | None
) -> Decided:
    """The answer about what was carried out, with records by their keys.

    Args:
        unit: Where to look up keys.
        carried: What came of the act.
        decision: Its number; 0 if it was none.
        evidence_digest: Of what there was to see; None where that is not two sides.
    """
    found = carried.relinked
    names = record_keys(unit, {*found.before, *found.person_of})
    return Decided(
        decision=decision,
        evidence_digest=evidence_digest,
        before=_by_person(found.before, names),
        after=_by_person(found.person_of, names),
        merged=dict(found.merged),
        tasks_opened=carried.tasks_opened,
        tasks_settled=tuple(sorted(found.tasks.withdrawn)),
    )


class _Undone(Exception):
    """Carries the result of a preview out of the transaction that it undoes."""

    def __init__(self, result: Decided) -> None:
        super().__init__("a preview is undone")
        self.result = result


def _by_person(
    person_of: Mapping[int, PersonId], names: Mapping[int, RecordKey]
) -> dict[PersonId, tuple[RecordKey, ...]]:
    records: dict[PersonId, list[RecordKey]] = defaultdict(list)
    for record, person_id in person_of.items():
        records[person_id].append(names[record])
    return {person_id: tuple(sorted(keys)) for person_id, keys in sorted(records.items())}
