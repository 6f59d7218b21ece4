"""What stewards do about tasks: claim, park, note and answer them, each with its trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from mpi.clock import Clock
from mpi.domain.identifiers import RecordKey
from mpi.domain.links import DecisionKind
from mpi.domain.records import VersionVerdict
from mpi.errors import InvalidInput
from mpi.services.act import Act
from mpi.services.decide import Proposal, decide
from mpi.services.decided import Decided
from mpi.services.disclosure import Recipient, audit_disclosure
from mpi.services.judge_version import Verdict, judge_version
from mpi.services.linkage_index import LinkageIndex
from mpi.services.restate import record_keys
from mpi.services.review import AnsweredTask, claim_task, note_task, park_task, release_task
from mpi.services.work_list import TaskReply, replies_to
from mpi.storage.locks import Locks
from mpi.storage.tasks import StoredTask, get_task
from mpi.storage.unit_of_work import UnitOfWork, reading
from mpi.storage.writer import Writer

_VERDICTS: Final = {
    TaskReply.CORRECTION: VersionVerdict.CORRECTION,
    TaskReply.ANOTHER_HUMAN: VersionVerdict.ANOTHER_HUMAN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A steward's answer to a task, as the task was shown."""

    task: AnsweredTask
    reply: TaskReply
    reason: str
    evidence_digest: str | None = None
    """As the task showed it; needed with *same* and *different*."""
    version: str | None = None
    """Of an overlay, which version is judged."""
    supersedes: Mapping[str, str] = field(default_factory=dict)
    wrong_numbers: tuple[RecordKey, ...] = ()


def claim(
    writer: Writer, _index: LinkageIndex, number: int, recipient: Recipient, *, clock: Clock
) -> StoredTask:
    """Work on a task for a while; audited.

    Raises:
        UnknownTask, TaskAlreadyDecided, StaleVersion: See `review.claim_task`.
    """
    change = partial(claim_task, number=number, steward=recipient.actor, at=clock.now())
    return _change(writer, "claim_task", number, recipient, clock, change)


def release(
    writer: Writer, _index: LinkageIndex, number: int, recipient: Recipient, *, clock: Clock
) -> StoredTask:
    """Give a task back to the list; audited.

    Raises:
        UnknownTask, TaskAlreadyDecided, StaleVersion: See `review.release_task`.
    """
    change = partial(release_task, number=number, steward=recipient.actor, at=clock.now())
    return _change(writer, "release_task", number, recipient, clock, change)


def park(
    writer: Writer,
    _index: LinkageIndex,
    number: int,
    recipient: Recipient,
    *,
    until: datetime,
    clock: Clock,
) -> StoredTask:
    """Put a task aside; audited.

    Raises:
        InvalidInput, UnknownTask, TaskAlreadyDecided, StaleVersion: See `review.park_task`.
    """
    change = partial(park_task, number=number, steward=recipient.actor, until=until, at=clock.now())
    return _change(writer, "park_task", number, recipient, clock, change)


def note(
    writer: Writer,
    index: LinkageIndex,
    answered: AnsweredTask,
    recipient: Recipient,
    *,
    clock: Clock,
) -> StoredTask:
    """Close a task without a decision; audited.

    Raises:
        UnknownTask, TaskAlreadyDecided, StaleVersion: See `review.note_task`.
    """
    act = Act(index, recipient, clock, action="note_task", reason="noted", is_explained=True)
    return _change(
        writer,
        act.action,
        answered.number,
        recipient,
        clock,
        lambda unit: note_task(unit, answered, act.cause(unit)),
    )


def reply_to_task(
    writer: Writer,
    index: LinkageIndex,
    said: Reply,
    recipient: Recipient,
    *,
    clock: Clock,
    is_preview: bool = False,
) -> Decided:
    """Decide what a task asks, or say what that would do.

    Raises:
        UnknownTask: If there is none of this number.
        InvalidInput: If the task does not ask that, or the evidence's digest is missing; else as
            `decide` and `judge_version`.
        Conflict: If the task or its evidence is not what the steward saw, or a decision in force
            says the opposite.
        Unavailable: If the store cannot be written now, or was linked with another release.
    """
    task, names = _asked(writer, said.task.number)
    if said.reply not in replies_to(task):
        raise InvalidInput("reply: the task asks something else; its `replies` say what")
    if said.reply in _VERDICTS:
        verdict = Verdict(
            record=names[min(task.left)],
            version=said.version,
            verdict=_VERDICTS[said.reply],
            reason=said.reason,
            task=said.task,
        )
        return judge_version(writer, index, verdict, recipient, clock=clock, is_preview=is_preview)
    if said.evidence_digest is None:
        raise InvalidInput("evidence_digest: is missing; the task shows it")
    proposal = Proposal(
        kind=DecisionKind(said.reply),
        left=tuple(names[record] for record in sorted(task.left)),
        right=tuple(names[record] for record in sorted(task.right)),
        reason=said.reason,
        supersedes=said.supersedes,
        wrong_numbers=said.wrong_numbers,
        evidence_digest=said.evidence_digest,
        task=said.task,
    )
    return decide(writer, index, proposal, recipient, clock=clock, is_preview=is_preview)


def _asked(writer: Writer, number: int) -> tuple[StoredTask, dict[int, RecordKey]]:
    with reading(writer.store) as unit:
        task = get_task(unit, number)
        return task, record_keys(unit, task.records)


def _change(
    writer: Writer,
    action: str,
    number: int,
    recipient: Recipient,
    clock: Clock,
    change: Callable[[UnitOfWork], StoredTask],
) -> StoredTask:
    def work(unit: UnitOfWork, _: Locks) -> StoredTask:
        changed = change(unit)
        audit_disclosure(unit, action, recipient, [], at=clock.now(), detail={"task": number})
        return changed

    return writer.run(work)
