"""Requests that were carried out: sent again, one gets its first outcome and changes nothing.

Source: the Idempotency-Key HTTP header field, an Internet-Draft of the IETF.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from mpi.errors import Conflict
from mpi.storage.prepared import PreparedQuery, PreparedWrite, insert_into
from mpi.storage.records import canonical_json
from mpi.storage.tables import request_outcome
from mpi.storage.unit_of_work import UnitOfWork

FORGOTTEN_MAX: Final = 1_000
"""Outcomes forgotten in one go, so that nobody who writes waits long for it."""


def find_outcome(
    unit: UnitOfWork, caller: str, request_key: str, request_digest: str
) -> dict[str, Any] | None:
    """What a request with this key was answered, None if there was none.

    Args:
        unit: Where to look.
        caller: Whose key it is: each caller has keys of its own.
        request_key: The caller's name for the request.
        request_digest: Of what is asked; tells the same request from another.

    Raises:
        Conflict: If the key belongs to another request.
    """
    row = _FIND.first(unit, caller=caller, request_key=request_key)
    if row is None:
        return None
    known, outcome = row
    if known != request_digest:
        raise Conflict("idempotency_key: was used for another request")
    answer: dict[str, Any] = orjson.loads(outcome)
    return answer


def keep_outcome(
    unit: UnitOfWork,
    caller: str,
    request_key: str,
    request_digest: str,
    outcome: dict[str, Any],
    *,
    at: datetime,
) -> None:
    """Remember an answer (plain JSON values, ids only) in the transaction that made it true.

    Raises:
        Conflict: If there is one for this key meanwhile; told when the unit ends.
    """
    _KEEP.run(
        unit,
        caller=caller,
        request_key=request_key,
        request_digest=request_digest,
        outcome=canonical_json(outcome),
        recorded_at=at,
    )


def forget_outcomes(unit: UnitOfWork, *, before: datetime) -> None:
    """Forget the oldest outcomes recorded before an instant, at most `FORGOTTEN_MAX` of them."""
    _FORGET.run(unit, before=before, most=FORGOTTEN_MAX)


_FIND: Final = PreparedQuery(
    sa.select(request_outcome.c.request_digest, request_outcome.c.outcome).where(
        request_outcome.c.caller == sa.bindparam("caller"),
        request_outcome.c.request_key == sa.bindparam("request_key"),
    )
)
_KEEP: Final = insert_into(
    request_outcome, "caller", "request_key", "request_digest", "outcome", "recorded_at"
)
_KEY: Final = (request_outcome.c.caller, request_outcome.c.request_key)
_OLD: Final = (
    sa.select(*_KEY)
    .where(
        request_outcome.c.recorded_at
        < sa.bindparam("before", type_=request_outcome.c.recorded_at.type)
    )
    .order_by(request_outcome.c.recorded_at)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_FORGET: Final = PreparedWrite(sa.delete(request_outcome).where(sa.tuple_(*_KEY).in_(_OLD)))
