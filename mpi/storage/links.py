"""Links as stored: which records a person has, and whose a record was, now and at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from mpi.domain.identifiers import PersonId, RecordKey
from mpi.domain.links import Link, LinkOrigin
from mpi.limits import CANDIDATES_MAX
from mpi.storage.prepared import insert_into, update_of
from mpi.storage.tables import link, model_release, source_record
from mpi.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A link with the number of its record; `number` is the record's."""

    number: int
    link: Link


def list_links(
    unit: UnitOfWork, person_id: PersonId, *, at: datetime | None = None
) -> list[StoredLink]:
    """The links of a person, now or at an instant (UTC), by source and local id.

    Empty for an id that has, or had then, no record; at most `CANDIDATES_MAX`.
    """
    return list_links_of(unit, [person_id], at=at)


def list_links_of(
    unit: UnitOfWork, person_ids: Sequence[PersonId], *, at: datetime | None = None
) -> list[StoredLink]:
    """The links of several persons together, ordered as `list_links`; at most `CANDIDATES_MAX`."""
    wanted = {"person_ids": list(person_ids)}
    if at is None:
        return [_link(row) for row in unit.rows(_OPEN, **wanted)]
    return [_link(row) for row in unit.rows(_IN_FORCE, at=at, **wanted)]


def find_link(unit: UnitOfWork, record: int, *, at: datetime) -> StoredLink | None:
    """The link of a record that was in force at an instant (UTC); None if it had none."""
    row = unit.first(_OF_RECORD, record=record, at=at)
    return row and _link(row)


def list_links_ever(
    unit: UnitOfWork, *, person_id: PersonId | None = None, record: int | None = None
) -> list[StoredLink]:
    """Every link that a person, or a record, ever had, the oldest first; at most `CANDIDATES_MAX`.

    Args:
        unit: Where to look.
        person_id: Whose links, if no record is named.
        record: Its number.
    """
    if record is not None:
        return [_link(row) for row in unit.rows(_EVER_OF_RECORD, record=record)]
    return [_link(row) for row in unit.rows(_EVER_OF_PERSON, person_id=person_id)]


def open_link(
    unit: UnitOfWork,
    record: int,
    person_id: PersonId,
    *,
    origin: LinkOrigin,
    match_weight_bits: float | None,
    model: int,
    at: datetime,
) -> None:
    """From now on the record belongs to this person; it must belong to nobody.

    Args:
        unit: Where to write.
        record: Its number.
        person_id: Of a person that is stored.
        origin: Who says so.
        match_weight_bits: Bits of its heaviest edge to another record of the person, if any.
        model: The store's number of the release in force.
        at: From when on.
    """
    _ADD.run(
        unit,
        record=record,
        person_id=person_id,
        origin=str(origin),
        match_weight_bits=match_weight_bits,
        model=model,
        valid_from=at,
    )


def latest_start(unit: UnitOfWork, numbers: Sequence[int]) -> datetime:
    """When (UTC) the youngest of these links, at least one, came into force; by link numbers."""
    starts: list[datetime] = [row.valid_from for row in unit.rows(_STARTS, numbers=list(numbers))]
    return max(starts)


def close_link(unit: UnitOfWork, number: int, *, at: datetime) -> None:
    """The link of this number holds until `at`, which must not lie before its start."""
    _CLOSE.run(unit, its_number=number, valid_to=at)


def _link(row: Any) -> StoredLink:
    return StoredLink(
        row.record,
        Link(
            record=RecordKey(row.source, row.local_id),
            person_id=row.person_id,
            origin=LinkOrigin(row.origin),
            match_weight_bits=row.match_weight_bits,
            model_digest=row.digest,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
        ),
    )


_LINKS: Final = (
    sa.select(link, source_record.c.source, source_record.c.local_id, model_release.c.digest)
    .join(source_record, source_record.c.number == link.c.record)
    .join(model_release, model_release.c.number == link.c.model)
)
_ORDERED: Final = (
    _LINKS.where(link.c.person_id.in_(sa.bindparam("person_ids", expanding=True)))
    .order_by(source_record.c.source, source_record.c.local_id)
    .limit(CANDIDATES_MAX)
)
_OPEN: Final = _ORDERED.where(link.c.valid_to.is_(None))
_WAS_IN_FORCE: Final = sa.and_(
    link.c.valid_from <= sa.bindparam("at"),
    sa.or_(link.c.valid_to.is_(None), link.c.valid_to > sa.bindparam("at")),
)
_IN_FORCE: Final = _ORDERED.where(_WAS_IN_FORCE)
_OF_RECORD: Final = _LINKS.where(link.c.record == sa.bindparam("record"), _WAS_IN_FORCE)
_EVER: Final = _LINKS.order_by(link.c.valid_from, link.c.number).limit(CANDIDATES_MAX)
_EVER_OF_PERSON: Final = _EVER.where(link.c.person_id == sa.bindparam("person_id"))
_EVER_OF_RECORD: Final = _EVER.where(link.c.record == sa.bindparam("record"))
_STARTS: Final = sa.select(link.c.valid_from).where(
    link.c.number.in_(sa.bindparam("numbers", expanding=True))
)
_ADD: Final = insert_into(
    link, "record", "person_id", "origin", "match_weight_bits", "model", "valid_from"
)
_CLOSE: Final = update_of(link, "valid_to")
