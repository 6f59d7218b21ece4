"""The live index: what registering, deleting, merging and deciding do, on both stores."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest

from mpi.domain.identifiers import RecordKey
from mpi.domain.records import VersionVerdict
from mpi.domain.tasks import TaskType
from mpi.errors import Conflict, DecisionViolated, InvalidInput, StaleVersion
from mpi.services.cause import Cause
from mpi.services.register import Outcome
from mpi.services.review import AnsweredTask, note_task
from mpi.services.state_number import (
    NumberStatement,
    NumberStatus,
    retract_number,
    state_number,
)
from mpi.storage.engine import Store
from mpi.storage.records import find_comparison, list_records
from mpi.storage.unit_of_work import reading, writing
from tests.live_index import START, STEWARD, LiveIndex
from tests.small_region import ADA, JOHN

NUMBER = {"nhs_number": "9990000018", "nhs_number_status": "01"}
OTHER_NUMBER = {"nhs_number": "9990000026", "nhs_number_status": "01"}
TWIN = ADA | {"given_name": "Beatrice"}


@pytest.fixture
def live(store: Store) -> Iterator[LiveIndex]:
    opened = LiveIndex(store)
    yield opened
    opened.close()


def test_a_second_record_of_a_person_joins_the_first(live: LiveIndex) -> None:
    first = live.say("gp:1", ADA | NUMBER)
    second = live.say("poole:1", ADA | NUMBER)
    assert (first.outcome, second.outcome) == (Outcome.NEW, Outcome.LINKED)
    assert first.person_id == second.person_id
    assert str(second.explained_by) == "gp:1"
    assert second.match_weight_bits is not None


def test_saying_the_same_again_changes_nothing(live: LiveIndex) -> None:
    first = live.say("gp:1", ADA)
    before = live.events()
    again = live.say("gp:1", ADA)
    later = live.say("gp:1", ADA, day=3)
    assert (again.outcome, later.outcome) == (Outcome.UNCHANGED, Outcome.UNCHANGED)
    assert again.person_id == later.person_id == first.person_id
    assert live.events() == before


def test_a_repeated_request_gets_its_first_outcome(live: LiveIndex) -> None:
    first = live.say("gp:1", ADA, request_key="m1")
    live.say("gp:1", ADA | {"address": "9 New Road"}, day=5)
    assert live.say("gp:1", ADA, request_key="m1") == first
    with pytest.raises(Conflict, match="idempotency_key"):
        live.say("gp:1", JOHN, request_key="m1")


def test_any_order_of_arrival_gives_the_same_persons(live: LiveIndex) -> None:
    said = [
        ("gp:1", ADA | NUMBER, 0),
        ("poole:1", ADA, 0),
        ("gp:2", TWIN, 0),
        ("gp:1", ADA | NUMBER | {"family_name": "Brown"}, 9),
    ]
    found = set()
    for number, order in enumerate(permutations(said)):
        for record, texts, day in order:
            # Other people of their own in each round: nothing meets across rounds.
            year = f"{1900 + number}-03-02"
            live.say(f"{record}-{number}", texts | {"date_of_birth": year} | _home(number), day=day)
        own = {g for g in live.groups() if any(r.endswith(f"-{number}") for r in g)}
        found.add(frozenset(frozenset(r.split("-")[0] for r in group) for group in own))
    assert len(found) == 1


def _home(number: int) -> dict[str, str]:
    letters = chr(65 + number // 26) + chr(65 + number % 26)
    return {"family_name": f"Okafor{letters}", "address": f"{number} High Street"}


def test_a_deleted_record_leaves_and_comes_back_with_its_id(live: LiveIndex) -> None:
    person_id = live.say("gp:1", ADA).person_id
    assert live.delete("gp:1").outcome is Outcome.DELETED
    assert live.groups() == set()
    live.say("gp:1", ADA | {"phone": ""}, day=40)
    assert live.groups() == set(), "it was said before the deletion"
    assert live.say("gp:1", ADA, day=60).person_id == person_id


def test_a_source_merge_unites_and_can_be_taken_back(live: LiveIndex) -> None:
    live.say("gp:1", ADA)
    live.say("gp:2", JOHN)
    before = live.person_of()
    live.merge("gp:2", "gp:1")
    assert live.groups() == {frozenset({"gp:1"})}
    live.unmerge("gp:2")
    assert live.person_of() == before


def test_a_record_whose_merge_is_taken_back_has_its_decisions_again(live: LiveIndex) -> None:
    live.say("gp:1", ADA)
    live.say("gp:2", TWIN)
    live.say("poole:3", JOHN)
    live.decide("same", "gp:2", "poole:3")
    before = live.person_of()
    live.merge("gp:2", "gp:1")
    live.unmerge("gp:2")
    assert live.person_of() == before


def test_a_merge_may_come_before_the_records(live: LiveIndex) -> None:
    live.merge("gp:2", "gp:1")
    live.say("gp:2", ADA, day=2)
    assert live.groups() == {frozenset({"gp:1"})}
    with pytest.raises(Conflict, match="into"):
        live.merge("gp:1", "gp:2")


def test_what_two_merged_records_say_alike_is_each_ones_own_word(live: LiveIndex) -> None:
    live.say("gp:1", ADA)
    live.say("gp:2", JOHN)
    live.merge("gp:2", "gp:1")
    live.say("gp:1", JOHN, day=5, phone="01305 999999")
    live.say("gp:2", JOHN, day=5, phone="01305 999999")
    live.say("gp:2", JOHN, day=5, phone="01305 999999")
    live.unmerge("gp:2")
    told = live.query(
        "SELECT count(*) FROM record_version AS v JOIN source_record AS s ON s.number = v.record "
        "WHERE s.local_id = '2'"
    )
    assert [tuple(row) for row in told] == [(2,)]


def test_what_two_merged_records_are_deleted_by_is_each_ones_own_word(live: LiveIndex) -> None:
    live.say("gp:1", ADA)
    live.say("gp:2", JOHN)
    live.merge("gp:2", "gp:1")
    live.delete("gp:1", day=50)
    live.delete("gp:2", day=51)
    assert live.delete("gp:2", day=52).outcome is Outcome.UNCHANGED
    live.unmerge("gp:2")
    assert live.groups() == set()


def test_the_survivor_can_withdraw_what_a_merged_record_said(live: LiveIndex) -> None:
    live.say("gp:1", ADA)
    live.say("gp:2", ADA)
    live.merge("gp:2", "gp:1")
    live.say("gp:2", ADA, day=5, family_name="Smith")
    assert _family_name(live, "1") == "SMITH"
    live.say("gp:1", ADA, day=5, family_name="Smith", is_error=True)
    assert _family_name(live, "1") == "OKAFOR"
    live.unmerge("gp:2")
    assert _family_name(live, "2") == "SMITH"


def _family_name(live: LiveIndex, local_id: str) -> str | None:
    with reading(live.store) as unit:
        comparison = find_comparison(unit, RecordKey("gp", local_id))
    return comparison.family_name if comparison else None


@pytest.mark.parametrize("verdict", VersionVerdict)
def test_a_verdict_holds_when_a_merged_record_says_the_same(
    live: LiveIndex, verdict: VersionVerdict
) -> None:
    live.say("gp:1", ADA)
    live.say("gp:2", ADA)
    live.merge("gp:2", "gp:1")
    assert live.say("gp:1", JOHN, day=5).outcome is Outcome.HELD
    digest = live.query("SELECT digest FROM record_version WHERE state = 'held'")[0].digest
    live.judge("gp:1", digest, verdict)
    assert live.say("gp:2", JOHN, day=5).outcome is not Outcome.HELD
    assert live.tasks() == []


def test_a_twin_is_asked_about_and_a_decision_settles_it(live: LiveIndex) -> None:
    live.say("gp:1", ADA)
    live.say("gp:2", TWIN)
    assert live.task_types() == [TaskType.BLOCKED_BY_VETO]
    decided = live.decide("different", "gp:1", "gp:2")
    assert live.tasks() == []
    live.retract(decided.decision)
    assert live.task_types() == [TaskType.BLOCKED_BY_VETO]


def test_same_unites_and_retracting_gives_back_groups_and_ids(live: LiveIndex) -> None:
    live.say("gp:1", ADA | NUMBER)
    live.say("poole:2", JOHN)
    before = live.person_of()
    decided = live.decide("same", "gp:1", "poole:2")
    assert live.groups() == {frozenset({"gp:1", "poole:2"})}
    live.say("dorset-county:3", JOHN)
    assert len(live.groups()) == 1
    live.retract(decided.decision)
    after = live.person_of()
    assert {record: after[record] for record in before} == before
    assert after["dorset-county:3"] == before["poole:2"]


def test_a_preview_changes_nothing_and_tells_what_would_be(live: LiveIndex) -> None:
    live.say("gp:1", ADA)
    live.say("poole:2", JOHN)
    events = live.events()
    would = live.decide("same", "gp:1", "poole:2", is_preview=True)
    assert would.decision == 0
    assert [len(records) for records in would.after.values()] == [2]
    assert live.events() == events
    assert len(live.groups()) == 2


def test_a_contradicting_decision_is_refused(live: LiveIndex) -> None:
    live.say("gp:1", ADA)
    live.say("poole:2", JOHN)
    live.say("poole:3", TWIN)
    live.decide("same", "gp:1", "poole:2")
    live.decide("same", "poole:2", "poole:3")
    with pytest.raises(DecisionViolated):
        live.decide("different", "gp:1", "poole:3")


def test_two_trusted_numbers_need_a_word_about_them(live: LiveIndex) -> None:
    live.say("gp:1", ADA | NUMBER)
    live.say("poole:2", ADA | OTHER_NUMBER)
    assert len(live.groups()) == 2
    with pytest.raises(InvalidInput, match="supersedes"):
        live.decide("same", "gp:1", "poole:2")
    successions = {"9990000026": "9990000018"}
    decided = live.decide("same", "gp:1", "poole:2", supersedes=successions)
    assert len(live.groups()) == 1
    live.retract(decided.decision)
    assert len(live.groups()) == 2
    live.decide("same", "gp:1", "poole:2", wrong_numbers=(RecordKey("poole", "2"),))
    assert len(live.groups()) == 1


def test_an_overlay_is_held_until_a_steward_says_what_it_is(live: LiveIndex) -> None:
    first = live.say("poole:1", ADA)
    held = live.say("poole:1", JOHN, day=9)
    assert held.outcome is Outcome.HELD
    assert live.task_types() == [TaskType.OVERLAY]
    (version,) = [
        r.digest for r in live.query("SELECT digest FROM record_version WHERE state = 'held'")
    ]
    decided = live.judge("poole:1", version, VersionVerdict.ANOTHER_HUMAN)
    assert live.tasks() == []
    with pytest.raises(Conflict, match="not held"):
        live.judge("poole:1", version, VersionVerdict.CORRECTION)
    live.retract(decided.decision)
    assert live.task_types() == [TaskType.OVERLAY]
    assert live.person_of() == {"poole:1": first.person_id}


def test_a_succession_stands_while_anybody_states_it(live: LiveIndex) -> None:
    for record, number in (("gp:1", NUMBER), ("gp:3", NUMBER), ("poole:2", OTHER_NUMBER)):
        live.say(record, ADA | number)
    successions = {OTHER_NUMBER["nhs_number"]: NUMBER["nhs_number"]}
    first = live.decide("same", "gp:1", "poole:2", supersedes=successions)
    second = live.decide("same", "gp:3", "poole:2", supersedes=successions)
    live.retract(first.decision)
    assert len(live.groups()) == 1
    assert live.tasks() == []
    said = NumberStatement(
        nhs_number=OTHER_NUMBER["nhs_number"],
        status=NumberStatus.SUPERSEDED,
        successor=NUMBER["nhs_number"],
    )
    state_number(live.writer, live.index, said, STEWARD, clock=live.clock)
    live.retract(second.decision)
    assert len(live.groups()) == 1
    retract_number(live.writer, live.index, said.nhs_number, STEWARD, clock=live.clock)
    assert len(live.groups()) == 2


def test_a_new_record_follows_what_was_said_of_its_number_before(live: LiveIndex) -> None:
    first = live.say("gp:1", ADA | NUMBER)
    said = NumberStatement(
        nhs_number=OTHER_NUMBER["nhs_number"],
        status=NumberStatus.SUPERSEDED,
        successor=NUMBER["nhs_number"],
    )
    state_number(live.writer, live.index, said, STEWARD, clock=live.clock)
    second = live.say("poole:2", ADA | OTHER_NUMBER)
    assert second.person_id == first.person_id
    with reading(live.store) as unit:
        stored = find_comparison(unit, RecordKey("poole", "2"))
    assert stored is not None
    assert stored.trusted_nhs_number == NUMBER["nhs_number"]


def test_an_overlay_that_was_noted_stays_closed_until_more_is_held(live: LiveIndex) -> None:
    live.say("poole:1", ADA)
    live.say("poole:1", JOHN, day=9)
    note(live)
    live.say("poole:1", ADA | {"address": "9 New Road"}, day=5)
    live.say("poole:1", JOHN, day=12)
    assert live.tasks() == []
    live.say("poole:1", JOHN | {"given_name": "James"}, day=15)
    assert live.task_types() == [TaskType.OVERLAY]
    note(live)
    assert live.tasks() == []


def note(live: LiveIndex) -> None:
    (task,) = live.tasks()
    cause = Cause(actor="steward-1", purpose="test", reason="noted", at=START, model=1)
    with writing(live.store) as unit:
        note_task(unit, AnsweredTask(number=task.number, revision=task.revision), cause)


def test_records_are_read_in_parts(live: LiveIndex) -> None:
    number = live.say("gp:1", ADA) and live.query("SELECT number FROM source_record")[0].number
    with reading(live.store) as unit:
        found = list_records(unit, range(number - 1_500, number + 1_500))
    assert [str(each.key) for each in found] == ["gp:1"]


def test_changed_evidence_is_refused_when_it_is_named(live: LiveIndex) -> None:
    live.say("gp:1", ADA)
    live.say("poole:2", JOHN)
    seen = live.decide("same", "gp:1", "poole:2", is_preview=True).evidence_digest
    live.say("poole:2", JOHN | {"address": "9 New Road"}, day=8)
    with pytest.raises(StaleVersion, match="evidence_digest"):
        live.decide("same", "gp:1", "poole:2", evidence_digest=seen)


def test_a_split_that_no_decision_caused_is_told(live: LiveIndex) -> None:
    live.say("gp:1", ADA)
    live.say("poole:1", ADA)
    assert len(live.groups()) == 1
    live.say("poole:1", ADA | OTHER_NUMBER, day=5)
    live.say("gp:1", ADA | NUMBER, day=5)
    assert len(live.groups()) == 2
    assert TaskType.UNEXPLAINED_SPLIT in live.task_types()
    assert "split" in {type_ for type_, _ in live.events()}
