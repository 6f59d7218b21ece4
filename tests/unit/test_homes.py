"""Person ids last: they follow the evidence, and a retracted decision gives back the same ids."""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.domain.links import Edge
from mpi.linkage.homes import assign_homes, name_groups
from tests.strategies import EXAMPLES


def new_ids(prefix="new"):
    numbers = count(1)
    return lambda: f"{prefix}-{next(numbers)}"


def homes_of(groups, links=(), previous=None):
    return assign_homes(
        [frozenset(group) for group in groups],
        [Edge(*link) for link in links],
        previous=previous or {},
        new_id=new_ids(),
    )


def ids_of(groups, homes, *, ages=None, remembered=None):
    named = name_groups(
        [frozenset(group) for group in groups],
        homes=homes,
        ages=ages or {},
        remembered=remembered or {},
        new_id=new_ids("made"),
    )
    return {record: group.person_id for group in named for record in group.records}


def test_a_group_of_newcomers_shares_one_new_home():
    homes = homes_of([{1, 2}, {3}], [(1, 2, 20.0)])
    assert homes[1] == homes[2] != homes[3]


def test_a_newcomer_inherits_the_home_of_its_strongest_neighbour():
    homes = homes_of([{1, 2, 3}], [(1, 3, 12.0), (2, 3, 15.0)], {1: "A", 2: "B"})
    assert homes == {1: "A", 2: "B", 3: "B"}


def test_a_home_is_passed_on_through_newcomers():
    homes = homes_of([{1, 2, 3}], [(1, 2, 12.0), (2, 3, 30.0)], {1: "A"})
    assert homes == {1: "A", 2: "A", 3: "A"}


def test_of_equal_links_the_record_registered_first_gives_its_home():
    homes = homes_of([{1, 2, 3}], [(1, 3, 12.0), (2, 3, 12.0)], {1: "B", 2: "A"})
    assert homes[3] == "B"


def test_the_larger_part_of_a_home_keeps_it():
    homes = homes_of([{1}, {2, 3}], [(2, 3, 12.0)], {1: "A", 2: "A", 3: "A"})
    assert homes[2] == homes[3] == "A"
    assert homes[1] not in ("A", None)


def test_of_equal_parts_the_one_registered_first_keeps_the_home():
    homes = homes_of([{2}, {1}], [], {1: "A", 2: "A"})
    assert homes[1] == "A"
    assert homes[2] != "A"


def test_a_person_has_the_oldest_home_that_its_group_owns():
    ids = ids_of([{1, 2}], {1: "B", 2: "A"}, ages={"A": 1, "B": 2})
    assert set(ids.values()) == {"A"}


def test_a_group_without_a_home_takes_the_id_remembered_for_it():
    homes = {1: "A", 2: "A", 3: "A"}
    ids = ids_of([{1, 2}, {3}], homes, ages={"A": 1}, remembered={3: "R"})
    assert ids == {1: "A", 2: "A", 3: "R"}


@st.composite
def partitions(draw, records_max=8):
    records = range(1, draw(st.integers(1, records_max)) + 1)
    names = {record: draw(st.integers(1, 4)) for record in records}
    return [{r for r in records if names[r] == name} for name in sorted(set(names.values()))]


def links_within(groups):
    """A chain through each group: what merged it."""
    return [
        (left, right, 10.0 + left)
        for group in groups
        for left, right in zip(sorted(group), sorted(group)[1:], strict=False)
    ]


@given(first=partitions(), second=partitions())
@settings(max_examples=EXAMPLES)
def test_every_record_has_a_home_and_no_home_is_owned_twice(first, second):
    homes = homes_of(first, links_within(first))
    after = homes_of(second, links_within(second), {r: f"old-{h}" for r, h in homes.items()})
    assert after.keys() == {record for group in second for record in group}
    ids = ids_of(second, after)
    for group in second:
        assert len({ids[record] for record in group}) == 1
    assert len({ids[min(group)] for group in second}) == len(second)


@given(evidence=partitions(), decided=partitions())
@settings(max_examples=EXAMPLES)
def test_retracting_a_decision_restores_the_ids(evidence, decided):
    homes = homes_of(evidence, links_within(evidence))
    ages = {home: number for number, home in enumerate(sorted(set(homes.values())))}
    before = ids_of(evidence, homes, ages=ages)
    ids_of(decided, {r: homes.get(r, "none") for group in decided for r in group}, ages=ages)
    again = homes_of(evidence, links_within(evidence), homes)
    assert ids_of(evidence, again, ages=ages) == before


@pytest.mark.parametrize("again", range(2))
def test_the_same_groups_keep_their_homes(again):
    groups = [{1, 2}, {3, 4}]
    homes = homes_of(groups, links_within(groups))
    assert homes_of(groups, links_within(groups), homes) == homes
