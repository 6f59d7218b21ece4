"""`mpi load`, `mpi train` and `mpi link`: bulk work, on feeds and on files."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Annotated, Final

import typer

import mpi
from mpi.cli.choices import DatabaseUrl, InputFile, InputFolder, chosen_settings, example
from mpi.cli.footprint import cost_of_work
from mpi.config import read_settings

SPEC_DEFAULT: Final = Path(mpi.__file__).parents[1] / "linkage_models" / "dorset" / "spec.toml"


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi load`, `mpi link` and `mpi train`."""
    app.command(
        epilog=example(
            "mpi load demo/feeds", "mpi load /feeds --snapshot --database-url postgresql:///mpi"
        )
    )(load)
    app.command(
        epilog=example(
            "mpi link people.csv --out persons.csv",
            "mpi link people.parquet --out persons.parquet --questions questions.csv",
        )
    )(link)
    app.command(epilog=example("mpi train feeds --version 4 --out linkage_models/dorset"))(train)


def load(
    folder: InputFolder,
    snapshot: Annotated[
        bool, typer.Option("--snapshot", help="Retire records that a full extract no longer has.")
    ] = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Load a folder of raw feeds, one file for each source system, and link it all.

    Each row is a version of a record. Loading the same folder twice changes nothing.
    """
    from mpi.batch.index.load import load_folder
    from mpi.cli.progress import ShownProgress

    began = perf_counter()
    settings = chosen_settings(database_url)
    report = load_folder(folder, settings=settings, is_snapshot=snapshot, progress=ShownProgress())
    typer.echo(report.summary())
    typer.echo(cost_of_work(perf_counter() - began, settings))


def link(
    file: InputFile,
    out: Annotated[Path, typer.Option(help="Where record_id and person_id go (CSV or Parquet).")],
    edges: Annotated[
        Path | None, typer.Option(help="Also write the pairs that reached the review threshold.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(help="Also write what a steward should be asked.")
    ] = None,
    trust_scheme: Annotated[
        bool,
        typer.Option(
            "--trust-scheme",
            help="Numbers of another scheme that differ keep records apart, as NHS numbers do.",
        ),
    ] = False,
) -> None:
    """Link any CSV or Parquet file of people, with no store.

    Columns: record_id, source, nhs_number, given_name, middle_name,
    family_name, date_of_birth, sex, postcode, address, town, phone, email.
    Any may be missing or empty; dates are any text.
    """
    from mpi.batch.files.link import link_file
    from mpi.cli.progress import ShownProgress

    report = link_file(
        file,
        out=out,
        edges_out=edges,
        questions_out=questions,
        is_scheme_trusted=trust_scheme,
        settings=read_settings(),
        progress=ShownProgress(),
    )
    typer.echo(report.summary())


def train(
    folder: InputFolder,
    version: Annotated[str, typer.Option(help="The new release's name; must not exist yet.")],
    out: Annotated[Path, typer.Option(help="Folder of the model's releases.")],
    spec: Annotated[
        Path,
        typer.Option(
            exists=True, dir_okay=False, help="What is compared.", show_default="the shipped spec"
        ),
    ] = SPEC_DEFAULT,
) -> None:
    """Estimate the model from feeds, and write an immutable release with its model card."""
    from mpi.batch.training.train import train as train_model
    from mpi.cli.progress import ShownProgress

    report = train_model(folder, spec=spec, out=out, version=version, progress=ShownProgress())
    typer.echo(report.summary())
