"""A steward's word about a version that is held back: a correction, or another human."""

from __future__ import annotations

from dataclasses import dataclass

from mpi.clock import Clock
from mpi.domain.identifiers import RecordKey
from mpi.domain.links import DecisionKind
from mpi.domain.records import VersionVerdict
from mpi.errors import Conflict, InvalidInput, UnknownRecord
from mpi.services.act import Act, carry_out
from mpi.services.decided import Decided, decided_as, run_act
from mpi.services.disclosure import Recipient
from mpi.services.linkage_index import LinkageIndex
from mpi.services.review import AnsweredTask, answer_task, require_answerable
from mpi.services.sendable import require_plain
from mpi.storage.decisions import add_decision, add_version_decision
from mpi.storage.graph import list_family, survivors_of
from mpi.storage.locks import Locks
from mpi.storage.records import get_record, list_records
from mpi.storage.tables import VersionState
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.versions import StoredVersion, list_versions_of
from mpi.storage.writer import Writer

_KINDS = {
    VersionVerdict.CORRECTION: DecisionKind.SAME,
    VersionVerdict.ANOTHER_HUMAN: DecisionKind.DIFFERENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a steward says about a held version."""

    record: RecordKey
    version: str | None
    """Digest of the version; None if the record has only one that is held."""
    verdict: VersionVerdict
    reason: str
    task: AnsweredTask | None = None


def judge_version(
    writer: Writer,
    index: LinkageIndex,
    verdict: Verdict,
    recipient: Recipient,
    *,
    clock: Clock,
    is_preview: bool = False,
) -> Decided:
    """Accept a held version, and say whether the versions before it are the same human's.

    Args:
        writer: Of the store.
        index: The model in force.
        verdict: What is said.
        recipient: The steward.
        clock: Stamps what is written.
        is_preview: Undo everything and only tell what it would have been.

    Raises:
        UnknownRecord, UnknownTask: If the record, the version or the task does not exist.
        InvalidInput: If several versions are held and none is named, or the reason is no text.
        Conflict: If the version is not held back, or the task is not what the steward saw.
        Unavailable: If the store cannot be written now, or was linked with another release.
    """
    require_plain("reason", verdict.reason)
    act = Act(
        index, recipient, clock, action="decide", reason=str(verdict.verdict), is_explained=True
    )
    return run_act(
        writer, act, lambda unit, locks: _judge(unit, locks, act, verdict), is_preview=is_preview
    )


def _judge(unit: UnitOfWork, locks: Locks, act: Act, verdict: Verdict) -> Decided:
    if verdict.task:
        require_answerable(unit, verdict.task, act.recipient.actor, at=act.clock.now())
    number = get_record(unit, verdict.record).number
    survivor = survivors_of(unit, [number])[number]
    key = list_records(unit, [survivor])[0].key
    locks.require_keys([key], ())
    held = _held_version(unit, key, survivor, verdict.version)
    decision = add_decision(
        unit,
        _KINDS[verdict.verdict],
        reason=verdict.reason,
        author=act.recipient.actor,
        at=act.clock.now(),
    )
    # Under the record that the version came with: verdicts are looked up beside versions.
    add_version_decision(unit, decision, version=held.number, record=held.record)
    cause = act.cause(unit, decision=decision)
    if verdict.task:
        answer_task(unit, verdict.task, cause)
    carried = carry_out(unit, locks, act, cause, {survivor: key})
    return decided_as(unit, carried, decision, None)


def _held_version(
    unit: UnitOfWork, key: RecordKey, survivor: int, digest: str | None
) -> StoredVersion:
    """The last held version of this digest."""
    stored = list_versions_of(unit, key, [survivor, *list_family(unit, [survivor])])
    if digest is None:
        digests = {each.version.digest for each in stored if each.state is VersionState.HELD}
        if len(digests) > 1:
            raise InvalidInput("version: several are held back; say which is meant")
        digest = next(iter(digests), None)
    found = [each for each in stored if each.version.digest == digest]
    if digest is not None and not found:
        raise UnknownRecord("version: the record has none of this digest")
    held = [each for each in found if each.state is VersionState.HELD]
    if not held:
        raise Conflict("version: it is not held back")
    return held[-1]
