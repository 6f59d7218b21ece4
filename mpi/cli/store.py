"""`mpi store`: makes a store and keeps its schema up to date."""

from __future__ import annotations

import typer

from mpi.cli.choices import DatabaseUrl, chosen_settings, example

_commands = typer.Typer(help="Make a store, or bring its schema up to date.")


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi store`."""
    app.add_typer(_commands, name="store")


@_commands.command(
    epilog=example("mpi store init", "mpi store init --database-url postgresql:///mpi")
)
def init(database_url: DatabaseUrl = None) -> None:
    """Make the tables in a new store; a store that has them is left as it is."""
    from mpi.storage.engine import create_store

    create_store(chosen_settings(database_url).database_url).close()
    typer.echo("The store is ready.")


@_commands.command(epilog=example("mpi store upgrade"))
def upgrade(database_url: DatabaseUrl = None) -> None:
    """Bring an existing store to this version's schema. Make a backup first."""
    from mpi.storage.engine import upgrade_store

    upgrade_store(chosen_settings(database_url).database_url)
    typer.echo("The store is up to date.")
