"""`mpi evaluate` and `mpi report`: how good the index is, in figures and in pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mpi.cli.choices import (
    AsJson,
    DatabaseUrl,
    chosen_settings,
    chosen_store,
    example,
)


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi evaluate` and `mpi report`."""
    app.command(
        epilog=example("mpi evaluate demo/feeds", "mpi evaluate demo/feeds/truth.csv --json")
    )(evaluate)
    app.command(
        epilog=example(
            "mpi report --out report.html", "mpi report --out report.html --truth demo/feeds"
        )
    )(report)


def evaluate(
    truth: Annotated[
        Path,
        typer.Argument(
            exists=True,
            help="The truth: a CSV file with source, local_id and human_id, or its folder.",
            show_default=False,
        ),
    ],
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Judge the store against the truth, which is known of invented people only."""
    from mpi.batch.evaluation_tables import evaluation_tables
    from mpi.batch.stored_index import evaluate_store
    from mpi.cli.show import print_tables

    evaluation = evaluate_store(chosen_store(database_url), truth)
    if as_json:
        typer.echo(json.dumps(evaluation.to_dict()))
    else:
        print_tables(evaluation_tables(evaluation))


def report(
    out: Annotated[Path, typer.Option(help="The HTML file to write.")],
    truth: Annotated[
        Path | None,
        typer.Option(exists=True, help="The truth, to show calibration and accuracy too."),
    ] = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Write one HTML page: weights, levels, completeness, group sizes, calibration.

    It holds counts only, nothing about any one person.
    """
    from mpi.batch.report import write_report
    from mpi.batch.stored_index import report_on_store
    from mpi.cli.answering import open_desk
    from mpi.clock import SystemClock

    desk = open_desk(chosen_settings(database_url))
    data = report_on_store(
        desk.writer.store,
        model=desk.index.model,
        created_at=SystemClock().now(),
        truth=truth,
    )
    write_report(out, data=data)
    typer.echo(f"The report is in {out}.")
