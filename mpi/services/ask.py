"""A question from beginning to end: look up, disclose, audit, and only then answer.

The audit event is committed before the answer leaves: no audit, no answer.
"""

from __future__ import annotations

from collections.abc import Callable

from mpi.clock import Clock
from mpi.errors import NotFound
from mpi.services.disclosure import (
    Disclosable,
    Recipient,
    audit_disclosure,
    disclosed,
    person_ids_in,
    seen_in,
)
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import UnitOfWork, reading, writing


def ask(
    store: Store,
    look_up: Callable[[UnitOfWork], Disclosable],
    *,
    action: str,
    recipient: Recipient,
    clock: Clock,
) -> Disclosable:
    """The answer of a look-up, audited.

    Args:
        store: Where to look.
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
        with reading(store) as unit:
            answer = disclosed(look_up(unit), recipient)
    except NotFound:
        with writing(store) as unit:
            audit_disclosure(unit, action, recipient, [], at=clock.now())
        raise
    with writing(store) as unit:
        audit_disclosure(
            unit, action, recipient, person_ids_in(answer), at=clock.now(), seen=seen_in(answer)
        )
    return answer
