"""`mpi verify`, `mpi preview`, `mpi release`: is the index right, what would a model change?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mpi.cli.choices import AsJson, DatabaseUrl, chosen_settings, example

DIFFERENCE_STATUS = 1
Model = Annotated[Path, typer.Option(help="Folder of the other model release.")]
Examples = Annotated[int, typer.Option(min=0, help="How many examples of each kind to show.")]


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi verify`, `mpi preview` and `mpi release`."""
    app.command(epilog=example("mpi verify", "mpi verify --examples 20 --json"))(verify)
    app.command(epilog=example("mpi preview --model linkage_models/dorset/3"))(preview)
    app.command(epilog=example("mpi release linkage_models/dorset/3"))(release)


def verify(
    examples: Examples = 5, as_json: AsJson = False, database_url: DatabaseUrl = None
) -> None:
    """Link the whole store again and show every difference to what it holds.

    Ends with status 1 if there is any. Others can go on working meanwhile.
    """
    from mpi.batch.index.verify import verify_store
    from mpi.cli.progress import ShownProgress

    settings = chosen_settings(database_url)
    found = verify_store(settings, progress=ShownProgress(), examples_max=examples)
    typer.echo(json.dumps(found.to_dict()) if as_json else found.summary())
    if found.differences:
        raise typer.Exit(DIFFERENCE_STATUS)


def preview(
    model: Model,
    examples: Examples = 5,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show what another model release would merge, split and ask; nothing is changed."""
    from mpi.batch.index.preview import preview_release
    from mpi.cli.progress import ShownProgress

    found = preview_release(
        chosen_settings(database_url), model, progress=ShownProgress(), examples_max=examples
    )
    typer.echo(json.dumps(found.to_dict()) if as_json else found.summary())


def release(
    model: Annotated[Path, typer.Argument(help="Folder of the release.", show_default=False)],
    database_url: DatabaseUrl = None,
) -> None:
    """Link the whole store under another model release, in one step; see `mpi preview` first.

    Person ids are kept. Releasing the earlier one brings everything back.
    """
    from mpi.batch.index.release import put_in_force
    from mpi.cli.progress import ShownProgress

    written = put_in_force(chosen_settings(database_url), model, progress=ShownProgress())
    typer.echo("\n".join(written.lines()))
    typer.echo(f"In force now: {model}. Set release_folder to it for servers and loads.")
