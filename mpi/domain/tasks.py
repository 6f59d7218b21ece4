"""Questions for stewards: link evidence that was not applied becomes a task, never silence."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum


class TaskType(StrEnum):
    """What is asked, the most serious last: of two about the same records the graver stays."""

    POSSIBLE_LINK = "possible_link"
    POSSIBLE_MERGE = "possible_merge"
    DUPLICATE_WITHIN_SOURCE = "duplicate_within_source"
    AMBIGUITY = "ambiguity"
    BLOCKED_BY_VETO = "blocked_by_veto"
    NHS_NUMBER_CLASH = "nhs_number_clash"
    OVERSIZED_COMPONENT = "oversized_component"
    CONTRADICTING_DECISIONS = "contradicting_decisions"
    UNEXPLAINED_SPLIT = "unexplained_split"
    OVERLAY = "overlay"


class TaskState(StrEnum):
    """Open -> claimed or parked -> decided; or withdrawn."""

    OPEN = "open"
    CLAIMED = "claimed"
    """A steward works on it until a lease ends."""
    PARKED = "parked"
    """Put aside until an instant."""
    DECIDED = "decided"
    """Answered, or noted without a decision."""
    WITHDRAWN = "withdrawn"
    """Settled by new evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuestion:
    """One question, before it has an id: what `partition` leaves open.

    `left` and `right` are record numbers, none in both. One question stands for all edges between
    the same two groups; `match_weight_bits` is that of the heaviest, 0 where no edge asks. For an
    oversized component and an overlay `right` is empty. `reason` is a code, never a value.
    """

    type: TaskType
    left: frozenset[int]
    right: frozenset[int]
    match_weight_bits: float
    reason: str
    versions: frozenset[str] = frozenset()
    """Digests of the versions held back that an overlay is about."""


_MOST_URGENT = 100
_TYPES = tuple(TaskType)


def question_digest(question: TaskQuestion) -> str:
    """32 hexadecimal digits (BLAKE2b) that name the question: its type and what it is about.

    The same whichever side is left, and whatever the weight and the reason.
    """
    sides = sorted(sorted(side) for side in (question.left, question.right))
    named = f"{question.type}{sides}{sorted(question.versions) or ''}"
    return hashlib.blake2b(named.encode(), digest_size=16).hexdigest()


def priority(question: TaskQuestion) -> int:
    """0 (can wait) to 99: the seriousness of the type first, then the weight of the evidence.

    Each type has a range of its own, equally wide; within it one more bit is one more step.
    """
    step = _MOST_URGENT // len(_TYPES)
    by_weight = min(max(question.match_weight_bits, 0.0), float(step - 1))
    return _TYPES.index(question.type) * step + int(by_weight)
