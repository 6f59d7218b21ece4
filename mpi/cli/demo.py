"""`mpi demo`: the whole product on invented people, in one command."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
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
    from mpi.cli.answering import Desk, Resolved
    from mpi.cli.progress import ShownProgress
    from mpi.services.answers import CrossReference

SEED: Final = 42
"""No release is trained on this seed, nor on any other that an evaluation uses."""
PEOPLE_DEFAULT: Final = 20_000
EXAMPLES_MAX: Final = 20
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
    asked: list[Resolved] = field(default_factory=list)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Notes under `name` how many seconds the work inside takes, to a hundredth."""
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
    from mpi.cli.footprint import peak_memory_mib, workers_count

    report, evaluation = demonstration.report, demonstration.evaluation
    assert report is not None
    assert evaluation is not None
    links = evaluation.automatic_links.to_dict()
    rates = ("precision", "recall", "false_per_10000", "false_per_10000_upper")
    return {
        "people": demonstration.people,
        "records": report.written.records,
        "persons": report.written.persons,
        "automatic_links": {name: links[name] for name in rates},
        "tasks_per_1000_records": evaluation.tasks_per_1000_records,
        "twins_linked": evaluation.twins_linked,
        "quarantined_rows": report.quarantined_rows,
        "seconds": demonstration.seconds,
        "peak_memory_mib": peak_memory_mib(workers_count=workers_count(demonstration.settings)),
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
    typer.echo(demonstration.report.summary())
    _say("3. Compare with the truth")
    with demonstration.timed("evaluate"), progress.phase("evaluate"):
        demonstration.evaluation = evaluate_store(open_store(settings.database_url), feeds)


def _ask(demonstration: Demonstration) -> None:
    """Three questions, as three systems would ask them."""
    from mpi.batch.stored_index import example_records, read_index
    from mpi.cli.answering import open_desk
    from mpi.cli.show import print_answer

    desk = open_desk(demonstration.settings)
    examples = example_records(read_index(desk.writer.store), records_count=EXAMPLE_RECORDS_COUNT)
    with demonstration.timed("resolve"):
        for number, (words, question) in enumerate(_questions(desk, examples), start=4):
            _say(f"{number}. {words}")
            resolved = desk.resolve(question)
            print_answer(resolved, is_brief=True)
            demonstration.asked.append(resolved)


def _questions(desk: Desk, examples: list[ExampleRecord]) -> Iterator[tuple[str, Question]]:
    """By record, by number, and by demographics with a typing error and without a number."""
    if not examples:
        return
    key = str(examples[0].key)
    yield f"Who is the record {key}?", question_from_fields({"record": key})
    known = [_told(desk, example) for example in examples[1:EXAMPLES_MAX]]
    numbered = [each for each in known if "nhs_number" in each]
    if numbered:
        number = numbered[len(numbered) // 2]["nhs_number"]
        yield f"Who has the NHS number {number}?", question_from_fields({"nhs_number": number})
    described = [each for each in known if each.keys() >= _DESCRIBING and _is_misspelt(each)]
    if described:
        asked = {name: described[-1][name] for name in _DESCRIBING_IN_ORDER}
        asked["family_name"] = _misspelt(asked["family_name"])
        name = f"{asked['given_name']} {asked['family_name']} (two letters exchanged)"
        yield (
            f"Who is {name}, born {asked['date_of_birth']}, {asked['postcode']}?",
            question_from_fields(asked),
        )


_DESCRIBING_IN_ORDER: Final = ("given_name", "family_name", "date_of_birth", "postcode")
_DESCRIBING: Final = frozenset(_DESCRIBING_IN_ORDER)


def _told(desk: Desk, example: ExampleRecord) -> dict[str, str]:
    """The single-valued fields of the golden record of the person who has this record."""
    golden = desk.resolve(Question(record=example.key)).answer.persons[0].golden
    return {name: field["value"] for name, field in golden.items() if isinstance(field, Mapping)}


def _is_misspelt(fields: Mapping[str, str]) -> bool:
    return _misspelt(fields["family_name"]) != fields["family_name"]


def _misspelt(name: str) -> str:
    """Two letters exchanged, as a clerk in a hurry would."""
    return name[:1] + name[2:3] + name[1:2] + name[3:]


def _tell(demonstration: Demonstration) -> None:
    from mpi.batch.evaluation_tables import evaluation_tables
    from mpi.cli.footprint import cost_of_work
    from mpi.cli.show import print_tables

    assert demonstration.evaluation is not None
    _say("7. How good is it?")
    print_tables(evaluation_tables(demonstration.evaluation)[:2])
    typer.echo(cost_of_work(demonstration.seconds["total"], demonstration.settings))
    _say("Go on with:")
    for command in _next_commands(demonstration):
        typer.echo(f"  {command}")


def _next_commands(demonstration: Demonstration) -> Iterator[str]:
    """What to try on the store that was made; records as keys, so that each can be copied."""
    mpi = sys.argv[0] if Path(sys.argv[0]).name == "mpi" else "mpi"
    folder, url = demonstration.folder, demonstration.settings.database_url
    yield f"export MPI_DATABASE_URL={shlex.quote(url)}"
    keys = [str(each.record) for each in _records_of_first(demonstration.asked)]
    if len(keys) > 1:
        yield shlex.join([mpi, "resolve", "--record", keys[0]])
        yield shlex.join([mpi, "explain", *keys[:2]])
    truth, page = str(folder / "feeds"), str(folder / "report.html")
    yield shlex.join([mpi, "evaluate", truth])
    yield shlex.join([mpi, "report", "--out", page, "--truth", truth])
    yield f"{mpi} serve" + ("    # or: make serve" if folder == FOLDER_DEFAULT else "")


def _records_of_first(asked: list[Resolved]) -> tuple[CrossReference, ...]:
    return asked[0].records[0].records if asked and asked[0].records else ()


def _say(words: str) -> None:
    typer.echo(f"\n{words}")
