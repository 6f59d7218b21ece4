"""The `mpi` command: where every expected failure becomes one sentence and an exit status.

No traceback is shown, because a traceback quotes what was read, and what is read here is about
people; `MPI_DEBUG=1` shows it to a developer who works on invented ones.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Annotated, Final

import typer

import mpi
from mpi.cli import (
    ask,
    audit,
    backup,
    batch,
    check,
    clients,
    demo,
    measure,
    quality,
    region,
    register,
    server,
    store,
    webhooks,
)
from mpi.errors import MpiError

DEBUG_VARIABLE: Final = "MPI_DEBUG"
INTERRUPTED_STATUS: Final = 128 + signal.SIGINT
CLOSED_PIPE_STATUS: Final = 141
"""128 + SIGPIPE, as a shell reports a program whose reader went away (`mpi ... | head`)."""
USAGE_STATUS: Final = 2
UNAVAILABLE_STATUS: Final = 6
BUG_STATUS: Final = 70
"""EX_SOFTWARE of sysexits.h: our mistake, never the caller's."""

_OUT_OF_RESOURCES: Final = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENOMEM}

app = typer.Typer(
    name="mpi",
    help="Which records are one person, and who is this? A master patient index.",
    epilog="Begin with: mpi demo",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
_GROUPS: Final = (
    demo, region, batch, measure, quality, check, register, ask, server, store, clients, audit,
    webhooks, backup,
)  # fmt: skip
for group in _GROUPS:
    group.add_commands(app)


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        typer.echo(mpi.__version__)
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run() -> None:
    """The console script: runs the command line's words and ends with the exit status."""
    if os.environ.get(DEBUG_VARIABLE) != "1":
        warnings.simplefilter("ignore")  # For developers, whose tests turn them into errors.
    status = exit_status(sys.argv[1:])
    sys.exit(status if _flush_output() else status or CLOSED_PIPE_STATUS)


def exit_status(words: Sequence[str]) -> int:
    """Runs one command and says how it ended.

    Args:
        words: The command line without the program's name.

    Returns:
        0, or a status of the table in docs/interfaces/command-line.md; what went wrong has been
        said on standard error, in one sentence without personal data.
    """
    try:
        return _run(list(words))
    except typer.Exit as ended:
        return ended.exit_code
    except (KeyboardInterrupt, typer.Abort):
        return _fail("interrupted; nothing half-written was kept", INTERRUPTED_STATUS)
    except BrokenPipeError:
        return CLOSED_PIPE_STATUS
    except SystemExit as ended:  # Rich ends so when its reader goes away, and nothing else does.
        if isinstance(ended.__context__, BrokenPipeError):
            return CLOSED_PIPE_STATUS
        raise
    except typer.TyperException as error:
        return _fail(f"{_sentence(error.format_message())}; see --help", USAGE_STATUS)
    except MpiError as error:
        return _fail(str(error), error.exit_status)
    except OSError as error:
        return _fail(*_outcome_of_system_error(error))
    except Exception as error:
        return _fail(_unforeseen(error), BUG_STATUS)


def _run(words: list[str]) -> int:
    """The steps of a command without the wrapping that would show its errors in its own way."""
    command = typer.main.get_command(app)
    with command.make_context("mpi", words) as context:
        command.invoke(context)
    return 0


def _outcome_of_system_error(error: OSError) -> tuple[str, int]:
    reason = (error.strerror or type(error).__name__).lower()
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in _OUT_OF_RESOURCES:
        return f"{where}{reason}; nothing half-written was kept", UNAVAILABLE_STATUS
    if error.filename:
        return f"{where}{reason}", USAGE_STATUS
    return _unforeseen(error), BUG_STATUS


def _unforeseen(error: Exception) -> str:
    """Names the class and the place, and not the message, which may quote data."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"
    return (
        f"a bug: {type(error).__name__} at {place}; nothing half-written was kept. "
        "With invented people only, MPI_DEBUG=1 shows where it came from"
    )


def _fail(sentence: str, status: int) -> int:
    if os.environ.get(DEBUG_VARIABLE) == "1":
        traceback.print_exc()
    typer.echo(f"mpi: {sentence}", err=True)
    return status


def _sentence(message: str) -> str:
    return message.strip().rstrip(".")


def _flush_output() -> bool:
    """Whether all was written; here a closed pipe can be met quietly, at the very end it cannot."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True
