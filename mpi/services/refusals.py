"""Who was turned away and why: attempts belong in the audit trail as much as successes."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from mpi.domain.policy import Principal
from mpi.storage.audit import AuditEvent, add_audit_events
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import writing

UNKNOWN: Final = "unknown"
"""Who has not shown who they are; what they say to be is theirs and goes nowhere."""


def audit_refusal(
    store: Store,
    principal: Principal | None,
    *,
    reason: str,
    route: str,
    request_id: str,
    at: datetime,
) -> None:
    """Record that a request was refused.

    Args:
        store: Holds the trail.
        principal: Who asked, if that was shown.
        reason: The sentence of the refusal, which holds no value.
        route: Method and template of the path.
        request_id: Of the request.
        at: The present instant.

    Raises:
        StorageUnavailable: If the trail cannot be written now.
    """
    detail = {"reason": reason, "route": route}
    if principal:
        detail["organisation"] = principal.organisation
    event = AuditEvent(
        action="refused",
        actor=principal.client_id if principal else UNKNOWN,
        purpose=UNKNOWN,
        request_id=request_id,
        recorded_at=at,
        detail=detail,
    )
    with writing(store) as unit:
        add_audit_events(unit, [event])
