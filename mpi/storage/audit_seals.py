"""The seals behind the audit trail, and the index of who was seen that is derived with them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from mpi.domain.identifiers import RecordKey
from mpi.storage.audit import AuditEvent, event_from_row
from mpi.storage.prepared import PreparedQuery
from mpi.storage.tables import audit_event, source_record
from mpi.storage.trust_tables import audit_seal, audit_sighting
from mpi.storage.unit_of_work import BULK_LOCK, UnitOfWork

SEALING_LOCK: Final = 7_305_170
"""Advisory lock of PostgreSQL: one seals at a time."""
WRITERS_FINISH_WITHIN_S: Final = 1.0
"""Seconds that a sealer waits for writers who were at work when it began."""
_POLL_S: Final = 0.01
_KEYS_MAX: Final = 200

EventRow = tuple[Any, ...]
"""Nine values: number, action, actor, purpose, person id, record number, request id, detail (JSON),
and the instant in microseconds since 1970. A digest covers all but the number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """One link of the chain, over the events `first_event`..`last_event`.

    `number` is 0 until the store has given one.
    """

    number: int
    first_event: int
    last_event: int
    leaves: bytes
    """40 bytes an event, in order: its number (8, big-endian) and the SHA-256 of its content."""
    root: str
    """64 hexadecimal digits: the Merkle root of the leaves."""
    chain: str
    """64 hexadecimal digits of SHA-256 over the chain before, the range and the root."""


def try_to_seal_alone(unit: UnitOfWork) -> bool:
    """Whether nobody else seals until this unit, which must write, ends; waits for nobody."""
    if unit.is_sqlite:
        return True
    lock = f"SELECT pg_try_advisory_xact_lock({SEALING_LOCK})"
    return bool(unit.connection.exec_driver_sql(lock).scalar_one())


def find_settled_event(unit: UnitOfWork) -> int:
    """The largest event number below which none can still appear; 0 if that cannot be told now.

    On PostgreSQL a number is given before its transaction ends, so a smaller one could follow a
    larger one. Every writer holds a shared lock, so those that could still add one are known; they
    are waited for at most `WRITERS_FINISH_WITHIN_S` seconds.
    """
    last = unit.connection.execute(_LAST_EVENT).scalar_one()
    if unit.is_sqlite:
        return int(last)
    writers, deadline = _writers(unit), time.monotonic() + WRITERS_FINISH_WITHIN_S
    while writers:
        if time.monotonic() > deadline:
            return 0
        time.sleep(_POLL_S)
        writers &= _writers(unit)
    return int(last)


def find_last_seal(unit: UnitOfWork) -> Seal | None:
    """The newest seal; None before the first."""
    row = unit.first(_LAST_SEAL)
    return _seal(row) if row else None


def list_seals(unit: UnitOfWork, *, after: int, limit: int) -> list[Seal]:
    """Seals in order of number, those after the number `after`; at most `limit`."""
    return [_seal(row) for row in unit.rows(_SEALS, after=after, most=limit)]


def list_event_rows(unit: UnitOfWork, *, after: int, last: int, limit: int) -> list[EventRow]:
    """Events in order of number, as their digests are made from them; at most `limit`.

    Args:
        unit: Where to look.
        after: Events above this number.
        last: Events up to this number.
        limit: Rows to give.
    """
    given = {"after": after, "last": last, "most": limit}
    return unit.driver_rows(_EVENT_ROWS[unit.is_sqlite], given)


def add_seal(unit: UnitOfWork, seal: Seal, *, at: datetime) -> None:
    """Append a seal; its number is given by the store.

    Raises:
        Conflict: If another sealed the same events meanwhile; told when the unit ends, see
            `storage_failures`.
    """
    row = {
        "first_event": seal.first_event,
        "last_event": seal.last_event,
        "leaves": seal.leaves,
        "root": seal.root,
        "chain": seal.chain,
        "sealed_at": at,
    }
    unit.connection.execute(sa.insert(audit_seal), [row])


def add_sightings(unit: UnitOfWork, rows: Sequence[EventRow]) -> None:
    """Note which records the events showed, so that who saw one is found at once.

    Args:
        unit: Where to write.
        rows: Rows of `list_event_rows` that are sealed in this unit; each event once for ever.
    """
    seen = {row[0]: _keys_seen(row[7]) for row in rows}
    numbers = _record_numbers(unit, {key for keys in seen.values() for key in keys})
    sighted = {
        (numbers[key], event) for event, keys in seen.items() for key in keys & numbers.keys()
    }
    sighted |= {(row[5], row[0]) for row in rows if row[5] is not None}
    if sighted:
        added = [{"record": record, "event": event} for record, event in sorted(sighted)]
        unit.connection.execute(sa.insert(audit_sighting), added)


def list_events_seeing(unit: UnitOfWork, records: Sequence[int], *, limit: int) -> list[AuditEvent]:
    """The events that showed one of these records, by number, the latest first; at most `limit`.

    Only events that are sealed are indexed.
    """
    found = unit.rows(_SEEING, records=list(records), most=limit)
    return [event_from_row(row) for row in found]


def count_unsealed(unit: UnitOfWork, *, after: int) -> tuple[int, datetime | None]:
    """How many events wait for a seal, and since when the oldest does; None if none waits.

    Args:
        unit: Where to look.
        after: Number of the last event that is sealed.
    """
    row = unit.first(_UNSEALED, after=after)
    return (row[0], row[1]) if row else (0, None)


def _writers(unit: UnitOfWork) -> set[str]:
    return set(unit.connection.exec_driver_sql(_WRITERS).scalars())


def _seal(row: Any) -> Seal:
    return Seal(
        number=row.number,
        first_event=row.first_event,
        last_event=row.last_event,
        leaves=bytes(row.leaves),
        root=row.root,
        chain=row.chain,
    )


def _keys_seen(detail: str) -> set[RecordKey]:
    if '"seen"' not in detail:
        return set()
    seen: Mapping[str, str] = orjson.loads(detail).get("seen", {})
    return {RecordKey(*key.split(":", 1)) for key in seen}


def _record_numbers(unit: UnitOfWork, keys: Iterable[RecordKey]) -> dict[RecordKey, int]:
    # Source by source: for a list of pairs SQLite would read the whole index.
    wanted: dict[str, list[str]] = defaultdict(list)
    for source, local_id in sorted(keys):
        wanted[source].append(local_id)
    numbers: dict[RecordKey, int] = {}
    for source, local_ids in wanted.items():
        for start in range(0, len(local_ids), _KEYS_MAX):
            chunk = local_ids[start : start + _KEYS_MAX]
            rows = _NUMBERS.rows(unit, chunk, source=source)
            numbers |= {RecordKey(source, local_id): number for number, local_id in rows}
    return numbers


_LAST_EVENT: Final = sa.select(sa.func.coalesce(sa.func.max(audit_event.c.number), 0))
_LAST_SEAL: Final = sa.select(audit_seal).order_by(audit_seal.c.number.desc()).limit(1)
_SEALS: Final = (
    sa.select(audit_seal)
    .where(audit_seal.c.number > sa.bindparam("after"))
    .order_by(audit_seal.c.number)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_WRITERS: Final = f"""
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'advisory' AND objid = {BULK_LOCK} AND granted AND pid <> pg_backend_pid()
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_CONTENT: Final = "number, action, actor, purpose, person_id, record, request_id, detail"
_EVENT_ROWS: Final = {
    True: f"SELECT {_CONTENT}, recorded_at FROM audit_event "
    "WHERE number > :after AND number <= :last ORDER BY number LIMIT :most",
    False: f"SELECT {_CONTENT}, (extract(epoch FROM recorded_at) * 1000000)::bigint "
    "FROM audit_event WHERE number > %(after)s AND number <= %(last)s ORDER BY number "
    "LIMIT %(most)s",
}
_NUMBERS: Final = PreparedQuery(
    sa.select(source_record.c.number, source_record.c.local_id).where(
        source_record.c.source == sa.bindparam("source"),
        source_record.c.local_id.in_(sa.bindparam("local_ids", expanding=True)),
    ),
    list_name="local_ids",
)
_SEEING: Final = (
    sa.select(audit_event)
    .where(
        audit_event.c.number.in_(
            sa.select(audit_sighting.c.event).where(
                audit_sighting.c.record.in_(sa.bindparam("records", expanding=True))
            )
        )
    )
    .order_by(audit_event.c.number.desc())
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_UNSEALED: Final = sa.select(
    sa.func.count(), sa.func.min(audit_event.c.recorded_at, type_=audit_event.c.recorded_at.type)
).where(audit_event.c.number > sa.bindparam("after"))
