"""What operators watch: how much waits, and since when. Bounded queries, for every scrape."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from mpi.storage.tables import feed_load, outbox_event, record_version, source_record, task
from mpi.storage.trust_tables import source_heard
from mpi.storage.unit_of_work import UnitOfWork

VERSIONS_AT_ONCE: Final = 20_000
"""Versions that one step of `note_heard` looks at."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A number of things that wait, and since when (UTC) the oldest does; None if none waits."""

    count: int
    since: datetime | None


def count_open_tasks(unit: UnitOfWork) -> dict[str, Waiting]:
    """Tasks that are not closed, by type; types without any are left out."""
    return {row[0]: Waiting(row[1], row[2]) for row in unit.rows(_TASKS)}


def count_unnumbered_events(unit: UnitOfWork) -> Waiting:
    """Events of the feed that nobody can read yet, because they have no sequence number."""
    row = unit.first(_UNNUMBERED)
    return Waiting(row[0], row[1]) if row else Waiting(0, None)


def last_sequence(unit: UnitOfWork) -> int:
    """The place of the newest event of the feed; 0 if it has none."""
    return int(unit.connection.execute(_LAST_SEQUENCE).scalar_one())


def last_heard(unit: UnitOfWork) -> dict[str, datetime]:
    """When (UTC) each source system was last heard of, by a registration or a load.

    Systems that were never heard of are left out. Registrations count once `note_heard` has seen
    them.
    """
    heard: dict[str, datetime] = {}
    for source, at in (*unit.rows(_HEARD), *unit.rows(_LOADED)):
        heard[source] = max(at, heard.get(source, at))
    return heard


def note_heard(unit: UnitOfWork) -> bool:
    """Look at the next versions and note whose they are; whether there may be more."""
    after = unit.connection.execute(_LOOKED_AT).scalar_one()
    upto = unit.connection.execute(_NEXT, {"after": after}).scalar_one()
    for row in unit.rows(_NEWER, after=after, upto=upto or after):
        unit.connection.execute(_FORGET, {"of": row.source})
        unit.connection.execute(sa.insert(source_heard), [row._asdict()])
    return upto is not None


def _oldest(column: sa.Column[Any]) -> Any:
    return sa.func.min(column, type_=column.type)


_TASKS: Final = (
    sa.select(task.c.type, sa.func.count(), _oldest(task.c.opened_at))
    .where(task.c.closed_at.is_(None))
    .group_by(task.c.type)
)
_UNNUMBERED: Final = sa.select(sa.func.count(), _oldest(outbox_event.c.occurred_at)).where(
    outbox_event.c.sequence.is_(None)
)
_LAST_SEQUENCE: Final = sa.select(sa.func.coalesce(sa.func.max(outbox_event.c.sequence), 0))
_HEARD: Final = sa.select(source_heard.c.source, source_heard.c.heard_at)
_LOADED: Final = sa.select(
    feed_load.c.source, sa.func.max(feed_load.c.loaded_at, type_=feed_load.c.loaded_at.type)
).group_by(feed_load.c.source)
_LOOKED_AT: Final = sa.select(sa.func.coalesce(sa.func.max(source_heard.c.version), 0))
_NEXT: Final[sa.Select[tuple[Any]]] = sa.select(sa.func.max(sa.column("number"))).select_from(
    sa.select(record_version.c.number)
    .where(record_version.c.number > sa.bindparam("after"))
    .order_by(record_version.c.number)
    .limit(VERSIONS_AT_ONCE)
    .subquery()
)
_NEWER: Final = (
    sa.select(
        source_record.c.source,
        sa.func.max(record_version.c.number).label("version"),
        sa.func.max(record_version.c.received_at, type_=record_version.c.received_at.type).label(
            "heard_at"
        ),
    )
    .join(source_record, source_record.c.number == record_version.c.record)
    .where(
        record_version.c.number > sa.bindparam("after"),
        record_version.c.number <= sa.bindparam("upto"),
    )
    .group_by(source_record.c.source)
)
_FORGET: Final = sa.delete(source_heard).where(source_heard.c.source == sa.bindparam("of"))
