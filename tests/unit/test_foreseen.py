"""What is worked out before a store is asked is what would be worked out behind it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import NumberTrust, RecordKey
from mpi.domain.records import DELETION, RecordVersion
from mpi.services.foreseen import Foreseen, compared_record, judged_versions
from mpi.services.linkage_index import compile_linkage_index
from mpi.services.register import Statement
from tests.small_region import ADA, JOHN, spec_release
from tests.strategies import EXAMPLES

NUMBERS = ("9990000018", "999 000 0026", "1234567890", "", None)
SAID = {
    "nhs_number": st.sampled_from(NUMBERS),
    "nhs_number_status": st.sampled_from(("01", "03", None)),
    "given_name": st.sampled_from(("Ada", "BABY", "Twin Two", None)),
    "family_name": st.sampled_from(("O'Neill-Brown", "Lovelace", None)),
    "date_of_birth": st.sampled_from(("1989-03-02", "1900-01-01", None)),
    "postcode": st.sampled_from(("BH1 1AA", "ZZ99 3VZ", None)),
}


@pytest.fixture(scope="module")
def index():
    return compile_linkage_index(spec_release())


def version(key="gp:1", *, is_entered_in_error=False, **said) -> RecordVersion:
    statement = Statement(
        key=RecordKey(*key.split(":")),
        demographics=Demographics(**said),
        event_at=datetime(2026, 3, 3, tzinfo=UTC),
        is_entered_in_error=is_entered_in_error,
    )
    return statement.version()


@st.composite
def trusts(draw, stated: NumberTrust) -> NumberTrust:
    """The model's, perhaps with a status of the numbers that are said."""
    number, other = draw(st.permutations(("9990000018", "9990000026")))
    return NumberTrust(
        statuses=stated.statuses,
        sources=stated.sources,
        disputed=draw(st.sampled_from((frozenset(), frozenset((number,))))),
        superseded=draw(st.sampled_from(({}, {number: other}))),
    )


@given(data=st.data(), said=st.fixed_dictionaries(SAID), is_error=st.booleans())
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_was_foreseen_is_what_follows_without(index, data, said, is_error):
    first = version(is_entered_in_error=is_error, **said)
    foreseen = Foreseen(index, first)
    judged = judged_versions(index, [first], foreseen)
    assert judged == judged_versions(index, [first], None)
    if judged.record is not None:
        trust = data.draw(trusts(index.model.number_trust))
        found = compared_record(index, judged.record, trust, foreseen)
        assert found == compared_record(index, judged.record, trust, None)


def test_it_is_used_for_that_version_alone(index):
    first, second = version(**ADA), version(**JOHN)
    foreseen = Foreseen(index, first)
    assert judged_versions(index, [first], foreseen) is foreseen.judged
    assert judged_versions(index, [second], foreseen).record.versions == (second,)
    assert judged_versions(index, [first, second], foreseen) is not foreseen.judged


def test_of_a_deletion_nothing_is_compared(index):
    deleted = replace(version(), digest=DELETION)
    assert Foreseen(index, deleted).compared is None
