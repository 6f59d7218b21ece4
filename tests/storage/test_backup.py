"""The drill: back up a store in use, restore it elsewhere, and find the same in it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from mpi.cli import main
from mpi.clock import FixedClock
from mpi.errors import Conflict, InvalidInput, MpiError
from mpi.services.audit_seal import seal_audit, verify_audit
from mpi.storage.audit import AuditEvent, add_audit_events
from mpi.storage.backup import back_up, content_digests, restore
from mpi.storage.engine import Store, open_store
from mpi.storage.unit_of_work import writing
from tests.conftest import DATABASES
from tests.databases import PostgresqlServer
from tests.small_region import fill, spec_index

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def note(store: Store, count: int) -> None:
    event = AuditEvent(action="read_person", actor="portal", purpose="TREAT", recorded_at=NOW)
    with writing(store) as unit:
        add_audit_events(unit, [event] * count)


@pytest.fixture
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """Where nothing is yet: a file that does not exist, or a database without tables."""

    def make(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / 'restored.sqlite3'}"
        server: PostgresqlServer = request.getfixturevalue("postgresql")
        return server.create_database(template="template0")

    return make


@pytest.mark.parametrize("kind", DATABASES)
def test_a_restored_store_is_the_store(
    kind: str, new_database: Callable[[str], str], empty_url: Callable[[str], str], tmp_path: Path
) -> None:
    store = open_store(new_database(kind))
    fill(store, spec_index())
    note(store, 700)
    seal_audit(store, clock=FixedClock(NOW))
    before, copy, url = content_digests(store), tmp_path / "copy", empty_url(kind)
    back_up(store, copy)
    note(store, 3)  # What comes later is in the store and not in its copy.
    assert copy.stat().st_mode & 0o777 == 0o600
    restore(copy, url)
    restored = open_store(url)
    assert content_digests(restored) == before
    assert content_digests(store) != before
    found = verify_audit(restored)
    assert (found.events_count, found.findings_count) == (700, 0)
    note(restored, 1)  # Numbers go on where they were.
    with pytest.raises(Conflict):
        restore(copy, url)
    for each in (store, restored):
        each.close()


@pytest.mark.parametrize("kind", DATABASES)
def test_a_store_is_copied_as_it_stood_at_one_moment_while_others_write(
    kind: str, new_database: Callable[[str], str], empty_url: Callable[[str], str], tmp_path: Path
) -> None:
    store, is_done = open_store(new_database(kind)), threading.Event()

    def write() -> None:
        while not is_done.is_set():
            note(store, 2)  # Always two at once: an odd number would be half a transaction.

    writer = threading.Thread(target=write)
    writer.start()
    back_up(store, tmp_path / "copy")
    is_done.set()
    writer.join()
    url = empty_url(kind)
    restore(tmp_path / "copy", url)
    restored = open_store(url)
    assert content_digests(restored)["audit_event"][0] % 2 == 0
    for each in (store, restored):
        each.close()


def test_guards_are_restored_too(
    new_database: Callable[[str], str], empty_url: Callable[[str], str], tmp_path: Path
) -> None:
    for kind in DATABASES:
        store, url = open_store(new_database(kind)), empty_url(kind)
        note(store, 1)
        back_up(store, tmp_path / kind)
        restore(tmp_path / kind, url)
        restored = open_store(url)
        with (
            pytest.raises(Exception, match=r"append-only|rule of the schema"),
            writing(restored) as unit,
        ):
            unit.connection.execute(sa.text("UPDATE audit_event SET actor = 'x'"))
        for each in (store, restored):
            each.close()


@pytest.mark.parametrize("kind", DATABASES)
@pytest.mark.parametrize("content", [b"", b"nonsense", b"SQLite format 3\0", b"PGDMP"], ids=repr)
def test_what_is_no_backup_is_refused_and_leaves_nothing(
    kind: str, content: bytes, empty_url: Callable[[str], str], tmp_path: Path
) -> None:
    (tmp_path / "copy").write_bytes(content)
    with pytest.raises(MpiError):
        restore(tmp_path / "copy", empty_url(kind))
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_damaged_copy_is_refused(tmp_path: Path, new_database: Callable[[str], str]) -> None:
    store = open_store(new_database("sqlite"))
    fill(store, spec_index())
    back_up(store, tmp_path / "copy")
    store.close()
    content = bytearray((tmp_path / "copy").read_bytes())
    content[4096:20_000] = b"\xff" * (20_000 - 4096)
    (tmp_path / "copy").write_bytes(content)
    with pytest.raises(MpiError):
        restore(tmp_path / "copy", f"sqlite:///{tmp_path / 'new'}")
    assert not (tmp_path / "new").exists()


def test_a_backup_never_overwrites(store: Store, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("precious")
    with pytest.raises(InvalidInput, match="already"):
        back_up(store, tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "precious"


def test_the_commands_do_the_drill(
    new_database: Callable[[str], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MPI_DATABASE_URL", new_database("sqlite"))
    copy, url = str(tmp_path / "copy"), f"sqlite:///{tmp_path / 'new.sqlite3'}"
    assert main.exit_status(["backup", copy]) == 0
    assert main.exit_status(["restore", copy, "--database-url", url]) == 0
    assert main.exit_status(["audit", "verify", "--database-url", url]) == 0
    assert "whole" in capsys.readouterr().out
