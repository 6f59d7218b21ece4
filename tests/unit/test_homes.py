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


def coarser(draw, groups):
    """What *same* decisions make of groups, and *different* ones of those."""
    together = {min(group): draw(st.integers(1, 3)) for group in groups}
    apart = {record: draw(st.integers(1, 3)) for group in groups for record in group}
    made = {}
    for group in groups:
        for record in group:
            made.setdefault((together[min(group)], apart[record]), set()).add(record)
    return list(made.values())


class Store:
    """Homes, memories and ages as a store keeps them between steps."""

    def __init__(self):
        self.homes, self.remembered, self.ages = {}, {}, {}

    def new_id(self):
        made = f"id-{len(self.ages):03}"
        self.ages[made] = len(self.ages)
        return made

    def settle(self, evidence, decided):
        """The ids of the groups with decisions, after a step that changed either."""
        evidence = [frozenset(group) for group in evidence]
        links = [Edge(*link) for link in links_within(evidence)]
        self.homes |= assign_homes(evidence, links, previous=self.homes, new_id=self.new_id)
        groups = [frozenset(group) for group in decided]
        named = name_groups(
            groups,
            homes=self.homes,
            ages=self.ages,
            remembered=self.remembered,
            new_id=self.new_id,
        )
        for group in named:
            self.remembered |= dict.fromkeys(group.remember, group.person_id)
        assert len({group.person_id for group in named}) == len(named)
        return {group.records: group.person_id for group in named}


@given(evidence=partitions(), data=st.data())
@settings(max_examples=EXAMPLES)
def test_retracting_decisions_restores_the_ids(evidence, data):
    store = Store()
    stages = [evidence, *(coarser(data.draw, evidence) for _ in range(3))]
    ids = [store.settle(evidence, stage) for stage in stages]
    for stage, expected in zip(reversed(stages), reversed(ids), strict=True):
        assert store.settle(evidence, stage) == expected


@given(evidence=partitions(records_max=6), data=st.data())
@settings(max_examples=EXAMPLES)
def test_arrivals_between_decision_and_retraction_change_no_earlier_id(evidence, data):
    store = Store()
    before = store.settle(evidence, evidence)
    later = [set(group) for group in evidence]
    store.settle(evidence, coarser(data.draw, evidence))
    for newcomer in range(10, 10 + data.draw(st.integers(1, 4))):
        data.draw(st.sampled_from(later)).add(newcomer)
        store.settle(later, coarser(data.draw, later))
    after = store.settle(later, later)
    ids = {record: person_id for group, person_id in after.items() for record in group}
    assert {group: ids[min(group)] for group in before} == before


def test_two_parts_of_a_group_that_remembers_an_id_do_not_both_take_it():
    homes = dict.fromkeys(range(1, 6), "A")
    ids = ids_of([{1, 2, 3}, {4}, {5}], homes, remembered={4: "R", 5: "R"})
    assert ids[4] == "R"
    assert ids[5] not in ("A", "R")


def test_a_person_united_from_two_without_homes_has_the_older_id():
    homes = dict.fromkeys(range(1, 6), "A")
    ages = {"A": 1, "R": 2, "Q": 3}
    ids = ids_of([{1, 2, 3}, {4, 5}], homes, ages=ages, remembered={4: "Q", 5: "R"})
    assert ids[4] == ids[5] == "R"


@pytest.mark.parametrize("again", range(2))
def test_the_same_groups_keep_their_homes(again):
    groups = [{1, 2}, {3, 4}]
    homes = homes_of(groups, links_within(groups))
    assert homes_of(groups, links_within(groups), homes) == homes
