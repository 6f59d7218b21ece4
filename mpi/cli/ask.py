"""`mpi resolve` and `mpi explain`: who is this, and why are these two one person?"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Annotated

import typer

from mpi.cli.choices import AsJson, DatabaseUrl, chosen_settings, example
from mpi.cli.question import QUESTION_BYTES_MAX, Question, question_from_fields, question_from_json
from mpi.domain.identifiers import parse_record_key
from mpi.errors import InvalidInput

Asked = Annotated[str | None, typer.Option(show_default=False)]


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi resolve` and `mpi explain`."""
    app.command(
        epilog=example(
            "mpi resolve - < question.json",
            "mpi resolve --record gp:J81001-17",
            "mpi resolve --person P7K2M9QX4T1BW7 --json",
        )
    )(resolve)
    app.command(epilog=example("mpi explain gp:J81001-17 poole:P445"))(explain)


def resolve(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="-",
            help="- reads the question as JSON from standard input.",
            show_default=False,
        ),
    ] = None,
    record: Annotated[str | None, typer.Option(help="source:local_id", show_default=False)] = None,
    person: Annotated[str | None, typer.Option(help="A person id.", show_default=False)] = None,
    nhs_number: Asked = None,
    given_name: Asked = None,
    middle_name: Asked = None,
    family_name: Asked = None,
    date_of_birth: Asked = None,
    sex: Asked = None,
    address: Asked = None,
    town: Asked = None,
    postcode: Asked = None,
    phone: Asked = None,
    email: Asked = None,
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Who is this, and where else do they have records? Changes nothing.

    Options stay in the shell's history: for real people, write the question
    as JSON to standard input instead.
    """
    from mpi.cli.answering import open_desk, resolved_view
    from mpi.cli.show import print_answer

    if source not in (None, "-"):
        raise InvalidInput("resolve: the only argument is -, for JSON from standard input")
    options = {
        "record": record,
        "person_id": person,
        "nhs_number": nhs_number,
        "given_name": given_name,
        "middle_name": middle_name,
        "family_name": family_name,
        "date_of_birth": date_of_birth,
        "sex": sex,
        "address": address,
        "town": town,
        "postcode": postcode,
        "phone": phone,
        "email": email,
    }
    question = _question(options, is_written=source == "-")
    resolved = open_desk(chosen_settings(database_url)).resolve(question)
    if as_json:
        typer.echo(json.dumps(resolved_view(resolved)))
    else:
        print_answer(resolved)


def explain(
    left: Annotated[str, typer.Argument(help="source:local_id", show_default=False)],
    right: Annotated[str, typer.Argument(help="source:local_id", show_default=False)],
    as_json: AsJson = False,
    database_url: DatabaseUrl = None,
) -> None:
    """Show the evidence for and against two records being one person; it sums to the weight."""
    from mpi.cli.answering import open_desk, plain
    from mpi.cli.show import print_explained_pair

    keys = parse_record_key(left), parse_record_key(right)
    explained = open_desk(chosen_settings(database_url)).explain(*keys)
    if as_json:
        typer.echo(json.dumps(plain(explained)))
    else:
        print_explained_pair(explained)


def _question(options: Mapping[str, str | None], *, is_written: bool) -> Question:
    """From standard input or from the options, not from both."""
    if not is_written:
        return question_from_fields(options)
    if any(options.values()):
        raise InvalidInput("resolve: ask by options or by standard input, not by both")
    return question_from_json(sys.stdin.read(QUESTION_BYTES_MAX + 1))
