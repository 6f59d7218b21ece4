"""A source system said something about a record: it is kept for ever, and links follow from it.

Each use case is one transaction: keep what was said, restate the record, relink what that touches,
audit. It is acknowledged when that is durable. Saying the same twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from mpi.clock import Clock
from mpi.domain.demographics import Demographics
from mpi.domain.events import EventType
from mpi.domain.identifiers import PersonId, RecordKey, parse_record_key
from mpi.domain.records import RecordVersion, content_digest
from mpi.errors import UnknownSource
from mpi.services.act import Act, Carried, carry_out
from mpi.services.cause import identity_event
from mpi.services.disclosure import Recipient
from mpi.services.foreseen import Foreseen
from mpi.services.linkage_index import LinkageIndex
from mpi.services.restate import locks_of
from mpi.services.sendable import require_event, require_plain, sendable_content
from mpi.storage.graph import list_family, survivors_of
from mpi.storage.locks import Locks
from mpi.storage.outbox import add_events
from mpi.storage.records import StoredRecord, add_record, find_record, list_records
from mpi.storage.requests import find_outcome, keep_outcome
from mpi.storage.tables import VersionState
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.versions import (
    StoredVersion,
    add_version,
    list_versions_of,
    mark_version_in_error,
)
from mpi.storage.writer import Writer


class Outcome(StrEnum):
    """What a registration did to the record."""

    NEW = "new"
    """It is the first of a new person."""
    LINKED = "linked"
    """It belongs to a person who has other records, or still belongs to its person."""
    MOVED = "moved"
    """It belongs to another person than before."""
    MERGED = "merged"
    """It made two persons one."""
    HELD = "held"
    """It contradicts what the record said before and waits for a steward."""
    UNCHANGED = "unchanged"
    """It was known already."""
    DELETED = "deleted"
    """The record lives no longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """What became of what was said; ids only. `tasks_opened` are numbers of tasks, in order."""

    record: RecordKey
    outcome: Outcome
    person_id: PersonId | None
    """Whose the record is; None unless it lives."""
    match_weight_bits: float | None
    """Bits of its heaviest edge to another record of the person; None without one."""
    explained_by: RecordKey | None
    """The record at the other end of that edge: ask to have the two explained."""
    tasks_opened: tuple[int, ...]
    is_complete: bool
    """False if the record shares a value with so many others that it was not compared by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One version of one record, as a source sends it; `event_at` must say its time zone."""

    key: RecordKey
    demographics: Demographics
    event_at: datetime
    sequence: int = 0
    is_entered_in_error: bool = False
    request_key: str | None = None
    """The sender's own key of this message: sent again, it gets its first outcome."""

    def version(self) -> RecordVersion:
        """What is kept: the same demographics give the same digest, whoever sends them.

        Raises:
            InvalidRecord: If a text is none that a store can keep.
        """
        content = sendable_content(self.demographics)
        return RecordVersion(
            key=self.key,
            demographics=self.demographics,
            event_at=self.event_at,
            sequence=self.sequence,
            digest=content_digest(content),
            is_entered_in_error=self.is_entered_in_error,
            content=content,
        )


def register(
    writer: Writer,
    index: LinkageIndex,
    statement: Statement,
    recipient: Recipient,
    *,
    clock: Clock,
) -> Registered:
    """Keep a version of a record and link what follows from it; back once that is durable.

    Args:
        writer: Of the store.
        index: The model in force, with the source systems.
        statement: What the source says.
        recipient: Who says it.
        clock: Stamps what is written.

    Raises:
        UnknownSource: If no mapping names the source system.
        InvalidRecord: If the event lies in the future, or a text is no Unicode.
        InvalidInput: If the request's key is no text that can be kept.
        Conflict: If the request's key was used for another message.
        Unavailable: If the store cannot be written now, or was linked with another release; send
            it again.
    """
    return submit_registration(writer, index, statement, recipient, clock=clock).result()


def submit_registration(
    writer: Writer,
    index: LinkageIndex,
    statement: Statement,
    recipient: Recipient,
    *,
    clock: Clock,
) -> Future[Registered]:
    """`register` without waiting, so that many of one caller can share a commit.

    Returns:
        What became of it once it is durable, or the Conflict or Unavailable that `register` would
        have raised.

    Raises:
        InvalidInput, UnknownSource: As `register`, at once.
        StorageUnavailable: If the writer was closed.
    """
    require_known_source(index, statement.key)
    require_event(statement.event_at, statement.sequence, clock)
    require_plain("request_key", statement.request_key or "")
    foreseen = Foreseen(index, statement.version())
    act = Act(index, recipient, clock, action="register", reason="registered")

    def work(unit: UnitOfWork, locks: Locks) -> Registered:
        if not unit.is_sqlite:
            locks.begin_with(_keys_to_lock(unit, index, foreseen))
        return _once(unit, locks, act, foreseen, statement.request_key)

    return writer.submit(work, prepare=foreseen.look_ahead)


def require_known_source(index: LinkageIndex, key: RecordKey) -> None:
    """Nothing, if a mapping of the installation names the record's source.

    Raises:
        UnknownSource: If none does.
    """
    if key.source not in index.mapping_digests:
        raise UnknownSource("source: no mapping of this installation names it")


def _keys_to_lock(unit: UnitOfWork, index: LinkageIndex, foreseen: Foreseen) -> frozenset[int]:
    """The locks that a registration needs, as far as can be seen before they are taken."""
    key = foreseen.version.key
    stored = find_record(unit, key)
    numbers = _whole(unit, stored) if stored else []
    return locks_of(unit, index, key, numbers, foreseen)


def _whole(unit: UnitOfWork, stored: StoredRecord) -> list[int]:
    """The record that this one lives on in, and those merged into that."""
    survivor = _survivor(unit, stored)
    return [survivor, *list_family(unit, [survivor])]


def _survivor(unit: UnitOfWork, stored: StoredRecord) -> int:
    number = stored.number
    return number if stored.merged_into is None else survivors_of(unit, [number])[number]


def _once(
    unit: UnitOfWork, locks: Locks, act: Act, foreseen: Foreseen, request_key: str | None
) -> Registered:
    """Register unless this very request was carried out before."""
    if request_key is None:
        return _register(unit, locks, act, foreseen)
    version = foreseen.version
    caller = act.recipient.actor
    digest = content_digest(f"{version.key} {version.order} {version.is_entered_in_error}")
    known = find_outcome(unit, caller, request_key, digest)
    if known is not None:
        return _registered_from(known)
    registered = _register(unit, locks, act, foreseen)
    answer = _registered_to(registered)
    keep_outcome(unit, caller, request_key, digest, answer, at=act.clock.now())
    return registered


def _register(unit: UnitOfWork, locks: Locks, act: Act, foreseen: Foreseen) -> Registered:
    version = foreseen.version
    cause = act.cause(unit)
    stored = find_record(unit, version.key)
    number = stored.number if stored else add_record(unit, version.key, at=cause.at)
    whole = _whole(unit, stored) if stored else [number]
    survivor = whole[0]
    known = list_versions_of(unit, version.key, whole) if stored else []
    same = _told_before(known, number, version)
    told = {}
    if same is None:
        mapping = act.index.mapping_digests.get(version.key.source)
        added = add_version(unit, number, version, received_at=cause.at, mapping_digest=mapping)
        if survivor == number:
            stored_now = StoredVersion(added, number, version, VersionState.ACCEPTED)
            told[number] = [*known, stored_now]
    elif version.is_entered_in_error and not same.version.is_entered_in_error:
        mark_version_in_error(unit, same.number)
    elif stored and stored.person_id is not None:
        return unchanged(stored)
    keys = {survivor: version.key if survivor == number else _key_of(unit, survivor)}
    fresh = () if stored else (number,)
    carried = carry_out(unit, locks, act, cause, keys, told=told, fresh=fresh, foreseen=foreseen)
    held = {each.version.order for each in carried.restated.held[survivor]}
    if version.order in held:
        person_id = carried.relinked.person_of.get(survivor)
        event = identity_event(cause, EventType.HELD, person_id, record=survivor)
        add_events(unit, [event])
        outcome = Outcome.HELD
    else:
        outcome = outcome_of(carried, survivor, is_same=_is_confirmed(known, version))
    return registered_as(carried, version.key, survivor, outcome)


def _told_before(
    known: Iterable[StoredVersion], number: int, version: RecordVersion
) -> StoredVersion | None:
    """The version as this very record told it: what one merged with it says is no word of its own,
    and would be gone if the source took the merge back."""
    own = (each for each in known if each.record == number)
    return next((each for each in own if each.version.order == version.order), None)


def _is_confirmed(known: list[StoredVersion], version: RecordVersion) -> bool:
    """Whether the version says what the last one before it said."""
    earlier = [each.version for each in known if each.version.order < version.order]
    return bool(earlier) and earlier[-1].digest == version.digest


def _key_of(unit: UnitOfWork, number: int) -> RecordKey:
    return list_records(unit, [number])[0].key


def unchanged(stored: StoredRecord) -> Registered:
    """The answer to what was known already: the record's person, and no evidence."""
    return Registered(
        record=stored.key,
        outcome=Outcome.UNCHANGED,
        person_id=stored.person_id,
        match_weight_bits=None,
        explained_by=None,
        tasks_opened=(),
        is_complete=True,
    )


def outcome_of(carried: Carried, record: int, *, is_same: bool = False) -> Outcome:
    """What happened to one record.

    Args:
        carried: What came of the act.
        record: Number of a record that was stated.
        is_same: It says what it said before.
    """
    found = carried.relinked
    before, after = found.before.get(record), found.person_of.get(record)
    if after is None:
        return Outcome.DELETED
    if before is None and after in found.created:
        return Outcome.NEW
    if found.merged:
        return Outcome.MERGED
    if before not in (None, after):
        return Outcome.MOVED
    return Outcome.UNCHANGED if is_same and before == after else Outcome.LINKED


def registered_as(carried: Carried, key: RecordKey, record: int, outcome: Outcome) -> Registered:
    """The answer about one record of what was carried out.

    Args:
        carried: What came of the act.
        key: The record as the source named it.
        record: Number of the record that it lives on in.
        outcome: See `outcome_of`.
    """
    found = carried.relinked
    heaviest = found.heaviest.get(record)
    return Registered(
        record=key,
        outcome=outcome,
        person_id=found.person_of.get(record),
        match_weight_bits=heaviest.match_weight_bits if heaviest else None,
        explained_by=found.records[heaviest.other(record)].key if heaviest else None,
        tasks_opened=carried.tasks_opened,
        is_complete=carried.restated.is_complete,
    )


def _registered_to(registered: Registered) -> dict[str, Any]:
    plain = asdict(registered)
    plain["record"] = str(registered.record)
    plain["explained_by"] = str(registered.explained_by) if registered.explained_by else None
    return plain


def _registered_from(plain: dict[str, Any]) -> Registered:
    other = plain["explained_by"]
    return Registered(
        record=parse_record_key(plain["record"]),
        outcome=Outcome(plain["outcome"]),
        person_id=plain["person_id"],
        match_weight_bits=plain["match_weight_bits"],
        explained_by=parse_record_key(other) if other else None,
        tasks_opened=tuple(plain["tasks_opened"]),
        is_complete=plain["is_complete"],
    )
