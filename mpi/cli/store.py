"""`mpi store`: makes a store and keeps its schema up to date."""

from __future__ import annotations

from typing import Annotated

import typer

from mpi.cli.choices import DatabaseUrl, chosen_settings, chosen_store, example

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


@_commands.command(epilog=example("mpi store grant mpi_app --database-url postgresql:///mpi"))
def grant(
    role: Annotated[
        str, typer.Argument(help="The database role of the server.", show_default=False)
    ],
    database_url: DatabaseUrl = None,
) -> None:
    """Give a PostgreSQL role what the server needs: it may add to the audit trail, never change it.

    Run as the owner of the tables, with whose rights the server itself should not run.
    """
    from mpi.storage.rights import grant_rights

    opened = chosen_store(database_url)
    grant_rights(opened, role)
    opened.close()
    typer.echo(f"{role} may use the store, and only add to its audit trail.")
