"""A record against every other that it could be: which are candidates, and what they weigh."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from mpi.domain.links import Edge, rounded_bits
from mpi.domain.records import ComparisonRecord
from mpi.limits import BLOCK_RECORDS_MAX
from mpi.services.linkage_index import LinkageIndex
from mpi.storage.blocking_keys import add_crowded, count_holders, count_shared_keys
from mpi.storage.graph import Candidate, StandingRecord, list_candidates
from mpi.storage.records import comparison_of
from mpi.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Weighed:
    """The edges of one record."""

    is_complete: bool
    """False if it shares a value with so many others that it was not compared by it."""
    edges: dict[tuple[int, int], Edge] = field(default_factory=dict)
    """By pair of record numbers, the smaller first."""
    standing: dict[int, StandingRecord] = field(default_factory=dict)
    """The records at their other ends, as they stand; not those that come back in this unit, on
    which more may hang."""


def weigh_candidates(
    unit: UnitOfWork,
    index: LinkageIndex,
    number: int,
    comparison: ComparisonRecord,
    keys: frozenset[int],
    *,
    neighbours: Collection[int],
    at: datetime,
) -> Weighed:
    """Compare a record with all that share a blocking key with it.

    Args:
        unit: Where to look; a value that has outgrown the limit is noted in it.
        index: The model in force.
        number: Of the record.
        comparison: How it is compared now.
        keys: Its blocking keys, which the store has already.
        neighbours: Records that it has edges with. What was found through a value that is crowded
            now stays: no count ever removes an edge.
        at: The present instant.

    Returns:
        Its edges: pairs of at least `review_bits`, and those that share a trusted NHS number.
    """
    candidates, is_complete = _candidates(unit, number, keys, at)
    found = Weighed(is_complete)
    if not is_complete:
        candidates |= {*neighbours} - {number}
    prepared = index.scorer.prepare(comparison)
    weigh, prepare = index.scorer.weight, index.scorer.prepare_values
    trusted = comparison.trusted_nhs_number
    for candidate in list_candidates(unit, candidates):
        if not is_complete and not _shares_a_key(index, keys, candidate):
            continue
        other, values = candidate.number, candidate.values
        bits = rounded_bits(weigh(prepared, prepare(values)))
        shares_number = trusted is not None and trusted == values.get("trusted_nhs_number")
        if bits >= index.rules.review_bits or shares_number:
            pair = (number, other) if number < other else (other, number)
            found.edges[pair] = Edge(*pair, bits)
            standing = candidate.standing()
            if standing.person_id is not None:
                found.standing[other] = standing
    return found


def _shares_a_key(index: LinkageIndex, keys: frozenset[int], candidate: Candidate) -> bool:
    return not keys.isdisjoint(index.keys_of(comparison_of(candidate.values)))


def _candidates(
    unit: UnitOfWork, number: int, keys: frozenset[int], at: datetime
) -> tuple[set[int], bool]:
    """The records that share a key, and whether all keys found somebody."""
    shared = count_shared_keys(unit, keys)
    if shared.total() > BLOCK_RECORDS_MAX and _note_crowded(unit, keys, at):
        shared = count_shared_keys(unit, keys)
    # The record itself holds all of them, so those that did not find it are crowded.
    return shared.keys() - {number}, shared[number] == len(keys)


def _note_crowded(unit: UnitOfWork, keys: frozenset[int], at: datetime) -> bool:
    """Note those of these keys that have outgrown the limit; gives whether there are any."""
    counts = count_holders(unit, keys)
    crowded = {key: count for key, count in counts.items() if count > BLOCK_RECORDS_MAX}
    for key, records_count in crowded.items():
        add_crowded(unit, key, records_count=records_count, at=at)
    return bool(crowded)
