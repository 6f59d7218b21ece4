"""Outcomes of requests are kept for retries, the oldest forgotten first and a few at a time."""

from datetime import UTC, datetime, timedelta

import pytest

from mpi.clock import FixedClock
from mpi.services.behind import steps_behind
from mpi.storage import requests
from mpi.storage.requests import find_outcome, forget_outcomes, keep_outcome
from mpi.storage.unit_of_work import reading, writing

NOW = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)


@pytest.fixture
def kept(store):
    """Requests of the last days: `old-1` is a day older than now, and so on."""
    with writing(store) as unit:
        for days in range(40):
            at = NOW - timedelta(days=days)
            keep_outcome(unit, "gp", f"old-{days}", "digest", {"outcome": "new"}, at=at)
    return store


def known(store):
    with reading(store) as unit:
        return [n for n in range(40) if find_outcome(unit, "gp", f"old-{n}", "digest")]


def test_the_oldest_are_forgotten_first_and_a_few_at_a_time(kept, monkeypatch):
    monkeypatch.setattr(requests, "FORGOTTEN_MAX", 3)
    with writing(kept) as unit:
        forget_outcomes(unit, before=NOW - timedelta(days=35))
    assert known(kept) == list(range(37))


def test_behind_the_work_those_of_more_than_thirty_days_are_forgotten(kept):
    steps_behind(kept, FixedClock(NOW))["forget"]()
    assert known(kept) == list(range(31))
