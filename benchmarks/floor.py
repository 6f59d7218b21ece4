"""The bare floor application: the statements of each request, and nothing else.

Same server, same workers, same framework, same store, same statements in the same transactions, and
an answer of the same bytes; no tokens, no rules, no scoring, no log. What the service takes longer
than this is what it does for its users; what this takes, nobody can leave out.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import psycopg
from fastapi import Body, FastAPI, Request, Response

from benchmarks.tapes import Kind, Step, Tape, read_tapes
from mpi.storage.engine import parsed_url, sqlite_pragmas

TAPES_VARIABLE = "MPI_BENCHMARK_TAPES"
TAPE_HEADER = "x-tape"
"""Which tape a request is; the service does not look at it."""
READS_HEADER = "x-reads-only"
"""Its presence leaves out transactions that write: the audit of a question."""


def create_app() -> FastAPI:
    """Served by `uvicorn --factory` in the place of `api.app:create_app`."""
    tapes = read_tapes(Path(os.environ[TAPES_VARIABLE]))
    opened: list[Any] = []
    play = _player(os.environ["MPI_DATABASE_URL"], opened)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        for connection in opened:
            connection.close()

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    @app.get("/health/live")
    def live() -> dict[str, str]:
        return {}

    @app.post("/v1/resolve")
    @app.put("/v1/sources/{source}/records/{local_id:path}")
    def answer(request: Request, _asked: Annotated[Any, Body()]) -> Response:
        tape = tapes[int(request.headers[TAPE_HEADER])]
        play(tape, READS_HEADER in request.headers)
        return Response(tape.answer, media_type="application/json")

    return app


def _player(url: str, opened: list[Any]) -> Callable[[Tape, bool], None]:
    """Plays a tape on a connection of the thread's own, one of those that it has opened."""
    own = threading.local()
    turn = threading.Lock()
    is_sqlite = url.startswith("sqlite")

    def play(tape: Tape, is_reads_only: bool) -> None:
        if not hasattr(own, "connection"):
            own.connection = _connected(url)
            opened.append(own.connection)
        for transaction in tape.transactions:
            if transaction.kind is Kind.READS:
                _play(own.connection, _BEGIN_READING[is_sqlite], transaction.steps)
            elif is_reads_only:
                continue
            elif transaction.kind is Kind.ALONE:
                _run_all(own.connection, transaction.steps)
            elif is_sqlite:
                with turn:  # One writer at a time, as the file has it; asked for, not polled for.
                    _play(own.connection, "BEGIN IMMEDIATE", transaction.steps)
            else:
                _play(own.connection, "BEGIN", transaction.steps)

    return play


_BEGIN_READING = {True: "BEGIN", False: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}


def _connected(url: str) -> Any:
    parsed = parsed_url(url)
    if parsed.drivername != "sqlite":
        plain = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(plain, autocommit=True)
    path = str(parsed.database)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in sqlite_pragmas():
        connection.execute(pragma).close()
    return connection


def _play(connection: Any, begin: str, steps: list[Step]) -> None:
    """One transaction, durable when it ends."""
    connection.execute(begin).close()
    try:
        _run_all(connection, steps)
    except BaseException:
        connection.execute("ROLLBACK").close()
        raise
    connection.execute("COMMIT").close()


def _run_all(connection: Any, steps: list[Step]) -> None:
    """The numbers that rows have now are kept by those that they had on the tape.

    Those of records and of versions must be far apart, as they are in a store that is in use.
    """
    now: dict[Any, Any] = {}
    for step in steps:
        _run(connection, step, now)


def _run(connection: Any, step: Step, now: dict[Any, Any]) -> None:
    values = _present(step.values, now) if now else step.values
    if step.is_many:
        connection.cursor().executemany(step.text, values)
    else:
        cursor = connection.execute(step.text, values) if values else connection.execute(step.text)
        if step.given:
            now |= zip(step.given, (row[0] for row in cursor.fetchall()), strict=False)
        elif cursor.description:
            cursor.fetchall()
        cursor.close()


def _present(values: Any, now: dict[Any, Any]) -> Any:
    if isinstance(values, dict):
        return {name: _present(value, now) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return [_present(value, now) for value in values]
    return now.get(values, values) if isinstance(values, int) else values
