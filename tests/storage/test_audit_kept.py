"""An answer waits until its audit is kept: in one statement, in turn with loads and seals."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from mpi.errors import StorageUnavailable
from mpi.storage.audit import AuditEvent, keep_audit_events, list_audit_events
from mpi.storage.engine import RESTED_S, Store, open_store
from mpi.storage.unit_of_work import BULK_LOCK, reading
from mpi.storage.writer import Writer
from tests.databases import postgresql_server
from tests.small_region import person_id

AT = datetime(2026, 3, 3, 9, tzinfo=UTC)
ASKERS = 16


def event(request_id: str) -> AuditEvent:
    return AuditEvent(
        action="read_person",
        actor="portal",
        purpose="TREAT",
        recorded_at=AT,
        person_id=person_id(1),
        request_id=request_id,
        detail={"persons_count": 1, "seen": {"gp:1": 3}},
    )


def kept(store: Store) -> list[AuditEvent]:
    with reading(store) as unit:
        return list_audit_events(unit, person_id(1), limit=1_000)


def test_events_are_kept_as_they_were_told(store: Store) -> None:
    writer = Writer(store)
    keep_audit_events(writer, [event("one"), event("two")])
    writer.close()
    assert sorted(kept(store), key=lambda each: each.request_id or "") == [
        event("one"),
        event("two"),
    ]


def test_many_who_wait_at_once_lose_none(store: Store) -> None:
    writer = Writer(store)
    askers = [
        threading.Thread(target=keep_audit_events, args=(writer, [event(f"asker-{n}")]))
        for n in range(ASKERS)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    writer.close()
    assert {each.request_id for each in kept(store)} == {f"asker-{n}" for n in range(ASKERS)}


def test_nothing_is_kept_beside_a_bulk_load(store: Store) -> None:
    writer = Writer(store)
    with store.engine.begin() as loading:
        if not store.is_sqlite:
            loading.execute(sa.text(f"SELECT pg_advisory_xact_lock({BULK_LOCK})"))
        with pytest.raises(StorageUnavailable):
            keep_audit_events(writer, [event("beside")])
    assert kept(store) == []
    keep_audit_events(writer, [event("after")])
    assert [each.request_id for each in kept(store)] == ["after"]
    writer.close()


def test_connections_that_a_restart_broke_are_never_handed_out() -> None:
    with postgresql_server(is_durable=True) as server:
        if server.process is None:
            pytest.skip("an embedded server is crashed by nobody")
        server.prepare_template()
        store = open_store(server.create_database())
        writer = Writer(store)
        keep_audit_events(writer, [event("before")])
        server.crash()
        time.sleep(RESTED_S)
        keep_audit_events(writer, [event("after")])
        assert {each.request_id for each in kept(store)} == {"before", "after"}
        store.close()
