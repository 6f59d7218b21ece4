"""A source takes a record back, or says that two of its records are one human's, or not after all.

Nothing is ever thrown away: a deletion is a version that says nothing more, and a merged record
keeps its versions and lends them to the survivor, so that either can be undone.
"""

from __future__ import annotations

from datetime import datetime

from mpi.clock import Clock
from mpi.domain.demographics import NO_DEMOGRAPHICS
from mpi.domain.identifiers import RecordKey
from mpi.domain.records import DELETION, RecordVersion
from mpi.errors import Conflict, InvalidRecord
from mpi.services.act import Act, carry_out
from mpi.services.disclosure import Recipient
from mpi.services.linkage_index import LinkageIndex
from mpi.services.register import (
    Registered,
    outcome_of,
    registered_as,
    require_known_source,
    unchanged,
)
from mpi.services.restate import record_keys
from mpi.services.sendable import require_event
from mpi.storage.graph import list_family, survivors_of
from mpi.storage.locks import Locks
from mpi.storage.records import add_record, find_record, get_record
from mpi.storage.tables import RecordState
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.versions import StoredVersion, add_version, list_versions_of
from mpi.storage.writer import Writer


def delete_record(
    writer: Writer,
    index: LinkageIndex,
    key: RecordKey,
    recipient: Recipient,
    *,
    event_at: datetime,
    clock: Clock,
    sequence: int = 0,
) -> Registered:
    """The source deleted its record; what it says later brings it back.

    Args:
        writer: Of the store.
        index: The model in force, with the source systems.
        key: Of the record.
        recipient: Who says it.
        event_at: When it was deleted at the source.
        clock: Stamps what is written.
        sequence: The source's own order among events of one instant.

    Returns:
        What became of it, or of the record that it was merged into; unchanged if that was said
        before.

    Raises:
        UnknownSource: If no mapping names the source system.
        UnknownRecord: If there never was such a record.
        InvalidRecord: If the event lies in the future.
        Unavailable: If the store cannot be written now, or was linked with another release.
    """
    require_known_source(index, key)
    require_event(event_at, sequence, clock)
    version = RecordVersion(
        key=key,
        demographics=NO_DEMOGRAPHICS,
        event_at=event_at,
        sequence=sequence,
        digest=DELETION,
    )
    act = Act(index, recipient, clock, action="delete", reason="deleted", is_explained=True)
    return writer.run(lambda unit, locks: _delete(unit, locks, act, version))


def merge_records(
    writer: Writer,
    index: LinkageIndex,
    retired: RecordKey,
    survivor: RecordKey,
    recipient: Recipient,
    *,
    clock: Clock,
) -> Registered:
    """The source merged two of its records: the survivor takes over versions and decisions.

    Either may be unknown yet: messages come in any order.

    Args:
        writer: Of the store.
        index: The model in force, with the source systems.
        retired: The record that is no more.
        survivor: The one that it lives on in.
        recipient: Who says it.
        clock: Stamps what is written.

    Raises:
        UnknownSource: If no mapping names the source system.
        InvalidRecord: If the two are one record, or of two sources.
        Conflict: If the retired one was merged into another, or the survivor into it.
        Unavailable: If the store cannot be written now, or was linked with another release.
    """
    require_known_source(index, retired)
    if retired.source != survivor.source or retired == survivor:
        raise InvalidRecord("into: must be another record of the same source")
    act = Act(index, recipient, clock, action="merge", reason="source_merge", is_explained=True)
    return writer.run(lambda unit, locks: _merge(unit, locks, act, retired, survivor))


def unmerge_record(
    writer: Writer, index: LinkageIndex, retired: RecordKey, recipient: Recipient, *, clock: Clock
) -> Registered:
    """The source took a merge back: the record lives by its own versions again.

    Args:
        writer: Of the store.
        index: The model in force, with the source systems.
        retired: The record that was merged into another.
        recipient: Who says it.
        clock: Stamps what is written.

    Raises:
        UnknownSource: If no mapping names the source system.
        UnknownRecord: If there never was such a record.
        Conflict: If it is not merged.
        Unavailable: If the store cannot be written now, or was linked with another release.
    """
    require_known_source(index, retired)
    act = Act(index, recipient, clock, action="unmerge", reason="source_unmerge", is_explained=True)
    return writer.run(lambda unit, locks: _unmerge(unit, locks, act, retired))


def _delete(unit: UnitOfWork, locks: Locks, act: Act, version: RecordVersion) -> Registered:
    stored = get_record(unit, version.key)
    survivor = survivors_of(unit, [stored.number])[stored.number]
    keys = record_keys(unit, [survivor])
    known = list_versions_of(unit, keys[survivor], [survivor, *list_family(unit, [survivor])])
    if _is_deleted(known, stored.number, version):
        return unchanged(stored)
    cause = act.cause(unit)
    add_version(unit, stored.number, version, received_at=cause.at)
    carried = carry_out(unit, locks, act, cause, keys)
    return registered_as(carried, version.key, survivor, outcome_of(carried, survivor))


def _is_deleted(known: list[StoredVersion], number: int, deletion: RecordVersion) -> bool:
    """Whether the source said so of this very record before, and what it lives on in is gone.

    What was said of one merged with it is no word about it: the merge may be taken back.
    """
    own = [each.version for each in known if each.record == number]
    if any(version.order == deletion.order for version in own):
        return True
    return bool(own) and all(
        version.is_deletion and version.order < deletion.order
        for version in (own[-1], known[-1].version)
    )


def _merge(
    unit: UnitOfWork, locks: Locks, act: Act, retired_key: RecordKey, survivor_key: RecordKey
) -> Registered:
    cause = act.cause(unit)
    locks.require_keys([retired_key, survivor_key], ())
    retired, survivor = (
        stored.number if (stored := find_record(unit, key)) else add_record(unit, key, at=cause.at)
        for key in (retired_key, survivor_key)
    )
    roots = survivors_of(unit, [retired, survivor])
    if roots[survivor] == retired:
        raise Conflict("into: it was merged into this record before")
    known = get_record(unit, retired_key)
    if known.merged_into == survivor:
        return unchanged(known)
    if known.state is RecordState.MERGED:
        raise Conflict("record: it was merged into another one before; take that back first")
    keys = record_keys(unit, {retired, roots[survivor]})
    carried = carry_out(unit, locks, act, cause, keys, merged={retired: survivor})
    number = roots[survivor]
    return registered_as(carried, keys[number], number, outcome_of(carried, number))


def _unmerge(unit: UnitOfWork, locks: Locks, act: Act, retired_key: RecordKey) -> Registered:
    cause = act.cause(unit)
    locks.require_keys([retired_key], ())
    stored = get_record(unit, retired_key)
    if stored.merged_into is None:
        raise Conflict("record: it is not merged into another")
    root = survivors_of(unit, [stored.number])[stored.number]
    keys = record_keys(unit, {stored.number, root})
    carried = carry_out(unit, locks, act, cause, keys, merged={stored.number: None})
    number = stored.number
    return registered_as(carried, retired_key, number, outcome_of(carried, number))
