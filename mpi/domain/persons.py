"""Persons: ids that are never reused, and where one leads that is no longer in use.

A person holds no demographics; its golden record is derived from its source records.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mpi.domain.identifiers import PersonId, RecordKey


class PersonStanding(StrEnum):
    """What an id that was asked for is now."""

    LIVE = "live"
    RETIRED = "retired"
    """Another person holds its records now."""
    CLOSED = "closed"
    """None of its records is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A live person: exactly the records that the current links give it, at least one.

    `created_at` is when the id was given, UTC.
    """

    person_id: PersonId
    records: tuple[RecordKey, ...]
    """In key order."""
    created_at: datetime
    recently_parted_from: tuple[PersonId, ...] = ()
    """Persons that it was one with until a split that no decision caused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonReference:
    """Where an id leads, for whoever kept it: never in a circle, never nowhere."""

    asked: PersonId
    standing: PersonStanding
    current: PersonId | None
    """The id itself if live, the person that holds its records if retired, None if closed."""
    went_to: tuple[PersonId, ...] = ()
    """Of a closed id: the persons that got its records before they were gone."""
