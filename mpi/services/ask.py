"""A question from beginning to end: look up, disclose, audit, and only then answer.

The audit event is durable before the answer leaves: no audit, no answer. On SQLite those who wait
for that share a commit with one another and with whoever writes.
"""

from __future__ import annotations

from collections.abc import Callable

from mpi.clock import Clock
from mpi.errors import NotFound
from mpi.services.disclosure import (
    Disclosable,
    Recipient,
    disclosed,
    disclosure_events,
    person_ids_in,
    seen_in,
)
from mpi.storage.audit import keep_audit_events
from mpi.storage.unit_of_work import UnitOfWork, reading
from mpi.storage.writer import Writer


def ask(
    writer: Writer,
    look_up: Callable[[UnitOfWork], Disclosable],
    *,
    action: str,
    recipient: Recipient,
    clock: Clock,
) -> Disclosable:
    """The answer of a look-up, audited.

    Args:
        writer: Of the store in which to look.
        look_up: One of the look-ups of `mpi.services`, everything but the unit of work given.
        action: Its name in the audit trail.
        recipient: Who asks; what they may not see is taken out.
        clock: For the audit trail.

    Raises:
        NotFound: As the look-up does; that nobody was found is audited too.
        InvalidInput, Conflict: As the look-up does, without a trace.
        StorageUnavailable: If the store cannot be read or the trail not be written: then there is
            no answer.
    """
    try:
        with reading(writer.store) as unit:
            answer = disclosed(look_up(unit), recipient)
    except NotFound:
        keep_audit_events(writer, disclosure_events(action, recipient, [], at=clock.now()))
        raise
    told, seen = person_ids_in(answer), seen_in(answer)
    events = disclosure_events(action, recipient, told, at=clock.now(), seen=seen)
    keep_audit_events(writer, events)
    return answer
