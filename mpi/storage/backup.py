"""A copy of a whole store while it is used, and a store made of a copy again.

SQLite copies itself into a new file; PostgreSQL's own programs write and read its
archive. A copy is checked before it is called one: the file is whole, and its schema is ours.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from mpi.errors import Conflict, InvalidInput, StorageUnavailable
from mpi.storage.engine import Store, open_store, parsed_url
from mpi.storage.failures import storage_failures

_SQLITE_MAGIC: Final = b"SQLite format 3\0"
_POSTGRESQL_MAGIC: Final = b"PGDMP"


def back_up(store: Store, path: Path) -> None:
    """Write a copy of a store, as it stood at one moment, to a new file for its owner alone.

    A SQLite file of SQLite's online backup, or an archive of pg_dump in the custom format.

    Raises:
        InvalidInput: If there is such a file already.
        StorageUnavailable: If the copy cannot be made; then there is no file.
        OSError: If the folder cannot be written to.
    """
    if path.exists():
        raise InvalidInput("path: there is such a file already; name a new one")
    part = path.with_name(f".{path.name}.part")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    try:
        if store.is_sqlite:
            _copy_sqlite(store, part)
        else:
            _dump_postgresql(store, part)
        _keep(part)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def restore(path: Path, url: str) -> None:
    """Make a store of a copy, where there is none yet.

    Args:
        path: What `back_up` wrote.
        url: A SQLite file that does not exist, or a PostgreSQL database that holds no table.

    Raises:
        InvalidInput: If the file is no copy of a store of this kind, or damaged.
        Conflict: If there is a store already: it is never overwritten.
        StorageUnavailable: If the database cannot be reached, or its restore fails.
        WrongSchema: If the copy was made by another version.
        OSError: If the file cannot be read.
    """
    target, magic = parsed_url(url), _read_magic(path)
    is_sqlite = target.drivername == "sqlite"
    if not magic.startswith(_SQLITE_MAGIC if is_sqlite else _POSTGRESQL_MAGIC):
        raise InvalidInput("path: is no backup of a store of this kind")
    if is_sqlite:
        _place_sqlite(path, Path(str(target.database)))
    else:
        _load_postgresql(path, target)
    open_store(url).close()


def _copy_sqlite(store: Store, part: Path) -> None:
    with (
        storage_failures(),
        store.opened(),
        closing(sqlite3.connect(store.sqlite_path)) as source,
        closing(sqlite3.connect(part)) as copy,
    ):
        source.backup(copy)  # One read transaction: writers do not wait for it.
        copy.execute("PRAGMA journal_mode=DELETE")
        if copy.execute("PRAGMA integrity_check").fetchone() != ("ok",):
            raise StorageUnavailable("store: the copy is damaged")


def _place_sqlite(path: Path, target: Path) -> None:
    if target.exists():
        raise Conflict("database_url: there is a store already; it is never overwritten")
    part = target.with_name(f".{target.name}.part")
    try:
        shutil.copyfile(path, part)
        with storage_failures(), closing(sqlite3.connect(part)) as copy:
            if copy.execute("PRAGMA integrity_check").fetchone() != ("ok",):
                raise InvalidInput("path: the backup is damaged")
        _keep(part)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)


def _dump_postgresql(store: Store, part: Path) -> None:
    words = ["--format=custom", "--no-owner", "--no-privileges", "--file", str(part)]
    run_program(
        "pg_dump", words, store.engine.url, "failed; may this role log in and read every table?"
    )


def _load_postgresql(path: Path, target: sa.URL) -> None:
    engine = sa.create_engine(target, hide_parameters=True)
    with storage_failures(), engine.connect() as connection:
        tables = sa.inspect(connection).get_table_names()
    engine.dispose()
    if tables:
        raise Conflict("database_url: the database holds tables; it is never overwritten")
    words = ["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error"]
    run_program("pg_restore", [*words, str(path)], target, "the restore failed; nothing was kept")


def run_program(program: str, words: Sequence[str], url: sa.URL, failure: str) -> None:
    """Run one of PostgreSQL's programs; the password goes by the environment, unseen by others.

    Args:
        program: Its name.
        words: What follows the address on its command line.
        url: Of the database.
        failure: What is told if it does not end well; its own words may hold personal data.

    Raises:
        StorageUnavailable: If it is not installed, or ends with another status than 0.
    """
    binary = find_program(program)
    if binary is None:
        raise StorageUnavailable(f"{program}: is not installed here; it comes with PostgreSQL")
    # `URL.set` takes None for "leave it", so the password would stay in, as asterisks.
    plain = url._replace(drivername="postgresql", password=None)
    environment = dict(os.environ)
    if url.password:
        environment["PGPASSWORD"] = str(url.password)
    command = [str(binary), "--dbname", plain.render_as_string(), *words]
    ran = subprocess.run(command, env=environment, capture_output=True, check=False)
    if ran.returncode:
        raise StorageUnavailable(f"{program}: {failure}")


def find_program(name: str) -> Path | None:
    """One of PostgreSQL's programs: on the path, else of the newest version that Debian keeps.

    None if it is not installed.
    """
    found = shutil.which(name)
    if found:
        return Path(found)
    kept = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: float(p.parts[4])
    )
    return kept[-1] if kept else None


def _read_magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(_SQLITE_MAGIC))


def _keep(path: Path) -> None:
    """Wait until the disk has it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
