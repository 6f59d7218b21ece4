"""What commands share: their common options, and the settings that follow from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mpi.config import Settings, read_settings

if TYPE_CHECKING:
    from mpi.storage.engine import Store

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        help="The store: sqlite:///path or postgresql://...; else the setting database_url.",
        show_default=False,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON for a program instead of text for people.")
]
InputFile = Annotated[
    Path,
    typer.Argument(
        help="The table to read: CSV or Parquet.",
        exists=True,
        dir_okay=False,
        readable=True,
        show_default=False,
    ),
]
InputFolder = Annotated[
    Path,
    typer.Argument(
        help="The feeds: one file for each source system.",
        exists=True,
        file_okay=False,
        readable=True,
        show_default=False,
    ),
]


def chosen_settings(database_url: str | None) -> Settings:
    """The installation's settings, with the store that the command line names, if it names one.

    Raises:
        InvalidSettings: If `mpi.toml` or a variable is wrong.
    """
    settings = read_settings()
    return replace(settings, database_url=database_url) if database_url else settings


def chosen_store(database_url: str | None) -> Store:
    """The store of the settings, opened; it must exist (see `mpi store init` and `mpi load`).

    Raises:
        InvalidSettings: If `mpi.toml` or a variable is wrong.
        StorageUnavailable, WrongSchema: If the store cannot be used.
    """
    from mpi.storage.engine import open_store

    return open_store(chosen_settings(database_url).database_url)


def example(*lines: str) -> str:
    """The epilog of a command's help: each line is a command that can be copied."""
    title = "Example:" if len(lines) == 1 else "Examples:"
    return "\n\n".join([f"[bold]{title}[/bold]", *lines])
