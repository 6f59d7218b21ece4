"""What there is to see between two sides when a steward decides, and a digest that names it.

The digest goes out with the question and comes back with the answer: if it is another one by then,
the answer was given on evidence that has changed, and is refused.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mpi.domain.links import SeenEvidence
from mpi.domain.records import content_digest
from mpi.linkage.vetoes import find_groups_veto
from mpi.services.linkage_index import LinkageIndex
from mpi.services.world import World
from mpi.storage.records import comparison_to_json


@dataclass(frozen=True, slots=True)
class EvidenceBetween:
    """What speaks for and against two sides being one person."""

    digest: str
    """32 hexadecimal digits; of the records' content, the edges between them and the model."""
    seen: SeenEvidence


def evidence_between(
    world: World, index: LinkageIndex, left: Collection[int], right: Collection[int]
) -> EvidenceBetween:
    """The evidence between two sets of records, of which those that live are in the world."""
    edges = sorted(
        edge
        for edge in world.edges.values()
        if (edge.left in left and edge.right in right)
        or (edge.left in right and edge.right in left)
    )
    heaviest = max((edge.match_weight_bits for edge in edges), default=None)
    disowned = {r for decision in world.decisions.values() for r in decision.disowned_numbers}
    ours, theirs = (
        [(world.records[r].comparison, r in disowned) for r in sorted(side) if r in world.records]
        for side in (left, right)
    )
    veto = find_groups_veto(ours, theirs, index.name_rule) if ours and theirs else None
    told = [
        f"{r} {comparison_to_json(world.records[r].comparison)}"
        for r in sorted({*left, *right})
        if r in world.records
    ]
    text = "\n".join([index.model.digest, *told, *(str(tuple(edge)) for edge in edges)])
    return EvidenceBetween(content_digest(text), SeenEvidence(heaviest, veto))
