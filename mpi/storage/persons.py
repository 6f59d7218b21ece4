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
from mpi.storage.prepared import PreparedQuery, Row
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
    row = _BY_ID.first(unit, person_id=person_id)
    return _person(row) if row else None


def get_person(unit: UnitOfWork, person_id: PersonId) -> StoredPerson:
    """The person of this id, live or not. Raises UnknownPerson."""
    found = find_person(unit, person_id)
    if found is None:
        raise UnknownPerson("person_id: no person ever had this id")
    return found


def list_persons(unit: UnitOfWork, person_ids: Sequence[PersonId]) -> dict[PersonId, StoredPerson]:
    """Persons by id; at most `PAGE_ITEMS_MAX` are asked for."""
    assert len(person_ids) <= PAGE_ITEMS_MAX, "a list of persons is bounded"
    found = map(_person, _BY_IDS.rows(unit, person_ids))
    return {person.person_id: person for person in found}


def list_holders(unit: UnitOfWork, person_id: PersonId) -> list[PersonId]:
    """Who holds the records whose home, or remembered id, this is: most records first, then oldest.

    Where an id that is not in use leads; empty if none of its records is live.
    """
    return [row.person_id for row in unit.rows(_HOLDERS, person_id=person_id)]


def list_successors(unit: UnitOfWork, person_id: PersonId) -> list[PersonId]:
    """The persons that now hold records once linked to this one: where a closed person's went."""
    return [row.person_id for row in unit.rows(_SUCCESSORS, person_id=person_id)]


def _person(row: Row) -> StoredPerson:
    person_id, state, golden, created_at = row
    return StoredPerson(
        person_id=person_id,
        state=PersonState(state),
        golden=orjson.loads(golden) if golden else None,
        created_at=created_at,
    )


_PERSONS: Final = sa.select(person.c.id, person.c.state, person.c.golden, person.c.created_at)
_BY_ID: Final = PreparedQuery(_PERSONS.where(person.c.id == sa.bindparam("person_id")))
_BY_IDS: Final = PreparedQuery(
    _PERSONS.where(person.c.id.in_(sa.bindparam("person_ids", expanding=True))),
    list_name="person_ids",
)
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
