"""Identity events: the complete, ordered story of who is who, for those who keep copies.

An event names ids and reasons and never demographics: who receives it may not be allowed to see
those, and the change feed is kept for years.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from mpi.domain.identifiers import PersonId, RecordKey


class EventType(StrEnum):
    """What can happen to a person, a record's link or a task; the text is what followers get."""

    CREATED = "created"
    """A person lives for the first time."""
    LINKED = "linked"
    """`record` belongs to `person_id` from now on."""
    UNLINKED = "unlinked"
    """`record` belongs to `person_id` no longer; `other_person_id`, if there is one, has it now."""
    MERGED = "merged"
    """`other_person_id` is the survivor."""
    SPLIT = "split"
    """`other_person_id` is the person that the parted records went to."""
    RETIRED = "retired"
    """None of the person's records is left."""
    RESTORED = "restored"
    """A retired id is in use again, because what retired it was undone."""
    GOLDEN_CHANGED = "golden_changed"
    """Read the person again to learn how."""
    HELD = "held"
    """A version contradicts the one before it and waits for a steward."""
    TASK_OPENED = "task_opened"
    TASK_CLOSED = "task_closed"
    """A steward has answered it or taken note."""
    TASK_WITHDRAWN = "task_withdrawn"
    """New evidence has settled it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityEvent:
    """One thing that happened; appended in the transaction that made it happen.

    `occurred_at` is in UTC; which of the ids are given follows from the type.
    """

    type: EventType
    occurred_at: datetime
    actor: str
    """The source system, steward or batch run that caused it."""
    reason: str
    """Why, in a word or code: never a demographic value."""
    person_id: PersonId | None = None
    other_person_id: PersonId | None = None
    record: RecordKey | None = None
    task: int | None = None
    decision: int | None = None
    """The decision that caused it; None if the evidence did."""
    model_digest: str | None = None
    sequence: int | None = None
    """Place in the change feed, without gaps; None until it is published."""
