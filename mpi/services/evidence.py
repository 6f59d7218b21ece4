"""What there is to see between two sides when a steward decides, and a digest that names it.

The digest goes out with the question and comes back with the answer: if it is another one by then,
the answer was given on evidence that has changed, and is refused. It has a part for each thing that
can change, so that the refusal can say which did.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from mpi.domain.links import SeenEvidence
from mpi.domain.records import content_digest
from mpi.errors import InvalidInput, StaleVersion
from mpi.linkage.vetoes import find_groups_veto
from mpi.services.linkage_index import LinkageIndex
from mpi.services.world import World
from mpi.storage.records import comparison_to_json

PART_DIGITS: Final = 8
"""Hexadecimal digits for each part of a digest: enough to tell old from new."""


@dataclass(frozen=True, slots=True)
class EvidenceBetween:
    """What speaks for and against two sides being one person.

    `seen` holds the weight (bits) of the heaviest edge between them and the veto, if there are any.
    """

    digest: str
    """32 hexadecimal digits: of what the two sides say, the edges between them and the model; the
    same whichever side is left."""
    seen: SeenEvidence
    is_left_first: bool
    """Whether the digest begins with the left side."""


def require_same_evidence(shown: str | None, now: EvidenceBetween) -> None:
    """Refuse an answer to evidence that is no more.

    Args:
        shown: The digest that the steward's answer names; None if that is not to be checked.
        now: What there is to see.

    Raises:
        InvalidInput: If it is no such digest.
        StaleVersion: If it is another one; the sentence says what has changed.
    """
    if shown in (None, now.digest):
        return
    if len(shown) != len(now.digest):
        raise InvalidInput("evidence_digest: must be as it was shown")
    sides = ["what the left records say", "what the right records say"]
    names = [
        *(sides if now.is_left_first else reversed(sides)),
        "the weights between them",
        "the model",
    ]
    places = range(0, len(now.digest), PART_DIGITS)
    changed = [
        name
        for name, place in zip(names, places, strict=True)
        if shown[place : place + PART_DIGITS] != now.digest[place : place + PART_DIGITS]
    ]
    raise StaleVersion(
        f"evidence_digest: the evidence has changed since it was shown: {', '.join(changed)}"
    )


def evidence_between(
    world: World, index: LinkageIndex, left: Collection[int], right: Collection[int]
) -> EvidenceBetween:
    """The evidence between two sets of records, of which those that live are in the world.

    Args:
        world: Read around both sides.
        index: The model in force.
        left: Record numbers of the one side.
        right: Those of the other; which is left does not matter.
    """
    edges = world.edges_between(left, right)
    heaviest = max((edge.match_weight_bits for edge in edges), default=None)
    disowned = {r for decision in world.decisions.values() for r in decision.disowned_numbers}
    ours, theirs = (
        [(world.records[r].comparison, r in disowned) for r in sorted(side) if r in world.records]
        for side in (left, right)
    )
    veto = find_groups_veto(ours, theirs, index.name_rule) if ours and theirs else None
    is_left_first = min(left, default=0) <= min(right, default=0)
    told = [_told(world, side) for side in ((left, right) if is_left_first else (right, left))]
    texts = [*told, "\n".join(str(tuple(edge)) for edge in edges), index.model.digest]
    digest = "".join(content_digest(text)[:PART_DIGITS] for text in texts)
    return EvidenceBetween(digest, SeenEvidence(heaviest, veto), is_left_first)


def _told(world: World, side: Collection[int]) -> str:
    living = sorted(r for r in side if r in world.records)
    return "\n".join(f"{r} {comparison_to_json(world.records[r].comparison)}" for r in living)
