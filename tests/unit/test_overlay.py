"""A new version is a correction or a move, unless it says another human: then it waits."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import RecordKey
from mpi.domain.links import VetoReason
from mpi.domain.records import (
    DELETION,
    RecordVersion,
    VersionVerdict,
    content_digest,
    content_json,
    demographics_to_dict,
    fold_versions,
)
from mpi.linkage.model import model_from_spec
from mpi.linkage.overlay import OVERLAY_REASONS, accept_versions
from mpi.linkage.vetoes import compile_name_rule
from tests.small_region import ADA, JOHN, spec_release
from tests.strategies import EXAMPLES

MODEL = model_from_spec(spec_release().spec, version="spec", digest="0" * 64)
RULE = compile_name_rule(MODEL.given_names_agree)
TRUST = MODEL.number_trust
KEY = RecordKey("gp", "G1")
START = datetime(2020, 1, 1, tzinfo=UTC)


def version(day, *, sequence=0, is_entered_in_error=False, verdict=None, **texts):
    demographics = Demographics(**texts)
    return RecordVersion(
        key=KEY,
        demographics=demographics,
        event_at=START + timedelta(days=day),
        sequence=sequence,
        digest=content_digest(content_json(demographics_to_dict(demographics))),
        is_entered_in_error=is_entered_in_error,
        verdict=verdict,
    )


def deletion(day):
    return replace(version(day), digest=DELETION)


def judged(*versions):
    """Days of the accepted versions; the days of those held, with their reasons."""
    found = accept_versions(versions, TRUST, RULE)
    return (
        [(each.event_at - START).days for each in found.record.versions] if found.record else [],
        {(each.version.event_at - START).days: each.reason for each in found.held},
    )


def test_a_move_a_marriage_and_a_corrected_date_are_accepted():
    moved = ADA | {"address": "1 Other Road", "postcode": "BH1 1AA"}
    married = moved | {"family_name": "Brown"}
    corrected = married | {"date_of_birth": "1989-03-03"}
    assert judged(version(0, **ADA), version(1, **moved), version(2, **married)) == ([0, 1, 2], {})
    assert judged(version(0, **married), version(1, **corrected)) == ([0, 1], {})


def test_another_birth_date_is_held():
    accepted, held = judged(version(0, **ADA), version(1, **JOHN))
    assert accepted == [0]
    assert held == {1: VetoReason.CONFLICTING_BIRTH_DATES}


def test_a_number_kept_with_another_name_is_held():
    number = {"nhs_number": "9990000018", "nhs_number_status": "01"}
    other = ADA | number | {"given_name": "Beatrice", "date_of_birth": ""}
    accepted, held = judged(version(0, **ADA | number), version(1, **other))
    assert (accepted, held) == ([0], {1: VetoReason.CONFLICTING_DEMOGRAPHICS})


def test_a_twin_on_the_same_local_id_is_held():
    accepted, held = judged(version(0, **ADA), version(1, **ADA | {"given_name": "Beatrice"}))
    assert (accepted, held) == ([0], {1: VetoReason.TWINS})


def test_another_number_hides_no_other_contradiction():
    trusted = {"nhs_number_status": "01"}
    before = ADA | trusted | {"nhs_number": "9990000018"}
    after = JOHN | trusted | {"nhs_number": "9990000026"}
    assert judged(version(0, **before), version(1, **after))[0] == [0]


def test_a_corrected_number_alone_is_accepted():
    trusted = {"nhs_number_status": "01"}
    before = ADA | trusted | {"nhs_number": "9990000018"}
    after = ADA | trusted | {"nhs_number": "9990000026"}
    assert judged(version(0, **before), version(1, **after)) == ([0, 1], {})


def test_later_versions_are_judged_by_the_one_that_is_live():
    rows = [version(0, **ADA), version(1, **JOHN), version(2, **ADA | {"address": "New Road"})]
    for arrival in permutations(rows):
        accepted, held = judged(*arrival)
        assert (accepted, list(held)) == ([0, 2], [1])


def test_an_entry_in_error_neither_counts_nor_is_held():
    wrong = version(1, is_entered_in_error=True, **JOHN)
    assert judged(version(0, **ADA), wrong, version(2, **ADA | {"phone": ""})) == ([0, 2], {})


def test_a_correction_is_accepted_whatever_it_contradicts():
    corrected = version(1, verdict=VersionVerdict.CORRECTION, **JOHN)
    assert judged(version(0, **ADA), corrected, version(2, **JOHN)) == ([0, 1, 2], {})


def test_another_human_takes_the_local_id_over_and_what_was_before_is_dropped():
    other = version(1, verdict=VersionVerdict.ANOTHER_HUMAN, **JOHN)
    late = version(2, **ADA)
    accepted, held = judged(version(0, **ADA), other, late)
    assert (accepted, list(held)) == ([1], [2])


def test_a_deleted_record_is_no_record_until_it_is_told_again():
    assert judged(version(0, **ADA), deletion(1)) == ([], {})
    assert judged(version(0, **ADA), deletion(1), version(2, **ADA)) == ([0, 2], {})


def test_a_local_id_given_to_somebody_else_after_a_deletion_begins_anew():
    assert judged(version(0, **ADA), deletion(1), version(2, **JOHN)) == ([2], {})


def test_a_late_arrival_does_not_undo_a_later_deletion():
    assert judged(version(0, **ADA), deletion(2), version(1, **ADA | {"phone": "1"})) == ([], {})


TEXTS = {
    "given_name": st.sampled_from(("Ada", "Adah", "Beatrice", "A", "")),
    "family_name": st.sampled_from(("Okafor", "Brown")),
    "date_of_birth": st.sampled_from(("1989-03-02", "1989-02-03", "1950-07-14", "")),
    "nhs_number": st.sampled_from(("9990000018", "9990000026", "")),
    "nhs_number_status": st.sampled_from(("01", "")),
    "address": st.sampled_from(("12 High Street", "")),
}
versions = st.builds(
    version,
    st.integers(0, 5),
    sequence=st.integers(0, 2),
    is_entered_in_error=st.booleans(),
    **TEXTS,
)


@given(told=st.lists(versions, min_size=1, max_size=6), data=st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_every_version_is_accepted_or_held_once_whatever_the_order(told, data):
    found = accept_versions(told, TRUST, RULE)
    shuffled = data.draw(st.permutations(told))
    assert accept_versions(shuffled, TRUST, RULE) == found
    accepted = [each.order for each in found.record.versions]
    assert accepted == sorted(accepted)
    waiting = [each.version.order for each in found.held]
    counted = [each for each in fold_versions(told).versions if not each.is_entered_in_error]
    assert {each.order for each in counted} <= {*accepted, *waiting}
    assert not {*accepted} & {*waiting}
    assert {each.reason for each in found.held} <= OVERLAY_REASONS
