"""Opening a store: which database, how it is spoken to, and that its schema is the one we know.

SQLite runs with a write-ahead log and `synchronous=FULL`, so that what was acknowledged survives a
power cut. No parameter of a statement ever reaches an error text or a log.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
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
"""How long a writer waits for another writer of the same SQLite file."""
CONNECT_TIMEOUT_S: Final = 5
POOL_CONNECTIONS_MAX: Final = 40
"""At least as many as the server has threads, so that none waits for a connection."""
CACHE_KIB: Final = 65_536
STATEMENTS_KEPT: Final = 512
"""Of one connection. On SQLite each length of list makes another statement, on PostgreSQL each type
of number in it; one that is forgotten is parsed again at the price of several look-ups."""
MAPPED_BYTES: Final = 1 << 36
"""How much of a SQLite file may be read through memory instead of by calls; only addresses."""
CHECKPOINT_PAGES: Final = 16_384
"""Pages of the write-ahead log (64 MiB) before SQLite moves them into the file: a registration
touches some thirty pages far apart, so the default of 1,000 would have it wait every moment."""
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


@dataclass(frozen=True, slots=True)
class Store:
    """An open store; safe to share between threads. Work on it through `unit_of_work` or `bulk`."""

    engine: sa.Engine
    reader: sa.Engine
    """The same pool, for transactions that change nothing."""
    gate: FileGate | None
    """Of a SQLite file."""

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @property
    def sqlite_path(self) -> str:
        """The file of a SQLite store."""
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
        if _revision(connection) is None:
            command.upgrade(_alembic(connection), "head")
        _check_revision(connection)
    return store


def open_store(url: str) -> Store:
    """The store at this address, which must hold our schema (see `create_store`)."""
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
    """Bring the schema of an existing store to a revision; `base` takes every table away."""
    store = _store(parsed_url(url))
    with _closed_on_failure(store), store.opened(), store.engine.begin() as connection:
        config = _alembic(connection)
        if revision == "base":
            command.downgrade(config, revision)
        else:
            command.upgrade(config, revision)
    store.close()


@contextmanager
def _closed_on_failure(store: Store) -> Iterator[None]:
    with ExitStack() as closing:
        closing.callback(store.close)
        with storage_failures():
            yield
        closing.pop_all()


def parsed_url(url: str) -> sa.URL:
    """The address of a store, if it is of a kind that we know. Raises InvalidSettings."""
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
    return Store(engine, engine.execution_options(**options), gate)


def _engine(url: sa.URL) -> sa.Engine:
    if url.drivername == "sqlite":
        return _sqlite_engine(url)
    options = " ".join(f"-c {name}={value}" for name, value in POSTGRESQL_SETTINGS.items())
    engine = sa.create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_size=POOL_CONNECTIONS_MAX,
        max_overflow=0,
        connect_args={"options": options, "connect_timeout": CONNECT_TIMEOUT_S},
    )
    sa.event.listen(engine, "do_connect", _connect_postgresql)
    return engine


_IN_TRANSACTION: Final = (TransactionStatus.INTRANS, TransactionStatus.INERROR)


class _KeepingConnection(psycopg.Connection[Any]):
    """Keeps its prepared statements when a transaction is undone.

    The driver forgets them all then, in case tables were made in it and will be made again; ours
    never are. A refused request, or two writers who met, would else have every statement parsed
    and planned again. Source: psycopg's documentation, "Prepared statements".
    """

    def rollback(self) -> None:
        is_in_transaction = self.pgconn.transaction_status in _IN_TRANSACTION
        if not is_in_transaction or self.pgconn.exec_(b"ROLLBACK").status != ExecStatus.COMMAND_OK:
            super().rollback()


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
    return MigrationContext.configure(connection).get_current_revision()


def _check_revision(connection: sa.Connection) -> None:
    found = _revision(connection)
    wanted = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if found is None:
        raise WrongSchema("store: it holds no index yet; load it first with `mpi load`")
    if found != wanted:
        raise WrongSchema(f"store: its schema has version {found}, this program needs {wanted}")
