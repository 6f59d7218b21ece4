"""The naive rules and the product agree on random graphs: groups, homes, ids and memories.

`MPI_GRAPHS=10000` runs as many as issue 3 asks for.
"""

from __future__ import annotations

import os
from itertools import count
from random import Random
from typing import Any

from mpi.domain.identifiers import PersonId
from mpi.linkage.homes import assign_homes, name_groups
from mpi.linkage.partition import partition
from tests.partition_cases import some_world
from tests.reference_partition import reference_groups
from tests.simulation.invariants import check_alike
from tests.simulation.reference_homes import reference_homes, reference_names

GRAPHS = int(os.environ.get("MPI_GRAPHS", "200"))


def test_groups_homes_and_ids_are_those_of_the_naive_rules() -> None:
    for seed in range(GRAPHS):
        random = Random(seed)
        given = count(1)
        homes: dict[int, Any] = {}
        remembered: dict[int, Any] = {}
        ages: dict[Any, int] = {}
        for _ in range(3):
            homes, remembered, ages = step(random, given, homes, remembered, ages)


def step(
    random: Random, given: Any, homes: Any, remembered: Any, ages: Any
) -> tuple[dict[int, Any], dict[int, Any], dict[Any, int]]:
    """One world after another, of much the same records."""

    def new_id() -> PersonId:
        return PersonId(f"id-{next(given)}")

    world = some_world(random)
    records, edges, decisions, rules = world
    groups = frozenset(partition(records, edges, decisions, rules).groups)
    undecided = frozenset(partition(records, edges, (), rules).groups)
    assert groups == reference_groups(records, edges, decisions, rules)
    assert undecided == reference_groups(records, edges, [], rules)
    links = [edge for edge in edges if edge.match_weight_bits >= rules.link_bits]
    previous = {record: home for record, home in homes.items() if record in records}
    kept = {record: name for record, name in remembered.items() if record in records}
    found = assign_homes(undecided, links, previous=previous, new_id=new_id)
    new = {*found.values()} - ages.keys()
    check_alike(reference_homes(undecided, links, previous), found, new=new)
    named = name_groups(groups, homes=found, ages=ages, remembered=kept, new_id=new_id)
    names, memory = reference_names(groups, found, ages, kept)
    stated = {group.records: group.person_id for group in named}
    check_alike(names, stated, new={*stated.values()} - ages.keys() - new)
    recalled = kept | {record: each.person_id for each in named for record in each.remember}
    assert recalled.keys() == memory.keys()
    for name in (*sorted(new), *sorted({*stated.values()} - new)):
        ages.setdefault(name, len(ages))
    return homes | found, remembered | recalled, ages
