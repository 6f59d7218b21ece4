"""Edges, links, decisions and the reasons why groups stay apart."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from mpi.domain.identifiers import PersonId, RecordKey

WEIGHT_STEPS_PER_BIT: Final = 1_000_000.0
"""Weights are compared rounded to a millionth of a bit, so that no last bit decides anything."""


def rounded_bits(match_weight_bits: float) -> float:
    """The weight in bits as it meets a threshold or another weight: to a millionth, halves upwards.

    Bulk work writes the same three operations in SQL (`mpi.batch.edges`), where `round` differs.
    """
    return math.floor(match_weight_bits * WEIGHT_STEPS_PER_BIT + 0.5) / WEIGHT_STEPS_PER_BIT


class Edge(NamedTuple):
    """A blocked pair whose rounded weight reaches `review_bits`; the smaller key is left.

    Two records with one trusted number make an edge whatever they weigh, so that partition sees
    them. Keys are record numbers of the store or of the run; nothing depends on which. The weight
    is Fellegi and Sunter's (1969): log2 odds that the two are one human, in bits, prior included.
    """

    left: int
    right: int
    match_weight_bits: float

    def other(self, end: int) -> int:
        """The record at the other end; `end` must be one of the two."""
        return self.right if end == self.left else self.left


class DecisionKind(StrEnum):
    """What a steward can say of two persons, or of a version and those before it."""

    SAME = "same"
    """All the records named are one person's."""
    DIFFERENT = "different"
    """No record of the one side is of the other side's person."""


class VetoReason(StrEnum):
    """Why two groups must not merge; in the order (a) to (e) of docs/ARCHITECTURE.md."""

    DECIDED_DIFFERENT = "decided_different"
    CONFLICTING_NHS_NUMBERS = "conflicting_nhs_numbers"
    CONFLICTING_DEMOGRAPHICS = "conflicting_demographics"
    CONFLICTING_BIRTH_DATES = "conflicting_birth_dates"
    TWINS = "twins"


@dataclass(frozen=True, slots=True)
class SeenEvidence:
    """What there was between the two sides when a steward decided; weights in bits."""

    match_weight_bits: float | None
    """Of the heaviest edge between them; None if there was none."""
    veto: VetoReason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A steward's statement about the records of two persons, in force until retracted."""

    number: int
    """Decisions apply in this order."""
    kind: DecisionKind
    left: frozenset[int]
    """Record numbers of the one person, as the steward saw it; those no longer live are ignored."""
    right: frozenset[int]
    disowned_numbers: frozenset[int] = frozenset()
    """Records whose NHS number this decision calls wrong: untrusted there, for vetoes only."""
    seen: SeenEvidence | None = None
    """If it was recorded, the question is raised again once the evidence changes materially."""


class RefusalReason(StrEnum):
    """Why a link edge was not applied, or why records that are together are asked about."""

    AMBIGUITY = "ambiguity"
    OVERSIZED = "oversized"
    CONTRADICTION = "contradiction"
    EVIDENCE_CHANGED = "evidence_changed"
    """A steward has answered, but on other evidence than there is now."""
    SHARED_NUMBER = "shared_number"
    """Two records that little else connects hold one trusted NHS number."""


class LinkOrigin(StrEnum):
    """Who says that a record belongs to a person."""

    AUTOMATIC = "automatic"
    """The live index, without a decision."""
    BATCH = "batch"
    """Bulk work: a load or a new release."""
    STEWARD = "steward"
    """The live index, carrying out a decision or its retraction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """The statement that a record belongs to a person, for as long as it was in force.

    From `valid_from` on and before `valid_to`, both UTC; a link without an end is in force now.
    """

    record: RecordKey
    person_id: PersonId
    origin: LinkOrigin
    match_weight_bits: float | None
    """Bits of the heaviest edge to another record of the person when linked; None without one."""
    model_digest: str
    valid_from: datetime
    valid_to: datetime | None = None
