"""Groups follow from the evidence and the decisions alone, and a serious doubt keeps people apart.

The rules are held by an independent re-implementation (`tests/reference_partition.py`); what they
promise to stewards and clinicians is stated here once more as properties.
"""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.domain.links import Decision, DecisionKind, Edge, SeenEvidence
from mpi.domain.tasks import TaskType
from mpi.linkage.partition import is_clean, partition
from tests.partition_cases import RULES, SMALL_RULES, known, some_world
from tests.reference_partition import reference_groups
from tests.strategies import EXAMPLES

randoms = st.randoms(use_true_random=False)
examples = settings(max_examples=EXAMPLES, deadline=None)


def groups_of(world):
    return frozenset(partition(*world).groups)


def renamed(world, names):
    def sides(records):
        return frozenset(names.get(record, record + 10_000) for record in records)

    return world._replace(
        records={names[number]: record for number, record in world.records.items()},
        edges=[
            Edge(*sorted((names[left], names[right])), weight)
            for left, right, weight in world.edges
        ],
        decisions=[
            replace(
                decision,
                left=sides(decision.left),
                right=sides(decision.right),
                disowned_numbers=sides(decision.disowned_numbers),
            )
            for decision in world.decisions
        ],
    )


def linked_set(numbers, weight=12.0):
    return [Edge(left, right, weight) for left in numbers for right in numbers if left < right]


def different(left, right, number=1):
    return Decision(
        number=number,
        kind=DecisionKind.DIFFERENT,
        left=frozenset(left),
        right=frozenset(right),
    )


def same(left, right, number=1, disowned=()):
    return Decision(
        number=number,
        kind=DecisionKind.SAME,
        left=frozenset(left),
        right=frozenset(right),
        disowned_numbers=frozenset(disowned),
    )


def test_the_plain_reference_agrees_on_many_small_worlds():
    random = Random(20_261_122)
    for _ in range(10 * EXAMPLES):
        world = some_world(random)
        assert groups_of(world) == reference_groups(*world), world


@given(random=randoms)
@examples
def test_the_plain_reference_agrees(random):
    world = some_world(random, records_max=6)
    assert groups_of(world) == reference_groups(*world)


@given(random=randoms)
@examples
def test_every_record_is_in_exactly_one_group(random):
    world = some_world(random)
    members = [record for group in partition(*world).groups for record in group]
    assert sorted(members) == sorted(world.records)


@given(random=randoms)
@examples
def test_any_order_and_any_renaming_gives_the_same_groups(random):
    world = some_world(random)
    names = dict(zip(world.records, random.sample(range(1000), len(world.records)), strict=True))
    other = renamed(world, names)
    shuffled = list(other.records.items())
    for part in (shuffled, other.edges, other.decisions):
        random.shuffle(part)
    expected = {frozenset(names[record] for record in group) for group in groups_of(world)}
    assert groups_of(other._replace(records=dict(shuffled))) == expected


@given(random=randoms)
@examples
def test_any_renaming_asks_the_same_questions(random):
    world = some_world(random)
    names = dict(zip(world.records, random.sample(range(1000), len(world.records)), strict=True))

    def asked(questions, name_of):
        return {
            (
                question.type,
                question.reason,
                question.match_weight_bits,
                frozenset(
                    frozenset(map(name_of, side)) for side in (question.left, question.right)
                ),
            )
            for question in questions
        }

    expected = asked(partition(*world).questions, names.get)
    assert asked(partition(*renamed(world, names)).questions, int) == expected


@given(random=randoms)
@examples
def test_an_unrelated_component_changes_nothing(random):
    world, stranger = some_world(random), some_world(random)
    stranger = renamed(stranger, {number: number + 100 for number in stranger.records})
    rules = world.rules
    together = partition(
        world.records | stranger.records,
        world.edges + stranger.edges,
        world.decisions
        + [replace(decision, number=decision.number + 50) for decision in stranger.decisions],
        rules,
    )
    apart = groups_of(world) | groups_of(stranger._replace(rules=rules))
    assert frozenset(together.groups) == apart


@given(random=randoms)
@examples
def test_no_group_holds_two_sides_of_a_different_decision(random):
    world = some_world(random)
    for group in groups_of(world):
        for decision in world.decisions:
            if decision.kind is DecisionKind.DIFFERENT:
                assert not (group & decision.left and group & decision.right)


@given(random=randoms)
@examples
def test_two_trusted_numbers_share_a_group_only_by_decision_and_then_a_task_says_so(random):
    world = some_world(random)
    disowned = frozenset[int]().union(*[d.disowned_numbers for d in world.decisions])
    result = partition(*world)
    clashes = [q.left for q in result.questions if q.type is TaskType.NHS_NUMBER_CLASH]
    for group in result.groups:
        numbers = {world.records[record].trusted_nhs_number for record in group - disowned}
        if len(numbers - {None}) > 1:
            assert any(
                d.kind is DecisionKind.SAME and group & (d.left | d.right) for d in world.decisions
            )
            assert group in clashes


@given(random=randoms)
@examples
def test_a_same_decision_unites_unless_a_different_one_forbids_it(random):
    world = some_world(random)
    result = partition(*world)
    forbids = any(decision.kind is DecisionKind.DIFFERENT for decision in world.decisions)
    for decision in world.decisions:
        live = (decision.left | decision.right) & world.records.keys()
        if decision.kind is DecisionKind.SAME and not forbids:
            assert any(live <= group for group in result.groups)


@given(random=randoms)
@examples
def test_link_evidence_not_applied_is_asked_about_or_decided(random):
    world = some_world(random)
    result = partition(*world)
    group_of = {record: group for group in result.groups for record in group}
    asked = [question.left | question.right for question in result.questions]
    for left, right, weight in world.edges:
        x, y = group_of[left], group_of[right]
        if weight >= 9 and x != y:
            decided = any(
                (x & d.left and y & d.right) or (x & d.right and y & d.left)
                for d in world.decisions
                if d.kind is DecisionKind.DIFFERENT
            )
            assert decided or any(x | y <= records for records in asked)


@given(random=randoms)
@examples
def test_two_groups_are_asked_about_once(random):
    pairs = [frozenset((q.left, q.right)) for q in partition(*some_world(random)).questions]
    assert len(pairs) == len(set(pairs))


@given(random=randoms)
@examples
def test_a_clean_component_is_one_group(random):
    world = some_world(random, decisions_max=0)
    alike = list(world.records.values())[:1] * len(world.records)
    world = world._replace(
        records=dict(zip(world.records, alike, strict=True)),
        edges=linked_set(list(world.records), random.choice((9.0, 20.0))),
    )
    if is_clean(world.records.values(), world.rules):
        assert groups_of(world) == {frozenset(world.records)}


@given(random=randoms)
@examples
def test_in_a_clean_set_of_records_groups_are_connected_components(random):
    world = some_world(random, decisions_max=0)._replace(rules=RULES)
    if is_clean(world.records.values(), RULES):
        free = replace(RULES, component_records_max=500)
        bare = {number: known() for number in world.records}
        assert groups_of(world) == reference_groups(bare, world.edges, [], free)


def test_one_odd_record_does_not_chain_two_people_together():
    records = {
        1: known("ADA", "2019-03-02", "9990000018"),
        2: known("A", "2019-03-02"),
        3: known("AMARA", "2019-03-02", "9990000026"),
    }
    result = partition(records, [Edge(1, 2, 15.0), Edge(2, 3, 14.0)], [], RULES)
    assert len(result.groups) == 3
    assert {question.type for question in result.questions} == {TaskType.AMBIGUITY}


def test_a_clear_favourite_is_no_ambiguity():
    records = {
        1: known("ADA", "2019-03-02", "9990000018"),
        2: known("A", "2019-03-02"),
        3: known("AMARA", "2019-03-02", "9990000026"),
    }
    result = partition(records, [Edge(1, 2, 18.1), Edge(2, 3, 15.0)], [], RULES)
    assert frozenset({1, 2}) in result.groups
    (question,) = result.questions
    assert (question.type, question.reason) == (
        TaskType.BLOCKED_BY_VETO,
        "conflicting_nhs_numbers",
    )


def test_equal_weights_are_one_step_and_a_veto_anywhere_in_it_stops_it():
    records = {1: known(number="9990000018"), 2: known(), 3: known(number="9990000026")}
    rules = replace(RULES, ambiguity_bits=-1.0)
    result = partition(records, [Edge(1, 2, 12.0), Edge(2, 3, 12.0)], [], rules)
    assert len(result.groups) == 3
    assert {question.type for question in result.questions} == {TaskType.BLOCKED_BY_VETO}


def test_weights_that_differ_in_the_last_bit_are_equal():
    records = {1: known(number="9990000018"), 2: known(), 3: known(number="9990000026")}
    rules = replace(RULES, ambiguity_bits=-1.0)
    result = partition(records, [Edge(1, 2, 12.0), Edge(2, 3, 12.0 + 1e-9)], [], rules)
    assert len(result.groups) == 3


def test_a_same_decision_overrides_a_veto_and_the_clash_stays_open():
    records = {1: known(number="9990000018"), 2: known(number="9990000026")}
    result = partition(records, [], [same({1}, {2})], RULES)
    assert result.groups == [frozenset({1, 2})]
    assert [question.type for question in result.questions] == [TaskType.NHS_NUMBER_CLASH]


def test_a_disowned_number_neither_clashes_nor_vetoes():
    records = {
        1: known(number="9990000018"),
        2: known(number="9990000026"),
        3: known(number="9990000026"),
    }
    decided = [same({1}, {2}, disowned={2})]
    result = partition(records, [Edge(1, 3, 12.0)], decided, RULES)
    assert result.groups == [frozenset({1, 2}), frozenset({3})]
    assert [question.reason for question in result.questions] == ["conflicting_nhs_numbers"]


def test_a_same_decision_across_a_different_one_is_skipped_and_asked_about():
    records = {1: known(), 2: known(), 3: known()}
    decisions = [different({1}, {3}), same({1}, {2}, 2), same({2}, {3}, 3)]
    result = partition(records, [], decisions, RULES)
    assert result.groups == [frozenset({1, 2}), frozenset({3})]
    (question,) = result.questions
    assert question.type is TaskType.CONTRADICTING_DECISIONS


def test_sides_that_share_a_group_ask_about_every_record_once():
    records = {1: known(), 2: known(), 3: known()}
    decisions = [same({1}, {2}), different({1}, {3}, 2), same({1}, {2, 3}, 3)]
    (question,) = partition(records, [], decisions, RULES).questions
    assert question.type is TaskType.CONTRADICTING_DECISIONS
    assert (question.left, question.right) == (frozenset({1, 2}), frozenset({3}))


@pytest.mark.parametrize(
    ("left", "right", "asked"),
    [
        ({1}, {2}, [({1}, {2})]),
        ({1, 2}, {2}, [({1}, {2})]),
        ({2}, {1, 2}, [({1}, {2})]),
        ({1}, {1, 2, 3}, [({1}, {2, 3})]),
        ({1, 2}, {1, 2}, []),
    ],
    ids=["on neither", "alone on the right", "alone on the left", "among others", "all of them"],
)
def test_a_record_on_both_sides_of_a_decision_is_asked_about_once(left, right, asked):
    dates = {1: "1980-02-03", 2: "1951-07-30", 3: "1951-07-30"}
    records = {number: known("ADA", date) for number, date in dates.items()}
    decision = replace(same(left, right), seen=SeenEvidence(match_weight_bits=20.0, veto=None))
    questions = partition(records, [], [decision], RULES).questions
    assert [(question.left, question.right) for question in questions] == asked


def test_what_a_steward_kept_apart_is_not_asked_again():
    records = {1: known("ADA"), 2: known("ADA")}
    assert partition(records, [Edge(1, 2, 30.0)], [different({1}, {2})], RULES).questions == []


def test_the_review_band_asks_unless_a_veto_answers():
    records = {1: known("ADA"), 2: known("ADA"), 3: known("ADA", "1980-02-03"), 4: known()}
    records[5] = known("ADA", "1951-07-30")
    edges = [Edge(1, 2, 5.0), Edge(3, 5, 5.0), Edge(1, 4, 12.0)]
    (question,) = partition(records, edges, [], RULES).questions
    assert question.type is TaskType.POSSIBLE_LINK
    assert (question.left, question.right) == (frozenset({1, 4}), frozenset({2}))


def test_weak_evidence_within_one_source_is_a_possible_duplicate():
    records = {1: known("ADA"), 2: known("ADA")}
    result = partition(records, [Edge(1, 2, 5.0)], [], RULES, source=lambda record: "gp")
    assert [question.type for question in result.questions] == [TaskType.DUPLICATE_WITHIN_SOURCE]


def test_an_oversized_component_joins_only_shared_numbers_and_asks_one_question():
    records = {number: known("ADA") for number in range(6)}
    records[0] = records[1] = known("ADA", number="9990000018")
    result = partition(records, [*linked_set(range(6))], [], SMALL_RULES)
    assert frozenset({0, 1}) in result.groups
    assert len(result.groups) == 5
    (question,) = result.questions
    assert question.type is TaskType.OVERSIZED_COMPONENT
    assert (question.left, question.right) == (frozenset(range(6)), frozenset())


def test_the_gravest_reason_and_the_heaviest_weight_stand_for_two_groups():
    number = "9990000018"
    records = {
        1: known("ADA", "1980-02-03", number),
        2: known("ADA", "1980-02-03", number),
        3: known("ZOE", "1951-07-30", number),
    }
    edges = [Edge(1, 2, 30.0), Edge(1, 3, 5.0), Edge(2, 3, 9.0)]
    (question,) = partition(records, edges, [], RULES).questions
    assert (question.type, question.match_weight_bits) == (TaskType.NHS_NUMBER_CLASH, 9.0)


def test_five_hundred_records_of_which_none_agree_come_to_an_end():
    random = Random(1)
    names = ["".join(random.choices("ABCDEFGHIKLMNOPRSTUVW", k=7)) for _ in range(500)]
    records = {
        number: known(name, f"{1920 + number % 90}-{1 + number % 12:02}-{1 + number % 28:02}")
        for number, name in enumerate(names)
    }
    edges = [Edge(*random.sample(range(500), 2), random.uniform(9, 30)) for _ in range(20_000)]
    result = partition(records, edges, [], RULES)
    assert sorted(record for group in result.groups for record in group) == list(range(500))
