"""What every act that changes the index has in common: a cause, one transaction, a trail."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from mpi.clock import Clock
from mpi.domain.identifiers import RecordKey
from mpi.services.cause import Cause
from mpi.services.disclosure import Recipient
from mpi.services.foreseen import Foreseen
from mpi.services.linkage_index import LinkageIndex, require_release_in_force
from mpi.services.relink import Relinked, relink
from mpi.services.restate import Restated, restate
from mpi.storage.audit import AuditEvent, add_audit_events
from mpi.storage.locks import Locks
from mpi.storage.unit_of_work import UnitOfWork
from mpi.storage.versions import StoredVersion


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does to the index, before it is known what comes of it.

    `is_explained` says that it states who is who, so that a split needs no question (see `Cause`).
    """

    index: LinkageIndex
    recipient: Recipient
    clock: Clock
    action: str = field(kw_only=True)
    """Its name in the audit trail."""
    reason: str = field(kw_only=True)
    """Its name in events."""
    is_explained: bool = field(default=False, kw_only=True)

    def cause(self, unit: UnitOfWork, *, decision: int | None = None) -> Cause:
        """The cause of what is written in this transaction.

        Args:
            unit: The transaction; it has its own instant.
            decision: Number of the decision that the act takes or retracts, if it is one.

        Raises:
            Unavailable: If the store was linked with another release than the one in use.
        """
        return Cause(
            actor=self.recipient.actor,
            purpose=self.recipient.purpose,
            request_id=self.recipient.request_id,
            reason=self.reason,
            at=self.clock.now(),
            model=require_release_in_force(unit, self.index.model.digest),
            decision=decision,
            is_explained=self.is_explained or decision is not None,
        )


@dataclass(frozen=True, slots=True)
class Carried:
    """What came of an act."""

    restated: Restated
    relinked: Relinked

    @property
    def tasks_opened(self) -> tuple[int, ...]:
        """Numbers of the tasks that it raised, in order."""
        return tuple(sorted(self.relinked.tasks.opened))


def carry_out(
    unit: UnitOfWork,
    locks: Locks,
    act: Act,
    cause: Cause,
    keys: Mapping[int, RecordKey],
    *,
    merged: Mapping[int, int | None] | None = None,
    told: Mapping[int, Sequence[StoredVersion]] | None = None,
    fresh: Collection[int] = (),
    foreseen: Foreseen | None = None,
    seeds: Collection[int] = (),
) -> Carried:
    """Restate these records, relink what that touches, and leave the trail.

    Args:
        unit: Where what was said or decided is written already.
        locks: What is locked.
        act: What is done.
        cause: Stamped on everything.
        keys: Records whose content may have changed: number -> key.
        merged: Those of them that their source has merged -> the record they live on in; None
            takes such a merge back.
        told: Those of them whose versions are at hand -> all of them.
        fresh: Those of them that are new in this transaction.
        foreseen: What the version that was told comes to if it is the only one.
        seeds: Numbers of further records whose links may change.

    Raises:
        MustRetry: If more is touched than was locked; the writer begins again.
    """
    restated = restate(
        unit,
        act.index,
        locks,
        keys,
        merged=merged or {},
        told=told or {},
        fresh=fresh,
        foreseen=foreseen,
        model=cause.model,
        at=cause.at,
    )
    relinked = relink(
        unit,
        act.index,
        locks,
        cause,
        seeds=restated.seeds | set(seeds),
        stated=restated.stated,
        gone=restated.gone,
        held=restated.held,
        known=restated.standing,
    )
    _audit(unit, act, cause, keys, relinked)
    return Carried(restated, relinked)


def _audit(
    unit: UnitOfWork, act: Act, cause: Cause, keys: Collection[int], relinked: Relinked
) -> None:
    """One row for each record that was stated, and one for each other person that was changed."""
    told = [(relinked.person_of.get(record), record) for record in keys]
    named = {person_id for person_id, _ in told}
    decided = {"decision": cause.decision} if cause.decision is not None else {}
    detail = act.recipient.detail | decided
    changed = {*relinked.created, *relinked.merged, *relinked.merged.values()} - named
    add_audit_events(
        unit,
        [
            AuditEvent(
                action=act.action,
                actor=cause.actor,
                purpose=cause.purpose,
                request_id=cause.request_id,
                person_id=person_id,
                record=record,
                recorded_at=cause.at,
                detail=detail,
            )
            for person_id, record in [*told, *((person_id, None) for person_id in sorted(changed))]
        ],
    )
