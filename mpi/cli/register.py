"""`mpi register`: statements of source systems, one JSON object a line, into the live index."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Final

import typer

from mpi.cli.choices import DatabaseUrl, chosen_settings, example
from mpi.errors import InvalidInput, InvalidRecord, MpiError, Unavailable
from mpi.limits import REQUEST_BYTES_MAX

if TYPE_CHECKING:
    from mpi.cli.registering import RegisterAll

STANDARD_INPUT: Final = "-"
GROUP_LINES: Final = 256
"""Lines that are submitted together: enough to share commits, few enough to be told of soon."""

Line = tuple[int, object]
"""Its number, and the JSON value that it holds."""


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi register`."""
    app.command(
        epilog=example("mpi register changes.ndjson > outcomes.ndjson", "mpi register - < feed")
    )(register)


def register(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-",
            help="One JSON object a line, as POST /v1/records:batch takes; - is standard input.",
            show_default=False,
        ),
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Register records in the live index; the outcome of each is one line of JSON.

    A line that cannot be registered is told on standard error and skipped, and the
    exit status is 2. If the store fails, the command stops with 6; running it again
    changes nothing that was registered before.
    """
    from mpi.cli.registering import opened_for_writing

    with ExitStack() as opened:
        stream = sys.stdin.buffer if file == STANDARD_INPUT else opened.enter_context(_open(file))
        settings = chosen_settings(database_url)
        register_all = opened.enter_context(opened_for_writing(settings))
        refused: list[int] = []

        def refuse(line: int, error: MpiError) -> None:
            refused.append(line)
            typer.echo(f"mpi: line {line}: {error}", err=True)

        lines = _lines(stream, refuse)
        while group := list(islice(lines, GROUP_LINES)):
            _register(group, register_all, refuse)
    if refused:
        raise InvalidInput(f"register: lines that were not registered: {len(refused)}")


def _open(file: str) -> IO[bytes]:
    if not Path(file).is_file():
        raise InvalidInput("file: there is none of this name")
    return Path(file).open("rb")


def _lines(stream: IO[bytes], refuse: Callable[[int, MpiError], None]) -> Iterator[Line]:
    """The lines that hold a JSON value; empty ones are passed over."""
    import orjson

    number = 0
    while line := stream.readline(REQUEST_BYTES_MAX + 1):
        number += 1
        if len(line) > REQUEST_BYTES_MAX:
            _skip_rest(stream, line)
            refuse(number, InvalidRecord(f"record: is longer than {REQUEST_BYTES_MAX} bytes"))
        elif line.strip():
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError:
                refuse(number, InvalidRecord("record: is not JSON in UTF-8"))


def _skip_rest(stream: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = stream.readline(REQUEST_BYTES_MAX)


def _register(
    group: list[Line],
    register_all: RegisterAll,
    refuse: Callable[[int, MpiError], None],
) -> None:
    """Register a group of lines and print what came of each; stops if the store fails."""
    import orjson

    failure: Unavailable | None = None
    outcomes = register_all([content for _, content in group])
    for (line, _), outcome in zip(group, outcomes, strict=True):
        if isinstance(outcome, Unavailable):
            failure = failure or outcome
        elif isinstance(outcome, MpiError):
            refuse(line, outcome)
        else:
            told = orjson.dumps({"line": line, "registered": outcome}, default=str)
            typer.echo(told.decode())
    sys.stdout.flush()
    if failure:
        raise failure
