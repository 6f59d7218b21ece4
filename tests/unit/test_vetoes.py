"""A veto needs a serious doubt, not proof; and no single odd record makes one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.domain.links import VetoReason
from mpi.linkage.vetoes import (
    birth_dates_conflict,
    find_groups_veto,
    find_record_veto,
    given_names_conflict,
)
from tests.partition_cases import NAME_RULE, known, some_record
from tests.strategies import EXAMPLES

NUMBER, OTHER_NUMBER = "9990000018", "9990000026"
HOME = ("1 HIGH ST",)


def veto(left, right):
    return find_record_veto(left, right, NAME_RULE)


def group_veto(left, right):
    return find_groups_veto(
        [(record, False) for record in left], [(record, False) for record in right], NAME_RULE
    )


def parts(text):
    year, month, day = [*text.split("-"), None, None][:3]
    return (text, year, month, day)


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param("1980-02-03", "1980-02-03", False, id="same"),
        pytest.param("1980-02-03", "1980-02-13", False, id="one component differs"),
        pytest.param("1980-02-03", "1980-03-02", False, id="day and month swapped"),
        pytest.param("1980-02-03", "1981-03-02", True, id="swapped and another year"),
        pytest.param("1980-02-03", "1980-04-05", True, id="two components differ"),
        pytest.param("1980-02-31", "1980-02-31", False, id="the same impossible date"),
        pytest.param("1980", "1951-07-30", None, id="only the year is known"),
        pytest.param("1980", "1980", None, id="only the year is known and agrees"),
        pytest.param("1980-02", "1951-07", True, id="both known components differ"),
    ],
)
def test_birth_dates_conflict_in_two_components(left, right, expected):
    assert birth_dates_conflict(parts(left), parts(right)) is expected
    assert birth_dates_conflict(parts(right), parts(left)) is expected


def test_equal_texts_that_nobody_can_read_agree():
    unread = ("MAY OR JUNE", None, None, None)
    assert birth_dates_conflict(unread, unread) is False


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(known("ADA"), known("ADA"), False, id="same"),
        pytest.param(known("ADA"), known("ADAH"), False, id="a slip"),
        pytest.param(known("ADA"), known("ZOE"), True, id="different"),
        pytest.param(known("ADA"), known("A"), None, id="an initial that agrees"),
        pytest.param(known("A"), known("A"), None, id="two initials"),
        pytest.param(known("ADA"), known("Z"), True, id="an initial that differs"),
        pytest.param(known("Z"), known("ADA", forms=("ZOE",)), None, id="a middle initial"),
        pytest.param(known("Z"), known("ADA", forms=("~Z",)), True, id="sounds are no names"),
        pytest.param(
            known("LIZ", forms=("ELIZABETH",)),
            known("BETTY", forms=("ELIZABETH",)),
            False,
            id="nicknames of one name",
        ),
    ],
)
def test_given_names_conflict_when_clearly_different(left, right, expected):
    assert given_names_conflict(left, right, NAME_RULE) is expected
    assert given_names_conflict(right, left, NAME_RULE) is expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        pytest.param(
            known("ADA", "1980-02-03", NUMBER),
            known("ADA", "1980-02-03", OTHER_NUMBER),
            VetoReason.CONFLICTING_NHS_NUMBERS,
            id="two numbers outweigh that all else agrees",
        ),
        pytest.param(
            known("ADA", "1980-02-03", NUMBER),
            known("ZOE", "1980-02-03", NUMBER),
            None,
            id="a number and a birth date outweigh a name",
        ),
        pytest.param(
            known("ADA", "1980-02-03", NUMBER),
            known("ADA", "1951-07-30", NUMBER),
            None,
            id="a number and a name outweigh a birth date",
        ),
        pytest.param(
            known("ADA", "1980-02-03", NUMBER),
            known("ZOE", "1951-07-30", NUMBER),
            VetoReason.CONFLICTING_DEMOGRAPHICS,
            id="a number alone never links",
        ),
        pytest.param(
            known("ADA", None, NUMBER),
            known("ZOE", "1951-07-30", NUMBER),
            VetoReason.CONFLICTING_DEMOGRAPHICS,
            id="an unknown birth date does not agree",
        ),
        pytest.param(
            known("ADA", "1980-02-03"),
            known("ADA", "1951-07-30", NUMBER),
            VetoReason.CONFLICTING_BIRTH_DATES,
            id="father and son",
        ),
        pytest.param(
            known("ADA", "1980-02-03", addresses=HOME),
            known("ZOE", "1980-02-03", addresses=HOME),
            VetoReason.TWINS,
            id="twins of one home",
        ),
        pytest.param(
            known("ADA", "1980-02-03", family_names=("BELL", "DAY")),
            known("ZOE", "1980-02-03", family_names=("DAY",)),
            VetoReason.TWINS,
            id="twins of one earlier family name",
        ),
        pytest.param(
            known(None, "1980-02-03", addresses=HOME, birth_order="1"),
            known(None, "1980-02-03", addresses=HOME, birth_order="2"),
            VetoReason.TWINS,
            id="unnamed twins",
        ),
        pytest.param(
            known("ADA", "1980-02-03", addresses=HOME, birth_order="1"),
            known("ADA", "1980-02-03", NUMBER, addresses=HOME),
            None,
            id="one of them known better",
        ),
        pytest.param(
            known("ADA", "1980-02-03", family_names=("BELL",), addresses=HOME, phones=("1",)),
            known("ADA", "1980-02-03", family_names=("DAY",), addresses=("2 LOW RD",)),
            None,
            id="people marry and move",
        ),
    ],
)
def test_two_records_are_kept_apart(left, right, expected):
    assert veto(left, right) == expected
    assert veto(right, left) == expected


def test_one_slip_in_a_group_is_outvoted():
    right = known("ADA", "1980-02-03")
    group = [right, right, known("ADA", "1951-07-30")]
    assert group_veto(group, [right]) is None
    assert veto(group[2], right) is VetoReason.CONFLICTING_BIRTH_DATES


def test_exactly_half_of_the_pairs_is_no_majority():
    left = [known("ADA", "1980-02-03"), known("ADA", "1951-07-30")]
    assert group_veto(left, [known("ADA", "1980-02-03")]) is None


def test_records_that_say_nothing_do_not_vote():
    group = [known(), known(), known("ADA", "1951-07-30")]
    found = group_veto(group, [known("ADA", "1980-02-03")])
    assert found is VetoReason.CONFLICTING_BIRTH_DATES


def test_a_number_that_a_steward_called_wrong_does_not_count():
    left, right = known("ADA", number=NUMBER), known("ADA", number=OTHER_NUMBER)
    assert find_groups_veto([(left, True)], [(right, False)], NAME_RULE) is None


def test_history_never_conflicts_about_names_or_bridges_by_them():
    left = known("ADA", "1980-02-03", given_names=("ADA", "ZOE"), addresses=HOME)
    right = known("ZOE", "1980-02-03", given_names=("ZOE",), addresses=HOME)
    assert veto(left, right) is VetoReason.TWINS


@given(random=st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_order_of_groups_and_of_their_records_does_not_matter(random):
    left = [some_record(random) for _ in range(random.randint(1, 4))]
    right = [some_record(random) for _ in range(random.randint(1, 4))]
    found = group_veto(left, right)
    random.shuffle(left)
    assert group_veto(right, left) == found


@given(random=st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_record_is_never_kept_apart_from_its_copy(random):
    record = some_record(random)
    assert veto(record, record) is None
