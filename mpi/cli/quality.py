"""`mpi threshold` and `mpi label`: what a threshold costs, and what people say of the links."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mpi.cli.choices import DatabaseUrl, InputFolder, chosen_settings, example

label = typer.Typer(
    help="Have a sample of pairs judged by people, and learn what that says of the links.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi threshold` and `mpi label`."""
    app.command(
        epilog=example(
            "mpi threshold demo/feeds --cost-ratio 20",
            "mpi threshold demo/feeds --cost-ratio 50 --tasks 5",
        )
    )(threshold)
    label.command(
        "export",
        epilog=example("mpi label export --out pairs.csv --key key.csv --pairs 400"),
    )(export)
    label.command("import", epilog=example("mpi label import ann.csv ben.csv --key key.csv"))(
        import_
    )
    app.add_typer(label, name="label")


def threshold(
    folder: InputFolder,
    cost_ratio: Annotated[
        float, typer.Option(help="A false link costs as much as so many missed ones.")
    ] = 20.0,
    tasks: Annotated[
        float, typer.Option(help="Questions that stewards can answer, for each 1,000 records.")
    ] = 12.0,
) -> None:
    """Show what each threshold costs on feeds with NHS numbers, and choose the cheapest.

    Trusted NHS numbers say which pairs are one person; weights leave them out.
    """
    from mpi.batch.threshold_costs import choose_by_cost
    from mpi.cli.progress import ShownProgress
    from mpi.cli.show import print_tables
    from mpi.config import read_settings
    from mpi.storage.releases import read_release, release_in_force

    choice = choose_by_cost(
        folder,
        read_release(release_in_force(read_settings().release_folder)),
        cost_ratio=cost_ratio,
        tasks_per_1000_max=tasks,
        progress=ShownProgress(),
    )
    print_tables([choice.table()])
    typer.echo(choice.summary())


KeyFile = Annotated[
    Path, typer.Option(help="The key, to be kept from the readers.", dir_okay=False)
]


def export(
    out: Annotated[Path, typer.Option(help="The CSV file of pairs for the readers.")],
    key: KeyFile,
    pairs: Annotated[int, typer.Option(min=1, help="How many pairs to draw.")] = 400,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same sample.")] = 1,
    database_url: DatabaseUrl = None,
) -> None:
    """Draw pairs of the store from all weights, blind and in random order.

    Give each reader a copy; they fill the column answer with yes, no or unsure.
    """
    from mpi.batch.labelling import export_sample
    from mpi.cli.answering import open_desk

    desk = open_desk(chosen_settings(database_url))
    count = export_sample(
        desk.writer.store,
        thresholds=desk.index.model.thresholds,
        out=out,
        key=key,
        pairs=pairs,
        seed=seed,
    )
    typer.echo(f"{count:,} pairs to judge are in {out}; keep {key} from those who judge them.")


def import_(
    answers: Annotated[
        list[Path], typer.Argument(help="One or two files, one a reader.", exists=True)
    ],
    key: KeyFile,
) -> None:
    """Read the answers: how far readers agree, and the precision and recall that follow."""
    from mpi.batch.labelling import import_answers

    typer.echo(import_answers(answers, key).summary())
