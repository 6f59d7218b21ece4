"""Opening a store: which database, how it is spoken to, and that its schema is the one we know.

SQLite runs with a write-ahead log and `synchronous=FULL`, so that what was acknowledged survives a
power cut. No parameter of a statement ever reaches an error text or a log.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.pq import ExecStatus, TransactionStatus

from mpi.errors import InvalidSettings, StorageUnavailable, WrongSchema
from mpi.limits import STATEMENT_TIMEOUT_S
from mpi.storage.failures import storage_failures
from mpi.storage.gate import FileGate, Library, gate_of

BUSY_TIMEOUT_MS: Final = 5_000
"""Milliseconds that a writer waits for another writer of the same SQLite file."""
CONNECT_TIMEOUT_S: Final = 5
"""Seconds in which PostgreSQL must answer a new connection."""
RESTED_S: Final = 0.5
"""PostgreSQL: seconds that a connection may rest in the pool and be trusted; servers restart."""
_RESTING_SINCE: Final = "resting_since"
POOL_CONNECTIONS_MAX: Final = 40
"""Of one process, at least as many as it has threads, so that none waits for a connection.
`docs/operating/install.md` counts with it."""
CACHE_KIB: Final = 65_536
"""Pages of a SQLite file that each connection may keep in memory."""
STATEMENTS_KEPT: Final = 512
"""Of one connection. On SQLite each length of list makes another statement, on PostgreSQL each type
of number in it; one that is forgotten is parsed again at the price of several look-ups."""
MAPPED_BYTES: Final = 1 << 36
"""How much of a SQLite file may be read through memory instead of by calls; only addresses."""
CHECKPOINT_PAGES: Final = 16_384
"""Pages of the write-ahead log (64 MiB) before SQLite moves them into the file: a registration
touches some fifteen pages far apart, so the default of 1,000 would have it wait every moment."""
POSTGRESQL_SETTINGS: Final[Mapping[str, str]] = {
    "statement_timeout": str(int(STATEMENT_TIMEOUT_S * 1_000)),
    "timezone": "UTC",
    # Our look-ups go by an index whatever their values, so one plan serves them all; planning one
    # anew takes several times as long as running it, and compiling it a hundred times.
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
"""Of every connection to PostgreSQL."""
_SQLITE_READER: Final[dict[str, Any]] = {"mpi_is_reader": True}
_POSTGRESQL_READER: Final[dict[str, Any]] = {
    "isolation_level": "REPEATABLE READ",
    "postgresql_readonly": True,
}
MIGRATIONS: Final = Path(__file__).parent / "migrations"
SERVES_SINCE: Final = "0001"
"""Programs of this revision and later work on the newest schema: migrations only add. A release
that takes something away raises it (`docs/decisions/0005`)."""
REVISION_TABLE: Final = "schema_revision"
"""Where the schema stands. `alembic_version`, which the first programs compare with their own
revision, says since which one the store can be used."""


@dataclass(frozen=True, slots=True)
class Store:
    """An open store; safe to share between threads. Work on it through `unit_of_work` or `bulk`.

    On what SQLite promises with the pragmas that we set: sqlite.org/pragma.html,
    sqlite.org/wal.html.
    """

    engine: sa.Engine
    reader: sa.Engine
    """The same pool, for transactions that change nothing."""
    single: sa.Engine
    """The same pool, for statements each of which is a transaction."""
    gate: FileGate | None
    """Of a SQLite file."""
    _turn: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is a SQLite file; else it is a PostgreSQL database."""
        return self.engine.dialect.name == "sqlite"

    @property
    def sqlite_path(self) -> str:
        """The file of a SQLite store; must not be asked of another."""
        path = self.engine.url.database
        assert path, "a SQLite store is a file"
        return path

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Keep bulk work of this process away from a SQLite file while the block runs."""
        if self.gate is None:
            yield
            return
        with self.gate.open_to(Library.PYTHON):
            yield

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One writer of this process to a SQLite file at a time; PostgreSQL's need not wait.

        SQLite itself lets those who wait sleep, up to a tenth of a second at a time, and then try.

        Raises:
            StorageUnavailable: If the others took longer than `BUSY_TIMEOUT_MS` milliseconds.
        """
        if not self.is_sqlite:
            yield
            return
        if not self._turn.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            raise StorageUnavailable("store: is locked by another writer")
        try:
            yield
        finally:
            self._turn.release()

    def close(self) -> None:
        """Give all connections back; the store can be used again and then reconnects."""
        self.engine.dispose()


def create_store(url: str) -> Store:
    """The store at this address, with its tables made if it has none.

    Args:
        url: `sqlite:///path` or `postgresql://user@host/database`; the PostgreSQL database must
            exist.

    Raises:
        InvalidSettings: If the address is of another kind.
        StorageUnavailable: If it cannot be reached or written.
        WrongSchema: If it holds tables of another version of the schema.
    """
    store = _store(parsed_url(url))
    with _closed_on_failure(store), store.opened(), store.engine.begin() as connection:
        # Programs of before knew of one table only, so where there is either, there are ours.
        if _revision(connection) is None and _contract(connection) is None:
            command.upgrade(_alembic(connection), "head")
            _write_contract(connection)
        _check_revision(connection)
    return store


def open_store(url: str) -> Store:
    """The store at this address, which must hold our schema.

    Args:
        url: As `create_store` takes it.

    Raises:
        InvalidSettings: If the address is of another kind.
        StorageUnavailable: If it is not there or cannot be reached.
        WrongSchema: If it is empty or of another version of the schema.
    """
    parsed = parsed_url(url)
    if parsed.drivername == "sqlite" and not Path(parsed.database or "").is_file():
        raise StorageUnavailable(
            f"store: there is no file {parsed.database}; name the store with --database-url or "
            "MPI_DATABASE_URL, or make one with mpi load"
        )
    store = _store(parsed)
    with _closed_on_failure(store), store.opened(), store.reader.begin() as connection:
        _check_revision(connection)
    return store


def upgrade_store(url: str, revision: str = "head") -> None:
    """Bring the schema of an existing store to a revision; `base` takes every table away.

    All or nothing, in one transaction.

    Raises:
        InvalidSettings: If the address is of another kind.
        StorageUnavailable: If it cannot be reached or written.
    """
    store = _store(parsed_url(url))
    with _closed_on_failure(store), store.opened(), store.engine.begin() as connection:
        config = _alembic(connection)
        if _revision(connection) is None and (found := _contract(connection)):
            command.stamp(config, found)  # Its program knew of one table only.
        if revision == "base":
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)
        _write_contract(connection)
    store.close()


@contextmanager
def _closed_on_failure(store: Store) -> Iterator[None]:
    with ExitStack() as closing:
        closing.callback(store.close)
        with storage_failures():
            yield
        closing.pop_all()


def parsed_url(url: str) -> sa.URL:
    """The address of a store, PostgreSQL's with the driver that we use.

    Raises:
        InvalidSettings: If it cannot be understood or is of another kind, `:memory:` included.
    """
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise InvalidSettings("database_url: cannot be understood") from error
    if parsed.drivername == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    if parsed.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    raise InvalidSettings("database_url: must begin with sqlite:///path or postgresql://")


def _store(url: sa.URL) -> Store:
    engine = _engine(url)
    is_sqlite = url.drivername == "sqlite"
    options = _SQLITE_READER if is_sqlite else _POSTGRESQL_READER
    gate = gate_of(str(url.database)) if is_sqlite else None
    if gate:
        gate.watch(engine)
    reader = engine.execution_options(**options)
    single = engine.execution_options(isolation_level="AUTOCOMMIT")
    return Store(engine, reader, single, gate)


def _engine(url: sa.URL) -> sa.Engine:
    if url.drivername == "sqlite":
        return _sqlite_engine(url)
    # The driver logs what fails behind the failure that it raises; such texts can hold values.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    options = " ".join(f"-c {name}={value}" for name, value in POSTGRESQL_SETTINGS.items())
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        pool_size=POOL_CONNECTIONS_MAX,
        max_overflow=0,
        connect_args={"options": options, "connect_timeout": CONNECT_TIMEOUT_S},
    )
    sa.event.listen(engine, "do_connect", _connect_postgresql)
    sa.event.listen(engine, "checkin", _note_rest)
    sa.event.listen(engine, "checkout", partial(_require_alive, engine.dialect))
    return engine


def _note_rest(_driver: object, record: Any) -> None:
    record.info[_RESTING_SINCE] = monotonic()


def _require_alive(dialect: sa.Dialect, driver: Any, record: Any, _proxy: object) -> None:
    """Look whether a connection that has rested is still there, and all others with it if not.

    One that was just in use is not looked at: that would be one more round trip for each request.
    """
    if monotonic() - record.info.get(_RESTING_SINCE, monotonic()) < RESTED_S:
        return
    try:
        dialect.do_ping(driver)
    except psycopg.Error as error:
        raise sa.exc.InvalidatePoolError from error


class _KeepingConnection(psycopg.Connection[Any]):
    """Keeps its prepared statements when a transaction is undone in which nothing failed.

    The driver forgets them all then, in case tables were made in it and will be made again; ours
    never are. A refused request, or two writers who met, would else have every statement parsed
    and planned again. After a statement that failed they have to be forgotten: the driver believes
    prepared what it sent along behind it. Source: psycopg's documentation, "Prepared statements".
    """

    def rollback(self) -> None:
        stands = self.pgconn.transaction_status == TransactionStatus.INTRANS
        if not stands or self.pgconn.exec_(b"ROLLBACK").status != ExecStatus.COMMAND_OK:
            super().rollback()

    def commit(self) -> None:
        """PostgreSQL answers the COMMIT of what has failed by undoing it, and calls that done."""
        failed = self.pgconn.transaction_status == TransactionStatus.INERROR
        assert not failed, "a statement failed and somebody went on"
        super().commit()


def _connect_postgresql(
    _dialect: object, _record: object, given: list[Any], named: dict[str, Any]
) -> psycopg.Connection[Any]:
    connection = _KeepingConnection.connect(*given, **named)
    connection.prepared_max = STATEMENTS_KEPT
    return connection


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        pool_size=POOL_CONNECTIONS_MAX,
        max_overflow=0,
        connect_args={"cached_statements": STATEMENTS_KEPT},
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # We say BEGIN; the driver would say it late or never.
    for pragma in sqlite_pragmas():
        connection.execute(pragma).close()


def sqlite_pragmas() -> tuple[str, ...]:
    """What every connection to a SQLite store begins with, before its first transaction."""
    return (
        f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}",
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
        f"PRAGMA mmap_size={MAPPED_BYTES}",
        f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}",
        f"PRAGMA cache_size=-{CACHE_KIB}",
        "PRAGMA temp_store=MEMORY",
    )


def _begin_sqlite(connection: sa.Connection) -> None:
    """A writer takes the lock at once: taken later, what it has read could be out of date."""
    is_reader = connection.get_execution_options().get("mpi_is_reader", False)
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN" if is_reader else "BEGIN IMMEDIATE").close()


def _alembic(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _revision(connection: sa.Connection) -> str | None:
    options = {"version_table": REVISION_TABLE}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def _contract(connection: sa.Connection) -> str | None:
    """Since which program's revision the store can be used."""
    return MigrationContext.configure(connection).get_current_revision()


def _write_contract(connection: sa.Connection) -> None:
    found = _revision(connection)
    for statement in _CONTRACT:
        connection.execute(sa.text(statement))
    if found:
        since = {"since": min(found, SERVES_SINCE)}
        connection.execute(sa.text("INSERT INTO alembic_version VALUES (:since)"), since)


def _check_revision(connection: sa.Connection) -> None:
    """Revisions are numbered, so that they can be compared."""
    since = _contract(connection)
    found = _revision(connection) or since
    wanted = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    assert wanted, "there are migrations"
    if since is None or found is None:
        raise WrongSchema("store: it holds no index yet; load it first with `mpi load`")
    if not since <= wanted <= found:
        wrong = max(since, found) if since > wanted else found
        raise WrongSchema(f"store: its schema has version {wrong}, this program needs {wanted}")


_CONTRACT: Final = (
    "CREATE TABLE IF NOT EXISTS alembic_version "
    "(version_num VARCHAR(32) NOT NULL CONSTRAINT alembic_version_pkc PRIMARY KEY)",
    "DELETE FROM alembic_version",
)
