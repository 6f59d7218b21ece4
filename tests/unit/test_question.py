"""A question is one thing asked, whether options or JSON ask it, and errors repeat nothing."""

from __future__ import annotations

import json

import pytest

from mpi.cli.question import question_from_fields, question_from_json
from mpi.domain.identifiers import RecordKey, person_id_from_bytes
from mpi.errors import InvalidInput

CANARY = "Canary-9434765919"


def test_a_record_is_asked_for_by_its_key():
    assert question_from_fields({"record": "gp:17"}).record == RecordKey("gp", "17")


def test_a_person_id_may_be_typed_with_spaces():
    person = person_id_from_bytes(bytes(8))
    assert question_from_fields({"person_id": f" {person[:7]} {person[7:]}"}).person == person


def test_an_nhs_number_alone_is_looked_up():
    assert question_from_fields({"nhs_number": "9990000018"}).nhs_number == "9990000018"


def test_demographics_leave_out_what_is_empty():
    question = question_from_json(json.dumps({"nhs_number": "", "family_name": " Okafor "}))
    assert question.demographics is not None
    assert question.demographics.family_name == "Okafor"
    assert question.demographics.nhs_number is None


def test_the_question_of_the_api_is_understood_too():
    asked = {"demographics": {"family_name": "Okafor", "given_name": "Ada"}}
    assert question_from_json(json.dumps(asked)) == question_from_fields(asked["demographics"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        CANARY,
        json.dumps({"family_name": 7}),
        json.dumps({CANARY: "x"}),
        json.dumps({"record": CANARY}),
        json.dumps({"person_id": CANARY}),
        json.dumps({"record": "gp:17", "family_name": CANARY}),
    ],
)
def test_a_wrong_question_is_refused_without_repeating_it(text):
    with pytest.raises(InvalidInput) as refusal:
        question_from_json(text)
    assert CANARY not in str(refusal.value)
