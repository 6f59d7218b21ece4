"""No personal data reaches a log, because no field that could hold it is allowed there."""

import io
import json
import sys

import pytest

from mpi import logs
from mpi.errors import InvalidSettings
from mpi.services.log_key import LOG_KEY_FILE, create_log_key, read_log_key


@pytest.fixture
def lines():
    stream = io.StringIO()
    logs.configure_logs(stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logs.configure_logs(stream=io.StringIO())
    logs.bind_request_id(None)


def test_an_event_is_one_line_of_json(lines):
    logs.info("feed_read", source="gp", rows_count=3)
    (line,) = lines()
    assert line.pop("at").endswith("+00:00")
    assert line == {"level": "info", "event": "feed_read", "source": "gp", "rows_count": 3}


def test_a_field_that_is_not_listed_raises_under_tests(lines):
    with pytest.raises(logs.LogFieldNotAllowed, match="family_name"):
        logs.info("record_registered", family_name="CANARY")


def test_a_structure_is_not_allowed_even_under_a_listed_name(lines):
    with pytest.raises(logs.LogFieldNotAllowed, match="reason"):
        logs.info("record_registered", reason={"name": "CANARY"})


def test_in_production_such_a_field_is_dropped_with_a_warning(lines, monkeypatch):
    monkeypatch.delitem(sys.modules, "pytest")
    logs.info("record_registered", family_name="CANARY", source="gp")
    warned, written = lines()
    assert (warned["event"], warned["field"]) == ("log_field_dropped", "family_name")
    assert written["source"] == "gp"
    assert "CANARY" not in str((warned, written))


def test_every_event_of_a_request_carries_its_id(lines):
    logs.bind_request_id("r-1")
    logs.info("record_registered", action="review")
    assert lines()[0]["request_id"] == "r-1"


def test_messages_of_other_code_are_not_repeated(lines):
    logs._LOGGER.warning("statement failed for %s", "CANARY")
    assert lines()[0]["event"] == "foreign_message_dropped"
    assert "CANARY" not in str(lines())


def test_a_person_is_a_reference_in_the_log(lines):
    for person in ("P1", "P1", "P2", None):
        logs.info("record_registered", person_id=person)
    references = [line.get("person_ref") for line in lines()]
    assert references[0] == references[1] != references[2]
    assert references[3] is None
    assert not any("person_id" in line or "P1" in str(line) for line in lines())


def test_a_reference_is_good_for_a_month_and_a_secret():
    given = {"month": "2026-11", "secret": b"one"}
    told = logs.person_reference("P1", **given)
    assert told == logs.person_reference("P1", **given)
    assert told != logs.person_reference("P1", **given | {"month": "2026-12"})
    assert told != logs.person_reference("P1", **given | {"secret": b"another"})


def test_an_emptied_secret_is_refused_and_not_taken_for_none(tmp_path):
    assert create_log_key(tmp_path)
    assert len(read_log_key(tmp_path)) >= 32
    (tmp_path / LOG_KEY_FILE).write_bytes(b"")
    with pytest.raises(InvalidSettings, match="too short"):
        read_log_key(tmp_path)
