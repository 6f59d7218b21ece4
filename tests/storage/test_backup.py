"""The drill: back up a store in use, restore it elsewhere, and find the same in it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa

from mpi.clock import FixedClock
from mpi.errors import Conflict, InvalidInput, MpiError
from mpi.services.audit_seal import copy_roots, seal_audit, verify_audit
from mpi.storage.audit import AuditEvent, add_audit_events
from mpi.storage.backup import back_up, restore, run_program
from mpi.storage.engine import Store, open_store
from mpi.storage.rights import grant_rights
from mpi.storage.trust_tables import METADATA
from mpi.storage.unit_of_work import reading, writing
from tests.conftest import DATABASES
from tests.databases import PostgresqlServer
from tests.serving import run_command
from tests.small_load import ADA, RELEASE, Installation, said, write_feed, write_mappings
from tests.small_region import fill, spec_index

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def content_digests(store: Store) -> dict[str, tuple[int, str]]:
    """Each table's count of rows and digest of its content, whatever order its rows are in."""
    with reading(store) as unit:
        return {
            name: digest(unit.connection, table) for name, table in sorted(METADATA.tables.items())
        }


def digest(connection: sa.Connection, table: sa.Table) -> tuple[int, str]:
    """Rows, and the exclusive or of their SHA-256."""
    count, total = 0, 0
    for row in connection.execution_options(yield_per=1_000).execute(sa.select(table)):
        count += 1
        total ^= int.from_bytes(sha256(repr(tuple(row)).encode()).digest(), "big")
    return count, f"{total:064x}"


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


@pytest.mark.parametrize("kind", DATABASES)
def test_the_commands_do_the_drill(
    kind: str, new_database: Callable[[str], str], empty_url: Callable[[str], str], tmp_path: Path
) -> None:
    """As docs/operating/backup.md has it, with a store that went on after the backup."""
    url, copied = new_database(kind), empty_url(kind)
    settings = drilled(url, tmp_path)
    copy = str(tmp_path / "copy")
    run_command(settings, "audit", "seal")
    store = open_store(url)
    before = content_digests(store)
    run_command(settings, "backup", copy)
    note(store, 5)
    store.close()
    run_command(settings, "audit", "seal")
    restored = {"MPI_DATABASE_URL": copied}
    run_command(settings | restored, "restore", copy)
    store = open_store(copied)
    assert content_digests(store) == before
    store.close()
    assert "whole" in run_command(settings | restored, "audit", "verify", "--restored")
    assert "No differences" in run_command(settings | restored, "verify")
    assert "whole" in run_command(settings, "audit", "verify")


def drilled(url: str, folder: Path) -> dict[str, str]:
    """The settings of an installation with linked records and a copy of its roots."""
    sources = write_mappings(folder / "sources")
    installation = Installation(url, sources_folder=sources)
    installation.load(write_feed(folder / "feeds", "clinic", [said("1", "2021-01-01", ADA)]))
    installation.load(write_feed(folder / "more", "ward", [said("2", "2022-01-01", ADA)]))
    return {
        "MPI_DATABASE_URL": url,
        "MPI_SOURCES_FOLDER": str(sources),
        "MPI_RELEASE_FOLDER": str(RELEASE),
        "MPI_AUDIT_ROOTS_FILE": str(folder / "roots.jsonl"),
    }


def test_a_restored_trail_that_was_changed_or_cut_is_found(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    store, roots = open_store(new_database("sqlite")), tmp_path / "roots.jsonl"
    for _ in range(3):
        note(store, 1)
        seal_audit(store, clock=FixedClock(NOW))
    copy_roots(store, roots)
    lines = roots.read_text().splitlines()
    back_up(store, tmp_path / "copy")
    later = lines[-1].replace('"seal": 3', '"seal": 4')
    roots.write_text("\n".join([*lines, later]) + "\n")
    assert verify_audit(store, roots).findings_count == 1
    assert verify_audit(store, roots, is_restored=True).findings_count == 0
    roots.write_text("\n".join([lines[0], later.replace('"seal": 4', '"seal": 2')]) + "\n")
    assert verify_audit(store, roots, is_restored=True).findings_count == 1
    store.close()


def test_the_servers_own_role_may_back_up_and_no_more(
    postgresql: PostgresqlServer, empty_url: Callable[[str], str], tmp_path: Path
) -> None:
    owner = open_store(postgresql.create_database())
    fill(owner, spec_index())
    with writing(owner) as unit:
        unit.connection.execute(sa.text("CREATE ROLE mpi_backed_up LOGIN"))
    grant_rights(owner, "mpi_backed_up")
    try:
        url = owner.engine.url.set(username="mpi_backed_up").render_as_string()
        server = open_store(url)
        back_up(server, tmp_path / "copy")
        server.close()
        restored_url = empty_url("postgresql")
        restore(tmp_path / "copy", restored_url)
        restored = open_store(restored_url)
        assert content_digests(restored) == content_digests(owner)
        restored.close()
    finally:
        with writing(owner) as unit:
            unit.connection.execute(sa.text("DROP OWNED BY mpi_backed_up; DROP ROLE mpi_backed_up"))
        owner.close()


def test_a_password_goes_by_the_environment_and_never_by_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen, program = tmp_path / "seen", tmp_path / "bin" / "pg_restore"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$PGPASSWORD $*" > {seen}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    url = sa.make_url("postgresql+psycopg://mpi:s3cret@db.example/mpi")
    run_program("pg_restore", ["--list"], url, "failed")
    told, *words = seen.read_text().split()
    assert told == "s3cret"
    assert words == ["--dbname", "postgresql://mpi@db.example/mpi", "--list"]
