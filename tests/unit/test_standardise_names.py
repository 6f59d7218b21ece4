"""One human's name is written in many ways; each pair below must meet in some field."""

import pytest

from mpi.domain.demographics import Demographics, PreviousName
from mpi.domain.identifiers import NumberTrust
from mpi.standardise.names import (
    standardise_family_name,
    standardise_given_name,
    standardise_middle_names,
)
from mpi.standardise.nicknames import root_names
from mpi.standardise.record import standardise_demographics
from mpi.standardise.sounds import sound_key

TRUST = NumberTrust(statuses=frozenset({"01"}))


def person(**fields):
    return standardise_demographics("gp", Demographics(**fields), (), TRUST)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("O'Neil", "ONEIL"),
        ("O Neil", "ONEIL"),
        ("O’NEIL", "ONEIL"),
        ("de la Cruz", "DELACRUZ"),
        ("VAN DER BERG", "VANDERBERG"),
        ("Mc Donald", "MCDONALD"),
        ("Al-Hassan", "ALHASSAN"),
        ("Smith-Jones", "SMITH JONES"),
        ("SMITH JR", "SMITH"),
        ("Mrs Smith", "SMITH"),
        ("Smith (née Jones)", "SMITH"),
        ("SMITH, John", "SMITH"),
        ("SM1TH", "SMITH"),
        ("Żółć", "ZOLC"),
        ("MÃ¼ller", "MULLER"),
        ("JOÃO", "JOAO"),
        ("Иванова", "IVANOVA"),
        ("unknown", None),
        ("N/K", None),
        ("xxx", None),
        ("-", None),
    ],
)
def test_family_names_have_one_form(text, name):
    assert standardise_family_name(text).name == name


@pytest.mark.parametrize(
    ("text", "name", "middles"),
    [
        ("Anne-Marie", "ANNEMARIE", ()),
        ("Anne Marie", "ANNE", ("MARIE",)),
        ("Dr. John P.", "JOHN", ("P",)),
        ("J P", "J", ("P",)),
        ("Harpreet Kaur", "HARPREET", ()),
        ('Elizabeth "Liz"', "ELIZABETH", ()),
        ("Smith, John", "JOHN", ()),
        ("Mohan s/o Ram", "MOHAN", ()),
        ("Baby of Sarah", None, ()),
        ("B/O SARAH", None, ()),
        ("MALE INFANT", None, ()),
        ("Not Known", None, ()),
        ("NFN", None, ()),
    ],
)
def test_given_names_have_one_form(text, name, middles):
    read = standardise_given_name(text)
    assert (read.name, read.middles) == (name, middles)


@pytest.mark.parametrize(
    ("text", "order"),
    [("TWIN 1", "1"), ("Twin Two", "2"), ("1st twin", "1"), ("Baby B", "2"), ("B/O SARAH", None)],
)
def test_an_unnamed_child_may_have_a_birth_order(text, order):
    assert standardise_given_name(text).birth_order == order


ALIKE_GIVEN = [
    "ANNE-MARIE/ANNEMARIE", "ANNE MARIE/ANNE-MARIE", "ANNE MARIE/ANNEMARIE", "CATHERINE/KATHRYN",
    "STEVEN/STEPHEN", "SARA/SARAH", "GEOFFREY/JEFFREY", "YUSUF/YOUSEF", "SEAN/SHAUN",
    "NICHOLAS/NICOLAS", "MICHAEL/MIKAEL", "JAYNE/JANE", "AISHA/AYESHA", "LIZ/ELIZABETH",
]  # fmt: skip


@pytest.mark.parametrize("pair", ALIKE_GIVEN)
def test_given_names_that_sound_alike_share_a_sound(pair):
    left, right = (standardise_given_name(text).sounds for text in pair.split("/"))
    assert set(left) & set(right)


ALIKE_FAMILY = [
    "SMITH/SMYTHE", "KOWALSKI/KOWALSKA", "CHAUDHRY/CHOWDHURY", "HUSSAIN/HUSSEIN", "GREY/GRAY",
    "MACDONALD/MCDONALD", "THOMSON/THOMPSON", "HUGHES/HUGHS", "CLARK/CLARKE", "PHILIPS/PHILLIPS",
    "WISNIEWSKI/WISNIEVSKI", "IVANOV/IVANOVA", "MUELLER/MÜLLER", "SMITH-JONES/JONES",
    "DE LA CRUZ/CRUZ", "RAHMAN/REHMAN", "LEE/LEIGH", "REID/READ",
]  # fmt: skip


@pytest.mark.parametrize("pair", ALIKE_FAMILY)
def test_family_names_that_sound_alike_share_a_sound(pair):
    left, right = (standardise_family_name(text).sounds for text in pair.split("/"))
    assert set(left) & set(right)


DIFFERENT = ["JANE/JOHN", "JUNE/JANE", "MARK/MARY", "ADA/AMARA", "ERIN/AARON", "LEE/LOU", "TIM/TOM"]


@pytest.mark.parametrize("pair", DIFFERENT)
def test_short_given_names_of_different_people_keep_different_sounds(pair):
    left, right = (sound_key(name) for name in pair.split("/"))
    assert left != right


@pytest.mark.parametrize(
    ("nickname", "canonical"),
    [
        ("LIZ", "ELIZABETH"),
        ("BETTY", "ELIZABETH"),
        ("PEGGY", "MARGARET"),
        ("BILL", "WILLIAM"),
        ("KASIA", "KATARZYNA"),
        ("GOSIA", "MALGORZATA"),
        ("MD", "MUHAMMAD"),
        ("MOHAMMED", "MUHAMMAD"),
        ("ALEX", "ALEXANDER"),
        ("ALEX", "ALEXANDRA"),
        ("DAI", "DAVID"),
    ],
)
def test_a_nickname_leads_to_its_name_and_to_itself(nickname, canonical):
    assert {nickname, canonical} <= set(root_names(nickname))


def test_earlier_and_preferred_names_are_compared_but_only_preferred_ones_are_live():
    record = person(
        given_name="Jane",
        family_name="Smith",
        previous_names=(
            PreviousName(family_name="Jones", kind="maiden"),
            PreviousName(given_name="Polly", kind="preferred"),
            PreviousName(given_name="Karen", kind="previous"),
        ),
    )
    assert record.family_names == ("SMITH", "JONES")
    assert record.given_names == ("JANE", "KAREN", "POLLY")
    assert "POLLY" in record.given_forms
    assert "KAREN" not in record.given_forms


def test_a_whole_name_in_one_field_fills_the_other():
    record = person(family_name="SMITH, John")
    assert (record.given_name, record.family_name) == ("JOHN", "SMITH")
    record = person(given_name="Smith, John")
    assert (record.given_name, record.family_name) == ("JOHN", "SMITH")


def test_kaur_between_names_is_half_a_family_name_and_no_middle_name():
    record = person(given_name="Harpreet", middle_name="Kaur", family_name="Gill")
    assert record.middle_names == ()
    assert record.family_parts == ("GILL", "KAUR")
    assert record.name_bag == "GILL HARPREET KAUR"


def test_a_placeholder_split_over_two_fields_names_nobody():
    assert person(given_name="NOT", middle_name="KNOWN").given_names == ()
    twin = person(given_name="Twin", middle_name="2", family_name="Okafor")
    assert (twin.given_name, twin.middle_names, twin.birth_order) == (None, (), "2")


def test_twins_who_share_a_middle_name_share_no_given_form():
    ada = person(given_name="Ada", middle_name="Grace")
    amara = person(given_name="Amara", middle_name="Grace")
    assert not set(ada.given_forms) & set(amara.given_forms)


def test_middle_names_are_words_and_initials():
    assert standardise_middle_names("Anne-Marie J.").names == ("ANNEMARIE", "J")
    assert standardise_middle_names("N/A").names == ()
