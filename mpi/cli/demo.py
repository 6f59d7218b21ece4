"""`mpi demo`: the whole product on invented people, in one command."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from mpi.cli.choices import AsJson, example
from mpi.cli.question import Question, question_from_fields
from mpi.config import Settings, read_settings
from mpi.errors import InvalidInput
from mpi.limits import SYNTHETIC_PEOPLE_MAX

if TYPE_CHECKING:
    from mpi.batch.evaluation import Evaluation
    from mpi.batch.load import LoadReport
    from mpi.batch.stored_index import ExampleRecord
    from mpi.cli.progress import ShownProgress

SEED: Final = 42
"""No release is trained on this seed, nor on any other that an evaluation uses."""
PEOPLE_DEFAULT: Final = 20_000
EXAMPLE_RECORDS_COUNT: Final = 5
"""The people asked about are known to several sources, or there is little to see."""
FOLDER_DEFAULT: Final = Path("demo")
MARKER: Final = ".made-by-mpi-demo"


@dataclass(slots=True)
class Demonstration:
    """What a demonstration measured."""

    people: int
    folder: Path
    settings: Settings
    seconds: dict[str, float] = field(default_factory=dict)
    report: LoadReport | None = None
    evaluation: Evaluation | None = None

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        began = perf_counter()
        yield
        self.seconds[name] = round(perf_counter() - began, 2)


def add_commands(app: typer.Typer) -> None:
    """Adds `mpi demo`."""
    app.command(epilog=example("mpi demo", "mpi demo --people 5000 --json"))(demo)


def demo(
    people: Annotated[
        int, typer.Option(min=100, max=SYNTHETIC_PEOPLE_MAX, help="How many people to invent.")
    ] = PEOPLE_DEFAULT,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same region.")] = SEED,
    folder: Annotated[Path, typer.Option(help="Where it works; an earlier demo is replaced.")] = (
        FOLDER_DEFAULT
    ),
    as_json: AsJson = False,
) -> None:
    """Invent a region, link it, measure the result, and ask it three questions.

    With --json the last line is one JSON object of what was measured.
    """
    from mpi.cli.progress import ShownProgress

    _clear(folder)
    settings = replace(read_settings(), database_url=f"sqlite:///{folder / 'mpi.sqlite3'}")
    demonstration = Demonstration(people, folder, settings)
    with demonstration.timed("total"):
        _link_region(demonstration, seed, ShownProgress())
        _ask(demonstration)
    if as_json:
        typer.echo(json.dumps(summary(demonstration)))
    else:
        _tell(demonstration)


def summary(demonstration: Demonstration) -> dict[str, Any]:
    """What was measured, as JSON values; memory in MiB, times in seconds, rates per link."""
    from mpi.cli.footprint import peak_memory_mib

    report, evaluation = demonstration.report, demonstration.evaluation
    assert report is not None
    assert evaluation is not None
    links = evaluation.automatic_links.to_dict()
    workers_count = demonstration.settings.workers_count or len(os.sched_getaffinity(0))
    rates = ("precision", "recall", "false_per_10000", "false_per_10000_upper")
    return {
        "people": demonstration.people,
        "records": report.records,
        "persons": report.persons,
        "automatic_links": {name: links[name] for name in rates},
        "tasks_per_1000_records": evaluation.tasks_per_1000_records,
        "twins_linked": evaluation.twins_linked,
        "quarantined_rows": report.quarantined_rows,
        "seconds": demonstration.seconds,
        "peak_memory_mib": peak_memory_mib(workers_count=workers_count),
    }


def _clear(folder: Path) -> None:
    """Makes room for a new demonstration; a folder that is not one's own stays untouched."""
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARKER).exists():
            raise InvalidInput(f"folder: {folder} holds something that mpi demo did not make")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARKER).touch()


def _link_region(demonstration: Demonstration, seed: int, progress: ShownProgress) -> None:
    """Synthetic feeds, a store, and what the truth says of it."""
    from mpi.batch.load import load_folder
    from mpi.batch.stored_index import evaluate_store
    from mpi.storage.engine import open_store
    from mpi.synthetic.region import generate, write_region

    feeds, settings = demonstration.folder / "feeds", demonstration.settings
    _say(f"1. Invent {demonstration.people:,} people and what nine sources hold of them")
    with demonstration.timed("synth"), progress.phase("invent"):
        write_region(generate(people=demonstration.people, seed=seed), feeds)
    _say("2. Load the raw feeds and link them")
    with demonstration.timed("load"):
        demonstration.report = load_folder(feeds, settings=settings, progress=progress)
    _say("3. Compare with the truth")
    with demonstration.timed("evaluate"), progress.phase("evaluate"):
        demonstration.evaluation = evaluate_store(open_store(settings.database_url), feeds)


def _ask(demonstration: Demonstration) -> None:
    """Three questions, as three systems would ask them."""
    from mpi.batch.stored_index import example_records, read_index
    from mpi.cli.answering import open_desk
    from mpi.cli.show import print_answer

    desk = open_desk(demonstration.settings)
    examples = example_records(read_index(desk.store), records_count=EXAMPLE_RECORDS_COUNT)
    with demonstration.timed("resolve"):
        for words, question in _questions(examples):
            _say(words)
            print_answer(desk.resolve(question), is_brief=True)


def _questions(examples: list[ExampleRecord]) -> Iterator[tuple[str, Question]]:
    """By record, by number, and by demographics with a typing error and without a number."""
    if examples:
        key = str(examples[0].key)
        yield f"4. Who is the record {key}?", question_from_fields({"record": key})
    numbered = [each for each in examples if each.comparison.get("trusted_nhs_number")]
    if len(numbered) > 1:
        number = numbered[1].comparison["nhs_number"]
        yield f"5. Who has the NHS number {number}?", question_from_fields({"nhs_number": number})
    described = [each.comparison for each in examples if each.comparison.keys() >= _DESCRIBING]
    if described:
        chosen = described[-1]
        asked = {
            "given_name": chosen["given_name"],
            "family_name": _misspelt(chosen["family_name"]),
            "date_of_birth": chosen["birth_date"],
            "postcode": chosen["postcode"],
        }
        yield (
            f"6. Who is {', '.join(asked.values())} (two letters exchanged)?",
            question_from_fields(asked),
        )


_DESCRIBING: Final = {"given_name", "family_name", "birth_date", "postcode"}


def _misspelt(name: str) -> str:
    """Two letters exchanged, as a clerk in a hurry would."""
    return name[:1] + name[2:3] + name[1:2] + name[3:]


def _tell(demonstration: Demonstration) -> None:
    from mpi.batch.evaluation_tables import evaluation_tables
    from mpi.cli.show import print_tables

    assert demonstration.evaluation is not None
    measured = summary(demonstration)
    _say("7. How good is it?")
    print_tables(evaluation_tables(demonstration.evaluation)[:2])
    total = demonstration.seconds["total"]
    typer.echo(f"Took {total:.0f} s and at most {measured['peak_memory_mib']:,} MiB of memory.")
    where = f"--database-url {demonstration.settings.database_url}"
    mpi = sys.argv[0] if Path(sys.argv[0]).name == "mpi" else "mpi"
    _say("Go on with:")
    if demonstration.folder == FOLDER_DEFAULT:
        typer.echo("  make serve")
    for command in ("serve", f"report --out {demonstration.folder}/report.html"):
        typer.echo(f"  {mpi} {command} {where}")


def _say(words: str) -> None:
    typer.echo(f"\n{words}")
