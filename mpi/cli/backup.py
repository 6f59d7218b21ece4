"""`mpi backup` and `mpi restore`: a copy of the store, and a store of a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpi.cli.choices import DatabaseUrl, chosen_settings, chosen_store, example


def add_commands(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command(epilog=example("mpi backup /var/backups/mpi/2026-11-27.backup"))(backup)
    app.command(
        epilog=example("mpi restore 2026-11-27.backup --database-url sqlite:///restored.sqlite3")
    )(restore)


def backup(
    path: Annotated[Path, typer.Argument(help="A new file.", show_default=False)],
    database_url: DatabaseUrl = None,
) -> None:
    """Copy the store, while it is used, to a new file. Keep it as safely as the store itself.

    The signing keys are not in it: keep their folder apart.
    """
    from mpi.storage.backup import back_up

    back_up(chosen_store(database_url), path)
    typer.echo(f"The store is copied to {path}, {path.stat().st_size:,} bytes.")


def restore(
    path: Annotated[
        Path, typer.Argument(help="What mpi backup wrote.", exists=True, dir_okay=False)
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Make a store of a copy; one that exists is never overwritten.

    Afterwards run mpi audit verify and mpi verify.
    """
    from mpi.storage.backup import restore as make_store

    make_store(path, chosen_settings(database_url).database_url)
    typer.echo("The store is restored. Check it: mpi audit verify, mpi verify.")
