"""The floor plays what the service runs: same statements, same rows, and nothing of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from benchmarks import floor
from benchmarks.floor import READS_HEADER, TAPE_HEADER, TAPES_VARIABLE
from benchmarks.http_requests import RECIPIENT, tape_of_question, tape_of_statement
from benchmarks.tapes import Kind, Tape, write_tapes
from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import RecordKey
from mpi.services.register import Statement, register
from mpi.services.resolve import resolve_by_demographics
from mpi.storage.engine import Store, open_store
from mpi.storage.unit_of_work import reading
from tests.conftest import DATABASES
from tests.live_index import START, LiveIndex

ADA = Demographics(
    given_name="Ada", family_name="Okafor", date_of_birth="1989-03-02", postcode="DT1 1AA",
    sex="F", address="12 High Street",
)  # fmt: skip
KEYS_OF_EACH = "SELECT count(*) FROM blocking_key GROUP BY record"
TABLES = (
    "source_record",
    "record_version",
    "blocking_key",
    "person",
    "link",
    "edge",
    "audit_event",
)


def statement(local_id: str) -> Statement:
    return Statement(key=RecordKey("gp", local_id), demographics=ADA, event_at=START)


def counts(store: Store) -> dict[str, int]:
    with reading(store) as unit:
        return {
            table: unit.connection.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in TABLES
        }


def in_use(store: Store) -> LiveIndex:
    """An index in which the next record and the next version have numbers that nothing else has."""
    live = LiveIndex(store)
    live.say("gp:0", {"given_name": "Zebedee", "family_name": "Quill"})
    if store.is_sqlite:
        with closing(sqlite3.connect(store.sqlite_path)) as connection:  # No foreign keys here.
            connection.execute("UPDATE source_record SET number = 5000")
            connection.execute("UPDATE record_version SET number = 9000, record = 5000")
            connection.commit()
        return live
    with store.engine.begin() as altering:
        for table, number in (("source_record", 5001), ("record_version", 9001)):
            restart = f"ALTER TABLE {table} ALTER COLUMN number RESTART WITH {number}"
            altering.execute(sa.text(restart))
    return live


@pytest.fixture
def live(store: Store) -> LiveIndex:
    return LiveIndex(store)


def client_of(
    store: Store, tapes: list[Tape], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> TestClient:
    write_tapes(folder / "tapes", tapes)
    monkeypatch.setenv(TAPES_VARIABLE, str(folder / "tapes"))
    url = store.engine.url.render_as_string(hide_password=False)
    monkeypatch.setenv("MPI_DATABASE_URL", url)
    return TestClient(floor.create_app())


def put(client: TestClient, tape: int) -> bytes:
    response = client.put(
        f"/v1/sources/gp/records/{tape}", json={}, headers={TAPE_HEADER: str(tape)}
    )
    assert response.status_code == 200
    return response.content


def test_recording_leaves_the_store_as_it_was(live: LiveIndex, store: Store) -> None:
    before = counts(store)
    tape = tape_of_statement(store, live.index, statement("1"))
    tape_of_question(store, live.index, resolve_by_demographics, ADA)
    assert counts(store) == before
    assert orjson.loads(tape.answer)["outcome"] == "new"
    live.close()


@pytest.mark.parametrize("kind", DATABASES)
def test_played_registrations_leave_the_rows_that_the_service_leaves(
    kind: str,
    new_database: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither was there when the other was recorded, so both have the same numbers on tape."""
    with (
        closing(open_store(new_database(kind))) as one,
        closing(open_store(new_database(kind))) as other,
    ):
        live, bare = in_use(one), in_use(other)
        tapes = [tape_of_statement(other, bare.index, statement(name)) for name in ("1", "2")]
        register(live.writer, live.index, statement("1"), RECIPIENT, clock=live.clock)
        with client_of(other, tapes, tmp_path, monkeypatch) as client:
            assert put(client, 0) == tapes[0].answer
            assert counts(other) == counts(one)
            assert put(client, 1) == tapes[1].answer
        assert counts(other)["source_record"] == counts(other)["link"] == 3
        with reading(other) as unit:
            parts = unit.connection.execute(sa.text(KEYS_OF_EACH)).scalars().all()
        assert sorted(parts)[-2] == sorted(parts)[-1] > 1
        live.close()
        bare.close()


def test_a_question_is_read_and_its_audit_written_unless_only_reads_are_wanted(
    live: LiveIndex, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape = tape_of_question(store, live.index, resolve_by_demographics, ADA)
    assert tape.transactions[0].kind is Kind.READS
    named, before = {TAPE_HEADER: "0"}, counts(store)
    with client_of(store, [tape], tmp_path, monkeypatch) as client:
        told = client.post("/v1/resolve", json={}, headers=named | {READS_HEADER: "1"})
        assert told.content == tape.answer
        assert counts(store) == before
        client.post("/v1/resolve", json={}, headers=named)
    assert counts(store) == before | {"audit_event": before["audit_event"] + 1}
    live.close()
