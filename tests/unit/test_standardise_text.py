"""Whatever text arrives, every part answers, in ASCII, and standardising twice changes nothing."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mpi.domain.demographics import TEXT_FIELDS, Demographics, PreviousAddress, PreviousName
from mpi.domain.identifiers import NumberTrust
from mpi.domain.records import COMPARISON_FIELDS, TUPLE_FIELDS, ComparisonRecord
from mpi.limits import FIELD_CHARACTERS_MAX, HISTORY_VALUES_MAX
from mpi.standardise.addresses import standardise_address
from mpi.standardise.dates import standardise_birth_date
from mpi.standardise.names import standardise_family_name, standardise_given_name
from mpi.standardise.numbers import (
    standardise_birth_order,
    standardise_identifier,
    standardise_nhs_number,
    standardise_sex,
)
from mpi.standardise.phones import standardise_email, standardise_phones
from mpi.standardise.postcodes import standardise_postcode
from mpi.standardise.record import standardise_demographics
from mpi.standardise.text import fold_text
from tests.strategies import EXAMPLES

TRUST = NumberTrust(statuses=frozenset({"01"}))
PIECES = (
    "SMITH O'NEIL DE LA VAN DER MC O AL NEE AKA ( ) \" ' , - . / ; | # TWIN BABY 1 12 3A FLAT UNIT "
    "ROAD ST HIGH PARK HILL THE HOUSE 12/3 3-5 NO COTTAGE JR DR S/O B/O OF UNKNOWN TEST N K X J0HN "
    "1980 01 31 FEB 99 00 +44 (0) 0044 EXT 07700 900123 @ A.B GMAIL.COM DT1 1AA BH1O ZZ99 Ł ß ½ №"
)
texts = st.one_of(
    st.text(st.characters(), max_size=30),
    st.lists(st.sampled_from(PIECES.split(" ")), max_size=6).flatmap(
        lambda pieces: st.sampled_from(" ,-/").map(lambda mark: mark.join(pieces))
    ),
)
PARTS = {
    "given name": lambda text: standardise_given_name(text).name,
    "family name": lambda text: standardise_family_name(text).name,
    "birth date": lambda text: standardise_birth_date(text).text,
    "postcode": lambda text: standardise_postcode(text).code,
    "telephone": lambda text: next(iter(standardise_phones(text)), None),
    "e-mail": standardise_email,
    "address": standardise_address,
    "NHS number": standardise_nhs_number,
    "identifier": standardise_identifier,
    "sex": standardise_sex,
    "birth order": standardise_birth_order,
}
WORDS = re.compile(r"[A-Z0-9]+( [A-Z0-9]+)*")
FORMS = {
    "birth_date": re.compile(r"[0-9]{4}(-[0-9]{2}){0,2}"),
    "email": re.compile(r"[!-Z\[-`{-~]+@[A-Z0-9.-]+"),
    "given_forms": re.compile(r"~?[A-Z0-9]+"),
    "full_name": re.compile(r"[A-Z0-9 ]+\|[A-Z0-9 ]+"),
    "places": re.compile(r"[A-Z0-9 ]+\|[A-Z0-9]+"),
}
FORMS["emails"] = FORMS["email"]


@pytest.mark.parametrize("part", PARTS)
@given(text=texts)
@example(text="\ud800\x00\u202e")
@settings(max_examples=EXAMPLES, deadline=None)
def test_standardising_twice_is_standardising_once(part, text):
    value = PARTS[part](text)
    if value is not None:
        assert PARTS[part](value) == value


@given(text=texts)
@settings(max_examples=EXAMPLES, deadline=None)
def test_folded_text_is_short_ascii_in_capitals(text):
    folded = fold_text(text)
    assert folded.isascii()
    assert folded == folded.upper() == fold_text(folded)
    assert "  " not in folded


people = st.builds(
    Demographics,
    **dict.fromkeys(TEXT_FIELDS, st.none() | texts),
    other_phones=st.lists(texts, max_size=2).map(tuple),
    previous_names=st.lists(
        st.builds(
            PreviousName,
            given_name=st.none() | texts,
            family_name=st.none() | texts,
            kind=st.sampled_from((None, "maiden", "alias")),
        ),
        max_size=2,
    ).map(tuple),
    previous_addresses=st.lists(
        st.builds(PreviousAddress, address=texts, postcode=texts), max_size=2
    ).map(tuple),
)


def values_of(record: ComparisonRecord, field: str) -> tuple[str, ...]:
    value = getattr(record, field)
    if field in TUPLE_FIELDS:
        return value
    return () if value is None else (value,)


@given(live=people, earlier=st.lists(people, max_size=2))
@settings(max_examples=EXAMPLES, deadline=None)
def test_every_value_of_a_record_has_the_form_of_its_field(live, earlier):
    record = standardise_demographics("gp", live, earlier, TRUST)
    for field in COMPARISON_FIELDS:
        values = values_of(record, field)
        assert len(values) == len(set(values)) <= HISTORY_VALUES_MAX
        for value in values:
            assert FORMS.get(field, WORDS).fullmatch(value), field


@given(live=people, earlier=people)
@settings(max_examples=EXAMPLES, deadline=None)
def test_the_live_value_comes_first_and_history_follows_sorted(live, earlier):
    record = standardise_demographics("gp", live, [earlier], TRUST)
    pairs = [
        ("given_name", "given_names"),
        ("family_name", "family_names"),
        ("postcode", "postcodes"),
        ("phone", "phones"),
        ("email", "emails"),
    ]
    for one, many in pairs:
        first, values = values_of(record, one), values_of(record, many)
        assert values[: len(first)] == first
        assert list(values[1:]) == sorted(values[1:])


def test_ten_megabytes_in_every_field_are_cut_and_standardised():
    long = "ANNE'-, (12/" * 800_000
    record = standardise_demographics(
        "gp", Demographics(**dict.fromkeys(TEXT_FIELDS, long)), (), TRUST
    )
    assert all(
        len(value) <= FIELD_CHARACTERS_MAX
        for field in COMPARISON_FIELDS
        for value in values_of(record, field)
    )


def test_of_a_long_history_the_most_recent_values_stay():
    earlier = [Demographics(family_name=f"Name{chr(65 + number)}") for number in range(26)]
    record = standardise_demographics("gp", Demographics(family_name="Zed"), earlier, TRUST)
    assert record.family_names == ("ZED", *(f"NAME{chr(65 + number)}" for number in range(15)))


def test_a_record_without_content_has_no_values():
    assert standardise_demographics("gp", Demographics(), (), TRUST) == ComparisonRecord()
