"""`mpi synth`: a region of invented people, so that nobody's record is needed to try anything."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from mpi.cli.choices import example

if TYPE_CHECKING:
    from mpi.synthetic.region import Region

CHECK_FAILED_STATUS: Final = 1


class Profile(StrEnum):
    """How often sources make mistakes."""

    NORMAL = "normal"
    STRESS = "stress"


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi synth`."""
    app.command(
        epilog=example(
            "mpi synth --people 20000 --seed 42 --out demo/feeds",
            "mpi synth --people 100000 --seed 7 --out stressed --profile stress",
            "mpi synth --people 50000 --seed 1 --out checked --check",
        )
    )(synth)


def synth(
    out: Annotated[Path, typer.Option(help="Folder for the feeds and truth.csv; made if absent.")],
    people: Annotated[int, typer.Option(help="How many people to invent.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed, the same region.")] = 42,
    profile: Annotated[
        Profile, typer.Option(help="normal: error rates as published; stress: five times the odds.")
    ] = Profile.NORMAL,
    check: Annotated[
        bool, typer.Option("--check", help="Compare what came out with the published figures.")
    ] = False,
) -> None:
    """Invent a region: people, and what each kind of source system holds of them.

    Every source writes its own raw layout; truth.csv says who is who. NHS
    numbers come from the range that no real person has. --check ends with
    status 1 if a figure is not as published.
    """
    from mpi.cli.progress import ShownProgress
    from mpi.synthetic.region import generate, write_region

    progress = ShownProgress()
    with progress.phase("invent the people"):
        region = generate(people=people, seed=seed, profile=profile.value)
    with progress.phase("write the feeds"):
        manifest = write_region(region, out)
    for name, counts in manifest["sources"].items():
        typer.echo(f"{name:<22} {counts['records']:>10,} records {counts['rows']:>10,} rows")
    typer.echo(f"{people:,} people; their feeds and truth.csv are in {out}.")
    if check and not _check(region):
        raise typer.Exit(CHECK_FAILED_STATUS)


def _check(region: Region) -> bool:
    """Prints every published figure beside what came out; whether all are near enough."""
    from mpi.cli.show import print_figures
    from mpi.synthetic.check import check as check_region

    figures = check_region(region)
    print_figures(figures)
    return all(figure.ok for figure in figures)
