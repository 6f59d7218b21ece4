"""What the parts make of typical and of poor values, as tables that anyone can check."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.domain.demographics import Demographics, PreviousAddress
from mpi.domain.identifiers import NumberTrust
from mpi.standardise.addresses import standardise_address
from mpi.standardise.dates import standardise_birth_date
from mpi.standardise.informative import is_informative
from mpi.standardise.numbers import (
    standardise_birth_order,
    standardise_identifier,
    standardise_nhs_number,
    standardise_sex,
)
from mpi.standardise.phones import standardise_email, standardise_phones
from mpi.standardise.postcodes import standardise_postcode
from mpi.standardise.record import standardise_demographics
from tests import strategies

NUMBER, OTHER_NUMBER = "9990000018", "9990000026"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1980-02-03", ("1980-02-03", "1980", "02", "03")),
        ("03/02/1980", ("1980-02-03", "1980", "02", "03")),
        ("12/31/1980", ("1980-12-31", "1980", "12", "31")),
        ("3 Feb 1980", ("1980-02-03", "1980", "02", "03")),
        ("Feb 3, 1980", ("1980-02-03", "1980", "02", "03")),
        ("3-FEB-80", ("1980-02-03", "1980", "02", "03")),
        ("198002031230", ("1980-02-03", "1980", "02", "03")),
        ("03021980", ("1980-02-03", "1980", "02", "03")),
        ("29254", ("1980-02-03", "1980", "02", "03")),
        ("1980-02-03T00:00:00Z", ("1980-02-03", "1980", "02", "03")),
        ("3/2/1980 0:00", ("1980-02-03", "1980", "02", "03")),
        ("1.2.29", ("2029-02-01", "2029", "02", "01")),
        ("1.2.30", ("1930-02-01", "1930", "02", "01")),
        ("1980-02-31", ("1980-02-31", "1980", "02", "31")),
        ("1965-13-12", ("1965-13-12", "1965", "13", "12")),
        ("1980", ("1980", "1980", None, None)),
        ("02/1980", ("1980-02", "1980", "02", None)),
        ("XX/02/1980", ("1980-02", "1980", "02", None)),
        ("01/01/1980", ("1980-01-01", "1980", None, None)),
        ("01/01/1900", (None, None, None, None)),
        ("11/11/1911", (None, None, None, None)),
        ("9999-12-31", (None, None, None, None)),
        ("not known", (None, None, None, None)),
    ],
)
def test_birth_dates_are_read_from_any_form(text, expected):
    assert standardise_birth_date(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "outward"),
    [
        ("dt1 1uw", "DT11UW", "DT1"),
        ("DTI 1UW", "DT11UW", "DT1"),
        ("BH1O 1AA", "BH101AA", "BH10"),
        ("S01 1AA", "SO11AA", "SO1"),
        ("SW1A 1AA", "SW1A1AA", "SW1A"),
        ("DT1", None, "DT1"),
        ("DT1 1", None, "DT1"),
        ("ZZ99 3VZ", None, None),
        ("unknown", None, None),
        ("00-950", "00950", "009"),
        ("10010-1234", "10010", "100"),
        ("2000", "2000", "200"),
    ],
)
def test_postcodes_are_repaired_by_position(text, code, outward):
    assert standardise_postcode(text) == (code, outward)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("+44 (0)1305 251150", ("01305251150",)),
        ("0044 1305 251150 ext 12", ("01305251150",)),
        ("7700900123", ("07700900123",)),
        ("07700 900123 / 01305 251150", ("07700900123", "01305251150")),
        ("+48 601 234 567", ("601234567",)),
        ("07000000000", ()),
        ("01234567890", ()),
        ("12345", ()),
        ("none", ()),
    ],
)
def test_telephone_numbers_have_national_form(text, numbers):
    assert standardise_phones(text) == numbers


@pytest.mark.parametrize(
    ("text", "email"),
    [
        ("Foo.Bar+x@GoogleMail.com", "FOO.BAR@GMAIL.COM"),
        ("mailto:a.b@c.co.uk", "A.B@C.CO.UK"),
        ("none@none.com", None),
        ("noemail@example.org", None),
        ("not an address", None),
    ],
)
def test_email_addresses_have_one_form(text, email):
    assert standardise_email(text) == email


@pytest.mark.parametrize(
    ("text", "dwelling"),
    [
        ("12 High Street, Fordington", "12 HIGH ST"),
        ("12, High Street", "12 HIGH ST"),
        ("No. 12 High St.", "12 HIGH ST"),
        ("12-14 High Street", "12 HIGH ST"),
        ("Flat 3, 12 High Street", "FLAT 3 12 HIGH ST"),
        ("3/12 High Street", "FLAT 3 12 HIGH ST"),
        ("12 High Street, Apt 3", "FLAT 3 12 HIGH ST"),
        ("Flat A, 12 High Street", "12A HIGH ST"),
        ("12a High Street", "12A HIGH ST"),
        ("12 High Stret", "12 HIGH ST"),
        ("12 Highstreet", "12 HIGH ST"),
        ("Oak Lodge, Long Frive", "OAK LODGE LONG DR"),
        ("Rose Cottage, 12 Church Lane", "12 CHURCH LN"),
        ("Rose Cottage, Church Lane, Puddletown", "ROSE COTTAGE CHURCH LN"),
        ("c/o Mrs Smith, 3 St John's Road", "3 ST JOHNS RD"),
        ("ul. Długa 12/3", "FLAT 3 12 DLUGA"),
        ("12 HIGH STREET DORCHESTER DT1 1AA", "12 HIGH ST"),
        ("No fixed abode", None),
        ("UNKNOWN", None),
        ("England", None),
    ],
)
def test_addresses_are_a_number_and_a_street(text, dwelling):
    assert standardise_address(text) == dwelling


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("999 000 0018", NUMBER),
        ("999-000-0018", NUMBER),
        ("9990000018.0", NUMBER),
        ("９９９０００００１８", NUMBER),
        ("9990000019", None),
        ("1111111111", None),
        ("9876543210", None),
        ("n/a", None),
    ],
)
def test_nhs_numbers_pass_the_check_and_are_no_placeholder(text, number):
    assert standardise_nhs_number(text) == number


@pytest.mark.parametrize(
    ("text", "code"),
    [("ab 12-34 c", "AB1234C"), ("000000", None), ("123456789", None), ("12", None), ("NK", None)],
)
def test_identifiers_are_letters_and_digits(text, code):
    assert standardise_identifier(text) == code


def test_sex_and_birth_order_are_read_from_common_codes():
    assert [standardise_sex(text) for text in ("1", "f", "Male", "2", "9", "X", "")] == [
        "M", "F", "M", "F", None, None, None,
    ]  # fmt: skip
    assert [standardise_birth_order(text) for text in ("1", "02", "Twin II", "9", "")] == [
        "1", "2", "2", None, None,
    ]  # fmt: skip


def numbers_of(trust, *, status="01", source="gp", number=NUMBER):
    live = Demographics(nhs_number=number, nhs_number_status=status)
    record = standardise_demographics(source, live, (), trust)
    return record.nhs_number, record.trusted_nhs_number


def test_a_number_is_trusted_by_its_status_or_without_one_by_its_source():
    trust = NumberTrust(statuses=frozenset({"01"}), sources=frozenset({"gp"}))
    assert numbers_of(trust) == (NUMBER, NUMBER)
    assert numbers_of(trust, status="1") == (NUMBER, NUMBER)
    assert numbers_of(trust, status="02") == (NUMBER, None)
    assert numbers_of(trust, status=None) == (NUMBER, NUMBER)
    assert numbers_of(trust, status=None, source="council") == (NUMBER, None)


def test_a_superseded_number_counts_as_its_successor_and_a_disputed_one_not_at_all():
    statuses = frozenset({"01"})
    superseded = NumberTrust(statuses=statuses, superseded={NUMBER: OTHER_NUMBER})
    assert numbers_of(superseded) == (OTHER_NUMBER, OTHER_NUMBER)
    disputed = NumberTrust(statuses=statuses, disputed=frozenset({NUMBER}))
    assert numbers_of(disputed) == (None, None)


def test_a_place_is_address_and_postcode_of_one_time():
    live = Demographics(
        address="12 High Street",
        postcode="DT1 1AA",
        previous_addresses=(PreviousAddress(address="3 Low Road", postcode="BH1 1AA"),),
    )
    earlier = Demographics(address="1 Mill Lane", postcode="DT2 2BB")
    record = standardise_demographics("gp", live, [earlier], NumberTrust(statuses=frozenset()))
    assert record.places == ("12 HIGH ST|DT11AA", "1 MILL LN|DT22BB", "3 LOW RD|BH11AA")
    assert record.postcode == "DT11AA"
    assert record.outward_codes == ("DT1", "BH1", "DT2")


ADDRESS_PIECES = st.sampled_from(
    ["0", "12", "1A", "3-5", "FLAT 2", "High Street", "c/o", "No", "ZZ99 3VZ", "BH1 1AA", "UNKNOWN",
     "NO FIXED ABODE", "England", ",", "/", " ", ";", "é", ".0", "NUM. "]
)  # fmt: skip


@given(address=st.one_of(st.text(max_size=40), st.lists(ADDRESS_PIECES, max_size=6).map("".join)))
@settings(max_examples=strategies.EXAMPLES * 4, deadline=None)
def test_an_address_that_begins_with_a_digit_is_no_placeholder(address):
    for text in (address, f"7{address}", f"0{address}"):
        assert is_informative("address", text) == bool(standardise_address(text))
