"""Questions for stewards: link evidence that was not applied becomes a task, never silence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TaskType(StrEnum):
    """The most serious last: of two questions about the same records, the more serious stays."""

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
    OPEN = "open"
    CLAIMED = "claimed"
    PARKED = "parked"
    DECIDED = "decided"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQuestion:
    """One question, before it has an id: what `partition` leaves open.

    One question stands for all edges between the same two groups; `match_weight_bits` is that of
    the heaviest. For an oversized component `right` is empty.
    """

    type: TaskType
    left: frozenset[int]
    right: frozenset[int]
    match_weight_bits: float
    reason: str
