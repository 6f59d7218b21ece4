"""`mpi serve`: starts the server by its import string, so that this package never imports it."""

from __future__ import annotations

import os
from typing import Annotated, Final

import typer

from mpi.cli.choices import DatabaseUrl, chosen_settings, example
from mpi.errors import Unavailable

SERVER_APPLICATION: Final = "api.app:create_app"


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi serve`."""
    app.command(epilog=example("mpi serve", "mpi serve --port 9000 --workers 2"))(serve)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8080,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Processes.")] = 1,
    database_url: DatabaseUrl = None,
) -> None:
    """Answer over HTTP until interrupted; the API describes itself at /docs."""
    import uvicorn

    from mpi.cli.registering import opened_for_writing

    settings = chosen_settings(database_url)
    with opened_for_writing(settings):
        pass  # What is wrong is told here in one sentence, and not by every worker.
    os.environ["MPI_DATABASE_URL"] = settings.database_url
    typer.echo(f"Serving http://{host}:{port}; its description is at /docs. Ctrl+C ends it.")
    try:
        uvicorn.run(
            SERVER_APPLICATION,
            factory=True,
            host=host,
            port=port,
            workers=workers,
            access_log=False,
            log_level="warning",
        )
    except SystemExit as ended:
        if ended.code:
            raise Unavailable("serve: the server could not start or was stopped") from ended
