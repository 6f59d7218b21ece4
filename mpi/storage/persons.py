"""Persons as stored: their golden records, and where ids that are no longer in use lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from mpi.domain.identifiers import PersonId
from mpi.errors import UnknownPerson
from mpi.limits import PAGE_ITEMS_MAX
from mpi.storage.tables import PersonState, home, link, person
from mpi.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPerson:
    """A person, live or not."""

    person_id: PersonId
    state: PersonState
    golden: dict[str, Any] | None
    """The golden record as its JSON has it; None unless live."""
    created_at: datetime


def find_person(unit: UnitOfWork, person_id: PersonId) -> StoredPerson | None:
    """The person of this id, live or not."""
    row = unit.first(_BY_ID, person_id=person_id)
    return row and _person(row)


def get_person(unit: UnitOfWork, person_id: PersonId) -> StoredPerson:
    """The person of this id, live or not. Raises UnknownPerson."""
    found = find_person(unit, person_id)
    if found is None:
        raise UnknownPerson("person_id: no person ever had this id")
    return found


def list_persons(unit: UnitOfWork, person_ids: Sequence[PersonId]) -> dict[PersonId, StoredPerson]:
    """Persons by id; at most `PAGE_ITEMS_MAX` are asked for."""
    assert len(person_ids) <= PAGE_ITEMS_MAX, "a list of persons is bounded"
    rows = unit.rows(_BY_IDS, person_ids=list(person_ids))
    return {row.id: _person(row) for row in rows}


def list_holders(unit: UnitOfWork, person_id: PersonId) -> list[PersonId]:
    """Who holds the records whose home, or remembered id, this is: most records first, then oldest.

    Where an id that is not in use leads; empty if none of its records is live.
    """
    return [row.person_id for row in unit.rows(_HOLDERS, person_id=person_id)]


def list_successors(unit: UnitOfWork, person_id: PersonId) -> list[PersonId]:
    """The persons that now hold records once linked to this one: where a closed person's went."""
    return [row.person_id for row in unit.rows(_SUCCESSORS, person_id=person_id)]


def _person(row: Any) -> StoredPerson:
    return StoredPerson(
        person_id=row.id,
        state=PersonState(row.state),
        golden=orjson.loads(row.golden) if row.golden else None,
        created_at=row.created_at,
    )


_PERSONS: Final = sa.select(person.c.id, person.c.state, person.c.golden, person.c.created_at)
_BY_ID: Final = _PERSONS.where(person.c.id == sa.bindparam("person_id"))
_BY_IDS: Final = _PERSONS.where(person.c.id.in_(sa.bindparam("person_ids", expanding=True)))
_HOLDERS: Final = (
    sa.select(link.c.person_id)
    .join(home, sa.and_(home.c.record == link.c.record, link.c.valid_to.is_(None)))
    .join(person, person.c.id == link.c.person_id)
    .where(
        sa.or_(
            home.c.home_id == sa.bindparam("person_id"),
            home.c.remembered_id == sa.bindparam("person_id"),
        )
    )
    .group_by(link.c.person_id, person.c.number)
    .order_by(sa.func.count().desc(), person.c.number)
    .limit(PAGE_ITEMS_MAX)
)
_past: Final = link.alias("past")
_SUCCESSORS: Final = (
    sa.select(link.c.person_id)
    .join(_past, sa.and_(_past.c.record == link.c.record, link.c.valid_to.is_(None)))
    .where(_past.c.person_id == sa.bindparam("person_id"))
    .where(link.c.person_id != sa.bindparam("person_id"))
    .group_by(link.c.person_id)
    .order_by(link.c.person_id)
    .limit(PAGE_ITEMS_MAX)
)
