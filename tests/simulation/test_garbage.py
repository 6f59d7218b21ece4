"""A source's garbage degrades that record only: it is stored, or refused in one clear sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from mpi.domain.demographics import Demographics, PreviousName
from mpi.domain.identifiers import RecordKey
from mpi.errors import InvalidInput
from mpi.services.linkage_index import LinkageIndex
from mpi.services.register import Statement, register
from mpi.storage.engine import open_store
from tests.live_index import START, LiveIndex
from tests.simulation.invariants import check_store
from tests.small_region import ADA

ALIKE = int(os.environ.get("MPI_ALIKE", "40"))
"""Records of one birth; 10,000 are what issue 3 asks for."""
STORED: dict[str, dict[str, Any]] = {
    "nothing at all": {},
    "a field of 10 MB": {"family_name": "x" * 10_000_000},
    "control characters": {"given_name": "A\x00d\x1ba\r\n", "address": "\x00"},
    "a date that is none": {"date_of_birth": "99999-99-99"},
    "a date before all": {"date_of_birth": "0000-00-00"},
    "a date to come": {"date_of_birth": "9999-12-31"},
    "emoji and right-to-left marks": {"given_name": "\u202eadA\U0001f600"},
    "many previous names": {
        "previous_names": tuple(PreviousName(family_name=f"N{n}") for n in range(500))
    },
}
REFUSED: dict[str, dict[str, Any]] = {
    "a lone surrogate": {"demographics": Demographics(given_name="\ud800")},
    "a sequence that no database holds": {"sequence": 1 << 70},
    "a negative one": {"sequence": -(1 << 70)},
    "an event without time zone": {"event_at": datetime(2026, 1, 1)},  # noqa: DTZ001
    "an event to come": {"event_at": datetime(2999, 1, 1, tzinfo=UTC)},
    "a request key with a NUL": {"request_key": "\x00"},
    "a request key with a lone surrogate": {"request_key": "\ud800"},
}


@pytest.fixture(params=["sqlite", "postgresql"])
def live(
    request: pytest.FixtureRequest, new_database: Callable[[str], str], index: LinkageIndex
) -> Iterator[LiveIndex]:
    opened = LiveIndex(open_store(new_database(request.param)), index)
    yield opened
    opened.close()
    opened.store.close()


@pytest.mark.parametrize("texts", STORED.values(), ids=STORED)
def test_garbage_is_stored_as_it_came_and_harms_nobody(
    live: LiveIndex, texts: dict[str, Any]
) -> None:
    live.say("gp:1", ADA)
    live.say("poole:1", texts)
    live.say("poole:2", ADA | texts)
    live.say("dorset-county:1", ADA)
    assert live.person_of()["dorset-county:1"] == live.person_of()["gp:1"]
    check_store(live)


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_stored_is_refused_in_one_sentence(
    live: LiveIndex, changes: dict[str, Any]
) -> None:
    told = {"demographics": Demographics(**ADA), "event_at": START} | changes
    statement = Statement(key=RecordKey("gp", "1"), **told)
    with pytest.raises(InvalidInput) as refusal:
        register(live.writer, live.index, statement, live.as_("gp"), clock=live.clock)
    field, colon, rule = str(refusal.value).partition(": ")
    assert field in ("given_name", "sequence", "event_at", "request_key")
    assert colon
    assert rule
    assert live.query("SELECT 1 FROM source_record") == []


def test_one_birth_told_again_and_again_leaves_others_alone(
    live: LiveIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = min(ALIKE // 2, 500)
    monkeypatch.setattr("mpi.services.weigh.BLOCK_RECORDS_MAX", limit)
    answers = [live.say(f"gp:{n}", ADA) for n in range(ALIKE)]
    assert answers[0].is_complete
    assert not answers[-1].is_complete
    other = live.say("poole:1", {"given_name": "Noor", "family_name": "Haddad"})
    assert other.is_complete
    check_store(live)
