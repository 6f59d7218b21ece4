"""Every look-up of the read side gives the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.domain.identifiers import NumberTrust, RecordKey
from mpi.domain.links import Decision, DecisionKind, Edge
from mpi.domain.records import ComparisonRecord, content_json
from mpi.domain.tasks import TaskType
from mpi.errors import UnknownPerson, UnknownRecord, UnknownTask
from mpi.storage.audit import AuditEvent, add_audit_events, list_audit_events
from mpi.storage.blocking_keys import count_holders, count_shared_keys
from mpi.storage.engine import Store
from mpi.storage.graph import list_decisions_about, list_surroundings
from mpi.storage.links import find_link, list_links
from mpi.storage.models import find_release_in_force, put_release_in_force
from mpi.storage.number_statuses import number_trust_for, trust_with_statuses
from mpi.storage.outbox import OutboxEvent, add_events, list_events, number_events
from mpi.storage.persons import get_person, list_holders, list_persons, list_successors
from mpi.storage.records import (
    canonical_json,
    comparison_from_json,
    comparison_of,
    comparison_to_json,
    find_comparison,
    find_record,
    get_record,
    list_compared_values,
    list_compared_with,
    list_live_contents,
    list_records,
    list_records_by_nhs_number,
)
from mpi.storage.tables import (
    PersonState,
    decision,
    decision_record,
    edge,
    link,
    nhs_number_status,
    task,
    task_record,
)
from mpi.storage.tasks import count_open_tasks, get_task, list_open_tasks, list_tasks
from mpi.storage.unit_of_work import UnitOfWork, reading, writing
from mpi.storage.versions import list_versions_of
from tests.small_region import LOADED_AT, fill, person_id, spec_index
from tests.strategies import EXAMPLES, records

LATER = LOADED_AT + timedelta(days=1)
INDEX = spec_index()


@pytest.fixture(scope="module")
def filled(module_store: Store) -> Store:
    fill(module_store, INDEX)
    return module_store


@pytest.fixture
def unit(filled: Store) -> Iterator[UnitOfWork]:
    with reading(filled) as unit:
        yield unit


@pytest.fixture
def changed(filled: Store) -> Iterator[UnitOfWork]:
    """A unit whose changes are undone after the test."""
    with writing(filled) as unit, unit.connection.begin_nested() as savepoint:
        yield unit
        savepoint.rollback()


@given(record=records())
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_comparison_record_survives_its_json(record: ComparisonRecord) -> None:
    assert comparison_from_json(comparison_to_json(record)) == record


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    content=st.dictionaries(
        st.text(), st.text() | st.lists(st.dictionaries(st.text(), st.text(), max_size=2))
    )
)
def test_canonical_json_is_the_same_either_way(content: dict[str, Any]) -> None:
    assert canonical_json(content) == content_json(content)


def test_nulls_and_empty_lists_are_missing_values() -> None:
    text = '{"sex": null, "given_names": [], "phones": null, "family_names": ["LEE"]}'
    assert comparison_from_json(text) == ComparisonRecord(family_names=("LEE",))


def test_records_are_found_by_key(unit: UnitOfWork) -> None:
    found = get_record(unit, RecordKey("ed", "E/7"))
    assert (found.number, found.person_id, found.state) == (2, person_id(1), "live")
    assert find_record(unit, RecordKey("ed", "none")) is None
    with pytest.raises(UnknownRecord):
        get_record(unit, RecordKey("ed", "none"))


def test_records_are_found_by_number_and_nhs_number(unit: UnitOfWork) -> None:
    assert [record.number for record in list_records(unit, {3, 1})] == [1, 3]
    assert [record.number for record in list_records_by_nhs_number(unit, "9990000026")] == [3]
    assert list_records_by_nhs_number(unit, "9990000034") == []


def test_versions_and_contents_come_back_as_sent(unit: UnitOfWork) -> None:
    (stored,) = list_versions_of(unit, RecordKey("ed", "E/7"), [2])
    version = stored.version
    assert (version.demographics.given_name, version.event_at) == ("Adah", LOADED_AT)
    assert list_live_contents(unit, [5])[5]["family_name"] == "Haddad"


def test_candidates_share_a_key(unit: UnitOfWork) -> None:
    compared = find_comparison(unit, RecordKey("gp", "G1"))
    assert compared is not None
    keys = INDEX.keys_of(compared)
    shared = count_shared_keys(unit, keys)
    assert shared[1] == len(keys)
    assert 0 < shared[2] < len(keys)
    assert shared.keys() == {1, 2}
    assert sum(count_holders(unit, keys).values()) == shared.total()
    assert count_holders(unit, keys).keys() == keys
    assert count_shared_keys(unit, []) == {}


def test_stored_values_are_laid_out_as_the_record_is(unit: UnitOfWork) -> None:
    compared = find_comparison(unit, RecordKey("gp", "G1"))
    assert compared is not None
    ((number, values),) = list_compared_values(unit, [1])
    scorer = INDEX.scorer
    other = scorer.prepare(compared)
    assert number == 1
    assert comparison_of(values) == compared
    assert scorer.weight(scorer.prepare_values(values), other) == scorer.weight(other, other)


def test_all_records_of_a_person_are_compared(unit: UnitOfWork) -> None:
    found = list_compared_with(unit, [2, 5])
    assert [each.number for each in found] == [1, 2, 5]


def test_persons_are_found_by_id(unit: UnitOfWork) -> None:
    assert get_person(unit, person_id(4)).state == PersonState.LIVE
    assert set(list_persons(unit, [person_id(1), person_id(99)])) == {person_id(1)}
    with pytest.raises(UnknownPerson):
        get_person(unit, person_id(99))


def test_an_id_leads_to_who_holds_its_records(changed: UnitOfWork) -> None:
    assert list_holders(changed, person_id(3)) == [person_id(3)]
    _move(changed, record=4, to=2)
    assert list_holders(changed, person_id(3)) == [person_id(2)]
    assert list_successors(changed, person_id(3)) == [person_id(2)]


def test_links_are_known_for_every_day(changed: UnitOfWork) -> None:
    _move(changed, record=4, to=2)
    then, now = LOADED_AT, LATER
    assert [stored.number for stored in list_links(changed, person_id(2))] == [4, 3]
    assert [stored.number for stored in list_links(changed, person_id(2), at=then)] == [3]
    assert [stored.number for stored in list_links(changed, person_id(3), at=now)] == []
    was, became = find_link(changed, 4, at=then), find_link(changed, 4, at=now)
    assert was is not None
    assert became is not None
    assert (was.link.person_id, was.link.valid_to) == (person_id(3), LATER)
    assert (became.link.person_id, became.link.valid_to) == (person_id(2), None)
    assert find_link(changed, 4, at=then - timedelta(microseconds=1)) is None


def _move(unit: UnitOfWork, *, record: int, to: int) -> None:
    close = link.update().where(link.c.record == record, link.c.valid_to.is_(None))
    unit.connection.execute(close.values(valid_to=LATER))
    unit.connection.execute(
        link.insert().values(
            record=record, person_id=person_id(to), origin="steward", model=1, valid_from=LATER
        )
    )


def test_edges_are_among_what_surrounds_either_record(changed: UnitOfWork) -> None:
    row = {"left_record": 1, "right_record": 2, "match_weight_bits": 12.5, "model": 1}
    changed.connection.execute(edge.insert().values(row))
    assert list_surroundings(changed, [2, 3]).edges == [Edge(1, 2, 12.5)]


def test_decisions_in_force_are_those_not_retracted(changed: UnitOfWork) -> None:
    made = {"kind": "different", "reason": "r", "author": "a", "decided_at": LOADED_AT}
    retracted = made | {"retracted_at": LATER, "retracted_by": "a"}
    for number, values in ((1, made), (2, retracted)):
        changed.connection.execute(decision.insert().values(number=number, **values))
        sides = [(1, True, False), (3, False, True), (4, False, False)]
        changed.connection.execute(
            decision_record.insert(),
            [
                {"decision": number, "record": r, "is_left": left, "is_number_disowned": disowned}
                for r, left, disowned in sides
            ],
        )
    wanted = Decision(
        number=1,
        kind=DecisionKind.DIFFERENT,
        left=frozenset({1}),
        right=frozenset({3, 4}),
        disowned_numbers=frozenset({3}),
    )
    assert list_decisions_about(changed, [1, 3]) == [wanted]
    assert list_surroundings(changed, [1, 2]).decisions == {1}
    assert list_surroundings(changed, [2]).decisions == set()
    compared = list_compared_with(changed, [3, 4])
    assert [(each.number, each.is_number_disowned) for each in compared] == [(3, True), (4, False)]


def test_number_trust_follows_successors_to_the_last(changed: UnitOfWork) -> None:
    stated = NumberTrust(statuses=frozenset({"01"}))
    statuses = (
        ("1", "superseded", "2"),
        ("2", "superseded", "3"),
        ("3", "disputed", None),
        ("4", "disputed", None),
    )
    for number, status, successor in statuses:
        changed.connection.execute(
            nhs_number_status.insert().values(
                nhs_number=number,
                status=status,
                successor=successor,
                author="a",
                recorded_at=LOADED_AT,
            )
        )
    everything = trust_with_statuses(statuses, stated)
    assert everything.superseded == {"1": "3", "2": "3"}
    assert everything.disputed == {"3", "4"}
    assert number_trust_for(changed, stated, "1").superseded == {"1": "3"}
    assert number_trust_for(changed, stated, "1").disputed == {"3"}
    assert number_trust_for(changed, stated, "4").disputed == {"4"}
    assert number_trust_for(changed, stated, "5") == stated


def test_the_work_list_has_the_most_urgent_first(changed: UnitOfWork) -> None:
    for number, priority in ((1, 10), (2, 90), (3, 90), (4, 50)):
        closed_at = LATER if number == 4 else None
        _add_task(changed, number=number, priority=priority, closed_at=closed_at)
    assert [each.number for each in list_open_tasks(changed)] == [2, 3, 1]
    assert [each.number for each in list_open_tasks(changed, after=(90, 2))] == [3, 1]
    assert [each.number for each in list_tasks(changed, [1, 2, 3])] == [2, 3, 1]
    assert list_surroundings(changed, [1]).tasks == {1, 2, 3}
    assert list_surroundings(changed, [5]).tasks == set()
    assert count_open_tasks(changed) == {TaskType.POSSIBLE_LINK: 3}
    assert (get_task(changed, 4).left, get_task(changed, 4).right) == ({1}, {2})
    with pytest.raises(UnknownTask):
        get_task(changed, 5)


def _add_task(unit: UnitOfWork, *, number: int, **values: object) -> None:
    unit.connection.execute(
        task.insert().values(
            number=number,
            type="possible_link",
            match_weight_bits=5.0,
            reason="review_band",
            question_digest=str(number),
            opened_at=LOADED_AT,
            **values,
        )
    )
    sides = [
        {"task": number, "record": 1, "is_left": True},
        {"task": number, "record": 2, "is_left": False},
    ]
    unit.connection.execute(task_record.insert(), sides)


def test_events_are_numbered_without_gaps(changed: UnitOfWork) -> None:
    event = OutboxEvent(type="created", actor="a", reason="r", occurred_at=LOADED_AT)
    add_events(changed, [event, event])
    assert list_events(changed) == []
    number_events(changed)
    add_events(changed, [event])
    number_events(changed)
    number_events(changed)
    assert [each.sequence for each in list_events(changed)] == [1, 2, 3]
    assert [each.sequence for each in list_events(changed, after=2)] == [3]


def test_audit_events_are_found_by_person_latest_first(changed: UnitOfWork) -> None:
    events = [
        AuditEvent(
            action=action,
            actor="a",
            purpose="p",
            person_id=person_id(1),
            recorded_at=at,
            detail={"persons_count": 1},
        )
        for action, at in (("first", LOADED_AT), ("second", LATER))
    ]
    add_audit_events(changed, events)
    assert list_audit_events(changed, person_id(1)) == events[::-1]


def test_one_release_is_in_force(changed: UnitOfWork) -> None:
    number = put_release_in_force(changed, digest="d2", name="n", version="2", at=LATER)
    found = find_release_in_force(changed)
    assert found is not None
    assert (found.number, found.digest) == (number, "d2")
    put_release_in_force(changed, digest="0" * 64, name="n", version="1", at=LATER)
    restored = find_release_in_force(changed)
    assert restored is not None
    assert restored.number == 1
