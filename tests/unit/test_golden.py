"""The golden record is a pure function of the records it may see, and every value has a source."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.domain.demographics import TEXT_FIELDS, Demographics, PreviousName
from mpi.domain.golden import (
    CurrentRecord,
    Teller,
    contents_from_dict,
    survivorship,
    survivorship_of_contents,
)
from mpi.domain.identifiers import RecordKey
from mpi.domain.records import demographics_to_dict
from mpi.standardise.informative import is_informative
from tests.strategies import EXAMPLES

START = datetime(2018, 1, 1, tzinfo=UTC)
NO_TEXT = Demographics()


def record(local_id, *, trust=50, days=0, **told):
    return CurrentRecord(
        key=RecordKey("gp", local_id),
        demographics=Demographics(**told),
        event_at=START + timedelta(days=days),
        digest=f"version of {local_id}",
        trust=dict.fromkeys(TEXT_FIELDS, trust),
    )


@st.composite
def people(draw):
    """Up to five records that mostly agree, with ties of trust and time."""
    texts = st.one_of(st.none(), st.sampled_from(["ANN", "Anne", "BABY", "UNKNOWN"]))
    told = st.fixed_dictionaries({}, optional=dict.fromkeys(TEXT_FIELDS, texts))
    lists = st.lists(st.sampled_from(["01305 1", "01305 2"]), max_size=2).map(tuple)
    return [
        record(
            str(number),
            trust=draw(st.sampled_from([10, 90])),
            days=draw(st.integers(0, 1)),
            other_phones=draw(lists),
            **draw(told),
        )
        for number in range(draw(st.integers(1, 5)))
    ]


@given(person=people(), order=st.randoms())
@settings(max_examples=EXAMPLES)
def test_the_order_of_records_does_not_matter(person, order):
    shuffled = list(person)
    order.shuffle(shuffled)
    golden = survivorship(person, is_informative=is_informative)
    assert survivorship(shuffled, is_informative=is_informative) == golden


@given(person=people())
@settings(max_examples=EXAMPLES)
def test_what_is_stored_makes_the_same_golden_record(person):
    stored = [contents_from_dict(demographics_to_dict(each.demographics)) for each in person]
    tellers = [Teller(each.key, each.event_at, each.digest, each.trust) for each in person]
    golden = survivorship_of_contents(stored, tellers, is_informative=is_informative)
    assert golden == survivorship(person, is_informative=is_informative)


@given(person=people())
@settings(max_examples=EXAMPLES)
def test_every_value_is_what_its_record_says(person):
    golden = survivorship(person, is_informative=is_informative)
    by_key = {one.key: one for one in person}
    for name, value in golden.values.items():
        source = by_key[value.record]
        assert getattr(source.demographics, name) == value.value
        assert source.digest == value.version
    for name, entries in golden.lists.items():
        for entry in entries:
            assert entry.value in getattr(by_key[entry.record].demographics, name)


@given(person=people())
@settings(max_examples=EXAMPLES)
def test_a_field_is_known_if_any_record_knows_it(person):
    golden = survivorship(person, is_informative=is_informative)
    alone = ("town", "postcode", "nhs_number_status", "address", "nhs_number")
    for field in fields(Demographics):
        told = [getattr(one.demographics, field.name) for one in person]
        if field.name in TEXT_FIELDS and field.name not in alone:
            assert (field.name in golden.values) == any(told)


@given(person=people())
@settings(max_examples=EXAMPLES)
def test_one_record_is_its_own_golden_record(person):
    golden = survivorship(person[:1], is_informative=is_informative)
    told = {name: getattr(person[0].demographics, name) for name in TEXT_FIELDS}
    values = {name: value.value for name, value in golden.values.items()}
    assert values == {name: text for name, text in told.items() if text}


def winner(*records, field="given_name"):
    value = survivorship(records, is_informative=is_informative).values[field]
    return value.value, value.rule


def test_a_name_wins_over_a_placeholder_of_a_trusted_source():
    assert winner(
        record("1", trust=90, given_name="BABY"), record("2", trust=10, given_name="Ada")
    ) == ("Ada", "informative")


def test_the_source_trusted_most_wins_over_the_latest():
    assert winner(
        record("1", trust=90, given_name="Ada"), record("2", trust=10, days=9, given_name="Ida")
    ) == ("Ada", "trust")


def test_the_latest_of_equally_trusted_wins():
    assert winner(record("1", given_name="Ada"), record("2", days=9, given_name="Ida")) == (
        "Ida",
        "recency",
    )


def test_a_verified_number_wins_over_a_later_one():
    verified = record("1", nhs_number="9990000018", nhs_number_status="01")
    later = record("2", days=9, nhs_number="9990000026", nhs_number_status="02")
    assert winner(verified, later, field="nhs_number") == ("9990000018", "verified")


def test_the_street_of_one_record_never_meets_the_postcode_of_another():
    old = record("1", address="1 High St", town="Poole", postcode="BH15 1AA")
    new = record("2", days=9, address="Flat 2, 9 Low Rd")
    golden = survivorship([old, new], is_informative=is_informative)
    assert golden.values["address"].value == "Flat 2, 9 Low Rd"
    assert "postcode" not in golden.values


def test_leaving_a_part_out_in_another_way_is_no_difference():
    records = record("1", town="Poole", address=""), record("2", days=9, town="Poole")
    assert winner(*records, field="town") == ("Poole", "agreed")


def test_lists_hold_each_entry_once_and_say_who_told_it_last():
    maiden = PreviousName(family_name="Jones", kind="maiden")
    golden = survivorship(
        [record("1", previous_names=(maiden,)), record("2", days=1, previous_names=(maiden,))]
    )
    (entry,) = golden.lists["previous_names"]
    assert (entry.value, entry.record.local_id) == (maiden, "2")
    assert golden.to_dict()["previous_names"][0]["value"] == {
        "family_name": "Jones",
        "kind": "maiden",
    }
