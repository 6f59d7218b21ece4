"""Answers say who, how surely and why; doubt is shown and ids out of use lead on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import RecordKey
from mpi.domain.links import VetoReason
from mpi.errors import InvalidIdentifier, Unavailable, UnknownPerson, UnknownRecord
from mpi.services import resolve as resolve_module
from mpi.services.answers import Answer, Grade
from mpi.services.cross_reference import cross_references, read_record
from mpi.services.explanation import explain_records
from mpi.services.linkage_index import require_release_in_force
from mpi.services.resolve import (
    resolve_by_demographics,
    resolve_by_nhs_number,
    resolve_by_person_id,
    resolve_by_source_id,
)
from mpi.storage.engine import Store
from mpi.storage.tables import link, nhs_number_status, person, source_record
from mpi.storage.unit_of_work import UnitOfWork, writing
from tests.small_region import ADA, JOHN, LOADED_AT, fill, person_id, spec_index

INDEX = spec_index()
LATER = LOADED_AT + timedelta(days=1)


@pytest.fixture(scope="module")
def filled(module_store: Store) -> Store:
    fill(module_store, INDEX)
    return module_store


@pytest.fixture
def unit(filled: Store) -> Iterator[UnitOfWork]:
    """A unit whose changes are undone after the test."""
    with writing(filled) as unit, unit.connection.begin_nested() as savepoint:
        yield unit
        savepoint.rollback()


def asked(unit: UnitOfWork, **texts: str) -> Answer:
    return resolve_by_demographics(unit, INDEX, Demographics(**texts))


def test_one_person_who_fits_alone_is_certain(unit: UnitOfWork) -> None:
    answer = asked(unit, **ADA)
    (found,) = answer.persons
    assert found.person_id == person_id(1)
    assert found.evidence is not None
    assert found.evidence.grade is Grade.CERTAIN
    assert found.evidence.record == RecordKey("gp", "G1")
    odds = 2.0**found.evidence.match_weight_bits
    assert found.evidence.match_probability == pytest.approx(odds / (1 + odds))
    assert answer.is_complete


def test_two_who_fit_alike_are_both_only_probable(unit: UnitOfWork) -> None:
    answer = asked(unit, **JOHN | {"given_name": "John"})
    grades = {p.person_id: p.evidence.grade for p in answer.persons if p.evidence}
    assert grades == {person_id(2): Grade.PROBABLE, person_id(3): Grade.PROBABLE}


def test_a_different_number_is_a_veto(unit: UnitOfWork) -> None:
    answer = asked(unit, **ADA | {"given_name": "Ada"}, nhs_number="9990000034")
    (found,) = answer.persons
    assert found.evidence is not None
    assert found.evidence.veto is VetoReason.CONFLICTING_NHS_NUMBERS
    assert found.evidence.match_probability is None, "a veto is not a matter of odds"
    assert found.evidence.grade is Grade.POSSIBLE


def test_a_number_tells_two_namesakes_apart(unit: UnitOfWork) -> None:
    answer = asked(unit, **JOHN, nhs_number="9990000026")
    best = answer.persons[0]
    assert best.person_id == person_id(2)
    assert best.evidence is not None
    assert best.evidence.grade is Grade.CERTAIN


def test_nobody_is_an_answer(unit: UnitOfWork) -> None:
    assert asked(unit, given_name="Zebedee", date_of_birth="1901-05-06").persons == ()
    assert asked(unit, family_name="\x00 \ud800 ???").persons == ()


def test_an_answer_says_when_it_left_somebody_out(
    unit: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolve_module, "CANDIDATES_MAX", 1)
    assert not asked(unit, **JOHN).is_complete
    monkeypatch.undo()
    shown = resolve_by_demographics(unit, INDEX, Demographics(**JOHN), persons_max=1)
    assert len(shown.persons) == 1
    assert not shown.is_complete


def test_explanations_sum_exactly(unit: UnitOfWork) -> None:
    pair = explain_records(unit, INDEX, RecordKey("gp", "G1"), RecordKey("ed", "E/7"))
    total = pair.explanation.prior_bits
    for step in pair.explanation.steps:
        total = total + step.weight_bits + step.adjustment_bits
    assert total == pair.explanation.match_weight_bits
    assert pair.person_ids == (person_id(1), person_id(1))
    with pytest.raises(UnknownRecord):
        explain_records(unit, INDEX, RecordKey("gp", "G1"), RecordKey("gp", "none"))


def test_a_disputed_number_finds_nobody(unit: UnitOfWork) -> None:
    assert resolve_by_nhs_number(unit, INDEX, "999 000 0018").persons != ()
    state_number(unit, "9990000018", "disputed")
    assert resolve_by_nhs_number(unit, INDEX, "999 000 0018").persons == ()


def test_a_superseded_number_finds_its_successors_holder(unit: UnitOfWork) -> None:
    state_number(unit, "9990000034", "superseded", successor="9990000018")
    (found,) = resolve_by_nhs_number(unit, INDEX, "9990000034").persons
    assert found.person_id == person_id(1)
    (by_text,) = asked(unit, **ADA, nhs_number="9990000034").persons
    assert by_text.evidence is not None
    assert by_text.evidence.veto is None


def state_number(unit: UnitOfWork, number: str, status: str, successor: str | None = None) -> None:
    row = nhs_number_status.insert().values(
        nhs_number=number, status=status, successor=successor, author="a", recorded_at=LOADED_AT
    )
    unit.connection.execute(row)


@pytest.mark.parametrize(
    "text", ["", "999000001", "9990000019", "0000000000", "nine", "999 000 0018 Xyzzy"]
)
def test_what_is_no_number_is_refused_without_repeating_it(unit: UnitOfWork, text: str) -> None:
    with pytest.raises(InvalidIdentifier, match=r"^nhs_number: must be ten digits") as refused:
        resolve_by_nhs_number(unit, INDEX, text)
    assert not text or text not in str(refused.value)


def test_an_id_out_of_use_leads_to_the_holder_and_says_so(unit: UnitOfWork) -> None:
    close_links(unit, record=4)
    link_to(unit, record=4, number=2)
    retire(unit, 3)
    answer = resolve_by_person_id(unit, INDEX, person_id(3))
    assert [p.person_id for p in answer.persons] == [person_id(2)]
    assert (answer.asked_id, answer.is_closed) == (person_id(3), False)
    references = cross_references(unit, INDEX, person_id(3))
    assert (references.person_id, references.asked_id) == (person_id(2), person_id(3))
    assert [str(each.record) for each in references.records] == ["council:C1", "gp:G2"]


def test_a_closed_id_says_where_its_records_went(unit: UnitOfWork) -> None:
    close_links(unit, record=4)
    retire(unit, 3)
    answer = resolve_by_person_id(unit, INDEX, person_id(3))
    assert (answer.persons, answer.is_closed) == ((), True)
    assert cross_references(unit, INDEX, person_id(3)).records == ()
    with pytest.raises(UnknownPerson):
        resolve_by_person_id(unit, INDEX, person_id(98))


def test_a_record_that_is_gone_has_no_person(unit: UnitOfWork) -> None:
    close_links(unit, record=4)
    gone = source_record.update().where(source_record.c.number == 4)
    unit.connection.execute(gone.values(state="merged", merged_into=3, comparison=None))
    key = RecordKey("council", "C1")
    assert resolve_by_source_id(unit, INDEX, key).persons == ()
    record = read_record(unit, INDEX, key)
    assert (record.person_id, record.content) == (None, {})
    assert record.merged_into == RecordKey("gp", "G2")


def close_links(unit: UnitOfWork, *, record: int) -> None:
    open_links = link.update().where(link.c.record == record, link.c.valid_to.is_(None))
    unit.connection.execute(open_links.values(valid_to=LATER))


def link_to(unit: UnitOfWork, *, record: int, number: int) -> None:
    row = link.insert().values(
        record=record, person_id=person_id(number), origin="steward", model=1, valid_from=LATER
    )
    unit.connection.execute(row)


def retire(unit: UnitOfWork, number: int) -> None:
    retired = person.update().where(person.c.id == person_id(number))
    unit.connection.execute(retired.values(state="retired", golden=None))


def test_only_the_release_in_force_answers(unit: UnitOfWork) -> None:
    require_release_in_force(unit, INDEX.model.digest)
    with pytest.raises(Unavailable, match="another model release"):
        require_release_in_force(unit, "f" * 64)
