"""Persons as stored: their golden records, and where ids that are no longer in use lead."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
import sqlalchemy as sa

from mpi.domain.identifiers import PERSON_ID_RANDOM_BYTES, PersonId, person_id_from_bytes
from mpi.domain.tasks import TaskType
from mpi.errors import UnknownPerson
from mpi.limits import CANDIDATES_MAX, PAGE_ITEMS_MAX
from mpi.storage.prepared import PreparedQuery, Row, insert_into, update_of
from mpi.storage.tables import (
    PersonState,
    home,
    link,
    person,
    source_record,
    task,
    task_record,
)
from mpi.storage.unit_of_work import UnitOfWork


def new_person_id() -> PersonId:
    """An id that no person ever had: 60 random bits, checked again by the store's unique key."""
    return person_id_from_bytes(secrets.token_bytes(PERSON_ID_RANDOM_BYTES))


@dataclass(frozen=True, slots=True)
class PersonRow:
    """What a writer needs to know of a person that may change."""

    number: int
    """Its age: the smaller is older."""
    state: PersonState
    redirect: PersonId | None
    """Of a retired person: who holds its records."""
    golden_digest: str | None
    """`content_digest` of its golden record; None unless live."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPerson:
    """A person, live or not; `created_at` is when the id was given, UTC."""

    person_id: PersonId
    state: PersonState
    golden: dict[str, Any] | None
    """The golden record as its JSON has it; None unless live."""
    created_at: datetime


def find_person(unit: UnitOfWork, person_id: PersonId) -> StoredPerson | None:
    """The person of this id, live or not; None if nobody ever had it."""
    row = _BY_ID.first(unit, person_id=person_id)
    return _person(row) if row else None


def get_person(unit: UnitOfWork, person_id: PersonId) -> StoredPerson:
    """The person of this id, live or not. Raises UnknownPerson."""
    found = find_person(unit, person_id)
    if found is None:
        raise UnknownPerson("person_id: no person ever had this id")
    return found


def list_persons(unit: UnitOfWork, person_ids: Sequence[PersonId]) -> dict[PersonId, StoredPerson]:
    """Persons by id, live or not; ids that nobody ever had are left out.

    Args:
        unit: Where to look.
        person_ids: At most `PAGE_ITEMS_MAX`, else AssertionError.
    """
    assert len(person_ids) <= PAGE_ITEMS_MAX, "a list of persons is bounded"
    found = map(_person, _BY_IDS.rows(unit, person_ids))
    return {person.person_id: person for person in found}


def list_holders(unit: UnitOfWork, person_id: PersonId) -> list[PersonId]:
    """Who holds the records whose home, or remembered id, this is: most records first, then oldest.

    Where an id that is not in use leads; empty if none of its records is live. At most
    `PAGE_ITEMS_MAX`.
    """
    return [row.person_id for row in unit.rows(_HOLDERS, person_id=person_id)]


def list_successors(unit: UnitOfWork, person_id: PersonId) -> list[PersonId]:
    """The persons that now hold records once linked to this one: where a closed person's went.

    By id, at most `PAGE_ITEMS_MAX`; empty if none of those records is live.
    """
    return [row.person_id for row in unit.rows(_SUCCESSORS, person_id=person_id)]


def list_parted(
    unit: UnitOfWork, person_ids: Sequence[PersonId]
) -> dict[PersonId, tuple[PersonId, ...]]:
    """Person -> those it was one with until a split about which a task is open, by id.

    Persons without such a task are left out.
    """
    found: dict[PersonId, set[PersonId]] = {}
    for person_id, other in _PARTED.rows(unit, person_ids):
        found.setdefault(person_id, set()).add(other)
    return {person_id: tuple(sorted(others)) for person_id, others in found.items()}


def list_person_rows(unit: UnitOfWork, ids: Collection[PersonId]) -> dict[PersonId, PersonRow]:
    """Those of these ids that were ever given, live or not, by id; others are left out."""
    found = {}
    for person_id, number, state, redirect, digest in _ROWS.rows(unit, sorted(ids)):
        found[person_id] = PersonRow(number, PersonState(state), redirect, digest)
    return found


def add_person(unit: UnitOfWork, person_id: PersonId, *, at: datetime) -> None:
    """Give an id; what it holds is said by `set_live` or `set_out_of_use`.

    Raises:
        Conflict: If it was given before; told when the unit ends.
    """
    _ADD.run(unit, id=person_id, state=str(PersonState.CLOSED), created_at=at)


def set_live(unit: UnitOfWork, person_id: PersonId, golden: str, golden_digest: str) -> None:
    """The id is in use, with this golden record.

    Args:
        unit: Where to write.
        person_id: An id that was given.
        golden: Canonical JSON of `GoldenRecord.to_dict`.
        golden_digest: Its `content_digest`.
    """
    _SET.run(
        unit,
        its_id=person_id,
        state=str(PersonState.LIVE),
        redirect=None,
        golden=golden,
        golden_digest=golden_digest,
    )


def set_out_of_use(unit: UnitOfWork, person_id: PersonId, redirect: PersonId | None) -> None:
    """The id is not in use: `redirect` holds its records, or, if None, none of them is left."""
    _SET.run(
        unit,
        its_id=person_id,
        state=str(PersonState.RETIRED if redirect else PersonState.CLOSED),
        redirect=redirect,
        golden=None,
        golden_digest=None,
    )


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
_ROWS: Final = PreparedQuery(
    sa.select(
        person.c.id, person.c.number, person.c.state, person.c.redirect, person.c.golden_digest
    ).where(person.c.id.in_(sa.bindparam("ids", expanding=True))),
    list_name="ids",
)
_mine, _theirs = task_record.alias("mine"), task_record.alias("theirs")
_their_link: Final = link.alias("their_link")
_PARTED: Final = PreparedQuery(
    # From a person's few records to their few tasks: no open split costs one look-up a record.
    sa.select(link.c.person_id, _their_link.c.person_id)
    .join(_mine, _mine.c.record == link.c.record)
    .join(task, task.c.number == _mine.c.task)
    .join(_theirs, sa.and_(_theirs.c.task == task.c.number, _theirs.c.is_left != _mine.c.is_left))
    .join(
        _their_link,
        sa.and_(_their_link.c.record == _theirs.c.record, _their_link.c.valid_to.is_(None)),
    )
    .where(
        link.c.person_id.in_(sa.bindparam("person_ids", expanding=True)),
        link.c.valid_to.is_(None),
        task.c.closed_at.is_(None),
        task.c.type == str(TaskType.UNEXPLAINED_SPLIT),
        _their_link.c.person_id != link.c.person_id,
    )
    .distinct()
    .limit(CANDIDATES_MAX),
    list_name="person_ids",
)
_ADD: Final = insert_into(person, "id", "state", "created_at")
_SET: Final = update_of(person, "state", "redirect", "golden", "golden_digest", by="id")


def _living_on(records: sa.Select[tuple[int]]) -> sa.CTE:
    """These records and, where their source merged them, the records that they live on in."""
    living = records.cte("living", recursive=True)
    into = sa.select(source_record.c.merged_into).join(
        living, source_record.c.number == living.c.record
    )
    return living.union(into.where(source_record.c.merged_into.is_not(None)))


_asked: Final[sa.BindParameter[str]] = sa.bindparam("person_id")
_homed: Final = _living_on(
    sa.select(home.c.record).where(sa.or_(home.c.home_id == _asked, home.c.remembered_id == _asked))
)
_HOLDERS: Final = (
    sa.select(link.c.person_id)
    .join(_homed, sa.and_(_homed.c.record == link.c.record, link.c.valid_to.is_(None)))
    .join(person, person.c.id == link.c.person_id)
    .group_by(link.c.person_id, person.c.number)
    .order_by(sa.func.count().desc(), person.c.number)
    .limit(PAGE_ITEMS_MAX)
)
_once_linked: Final = _living_on(sa.select(link.c.record).where(link.c.person_id == _asked))
_SUCCESSORS: Final = (
    sa.select(link.c.person_id)
    .join(_once_linked, _once_linked.c.record == link.c.record)
    .where(link.c.valid_to.is_(None), link.c.person_id != _asked)
    .group_by(link.c.person_id)
    .order_by(link.c.person_id)
    .limit(PAGE_ITEMS_MAX)
)
