"""Answers for people: tables and waterfalls in a terminal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mpi.domain.demographics import Demographics
from mpi.domain.links import rounded_bits
from mpi.linkage.explain import MISSING_NAME

if TYPE_CHECKING:
    from mpi.batch.quality.evaluation_tables import TextTable
    from mpi.cli.answering import Resolved
    from mpi.linkage.explain import Explanation
    from mpi.services.answers import CrossReferences, Evidence, PairExplanation, PersonAnswer
    from mpi.synthetic.figures import Figure

BRIEF_FIELDS: Final = (
    "given_name",
    "family_name",
    "date_of_birth",
    "sex",
    "address",
    "town",
    "postcode",
    "nhs_number",
)
_FIELDS: Final = tuple(field.name for field in fields(Demographics))
BAR_CHARACTERS_MAX: Final = 12
BITS_A_CHARACTER: Final = 2.0
WEIGHT_DECIMALS: Final = 6
PROBABILITY_DECIMALS: Final = 6
WIDTH_ELSEWHERE: Final = 1_000_000
"""Characters of a line in a file or a pipe: a program that reads one must find values whole."""
_NAME_PARTS: Final = ("given_name", "family_name")
_PLACE_PARTS: Final = ("name", "address", "town", "postcode", "phone")
_ASIDES: Final = ("kind", "relationship", "until")


def _console() -> Console:
    """Standard output, as wide as its terminal; without one, as wide as what is shown."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH_ELSEWHERE
    return console


def print_tables(tables: Iterable[TextTable], console: Console | None = None) -> None:
    """Tables of text, the first column to the left and the others to the right."""
    shown = console or _console()
    for content in tables:
        table = Table(title=content.title, title_justify="left", title_style="bold", box=None)
        for place, name in enumerate(content.columns):
            table.add_column(name, justify="right" if place else "left")
        for row in content.rows:
            table.add_row(*(Text(value) for value in row))
        shown.print(table)
        shown.print()


def print_rows(rows: Sequence[Mapping[str, Any]], console: Console | None = None) -> None:
    """Rows of one shape as a table with their keys as heads; lists are joined."""
    shown = console or _console()
    if not rows:
        shown.print("None.")
        return
    table = Table(box=None)
    for name in rows[0]:
        table.add_column(name.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row.values()))
    shown.print(table)


def print_figures(figures: Iterable[Figure], console: Console | None = None) -> None:
    """Published figures beside those of a synthetic region."""
    shown = console or _console()
    table = Table("figure", box=None)
    for name in ("published", "observed", "95 % interval", "cases", ""):
        table.add_column(name, justify="right")
    for figure in figures:
        low, high = figure.published
        observed = figure.observed
        table.add_row(
            Text(figure.name),
            f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}",
            f"{observed.value:.3g}",
            f"{observed.low:.3g} to {observed.high:.3g}",
            f"{figure.count:,}",
            Text("ok") if figure.ok else Text("off", style="red"),
        )
    shown.print(table)


def print_answer(
    resolved: Resolved, *, is_brief: bool = False, console: Console | None = None
) -> None:
    """Each person who answers the question, the best first; briefly: the fields that identify."""
    shown = console or _console()
    answer = resolved.answer
    if not answer.persons:
        shown.print("Nobody in the index fits.")
    if answer.asked_id and answer.is_closed:
        shown.print(f"{answer.asked_id} is closed; its records went to:")
    elif answer.asked_id:
        shown.print(f"{answer.asked_id} is no longer in use; its records now belong to:")
    for person, records in zip(answer.persons, resolved.records, strict=True):
        _print_person(person, records, is_brief, shown)
    if not answer.is_complete:
        shown.print("There may be more: ask more precisely.")


def _print_person(
    person: PersonAnswer, records: CrossReferences, is_brief: bool, console: Console
) -> None:
    console.print(Text(f"Person {person.person_id}", style="bold"))
    if person.evidence:
        console.print(Text(f"  {_evidence_words(person.evidence)}"))
    table = Table(box=None, show_header=False, padding=(0, 2))
    table.add_column()
    table.add_column(overflow="fold")
    table.add_column(style="dim", overflow="fold")
    for name, value, source in _golden_rows(person.golden, is_brief):
        table.add_row(name, Text(value), Text(source))
    known = Text("\n".join(str(each.record) for each in records.records))
    table.add_row(f"{len(records.records)} records", known, "")
    console.print(table)


def _golden_rows(golden: Mapping[str, Any], is_brief: bool) -> Iterator[tuple[str, str, str]]:
    """Field, value and the record that says so; a list has a row for each entry."""
    for name in BRIEF_FIELDS if is_brief else _FIELDS:
        content = golden.get(name, [])
        for entry in content if isinstance(content, list) else [content]:
            has_origin = isinstance(entry, Mapping) and "value" in entry
            value, origin = (entry["value"], entry["record"]) if has_origin else (entry, "")
            yield _name(name), _words(value), origin


def _words(value: Any) -> str:
    """A golden value on one line: `Janet Owen (maiden, until 1956-12-21)`."""
    if not isinstance(value, Mapping):
        return str(value)
    name = " ".join(value[part] for part in _NAME_PARTS if part in value)
    others = (value[part] for part in _PLACE_PARTS if part in value)
    said = ", ".join(filter(None, (name, *others)))
    asides = [_aside(part, value[part]) for part in _ASIDES if part in value]
    return f"{said} ({', '.join(asides)})" if asides else said


def _aside(name: str, value: str) -> str:
    return f"until {value}" if name == "until" else value


def _evidence_words(evidence: Evidence) -> str:
    bits = f"{evidence.match_weight_bits:+.2f} bits"
    veto = f"; but: {_name(evidence.veto)}" if evidence.veto else ""
    probability = evidence.match_probability
    if probability is not None:
        bits += f", match probability {_probability(probability)}"
    fits = f"the record that fits best is {evidence.record}"
    return f"{evidence.grade}: {bits}; {fits}{veto}"


def print_explained_pair(pair: PairExplanation, console: Console | None = None) -> None:
    """The waterfall of two records, and what became of them."""
    shown = console or _console()
    shown.print(Text(f"{pair.left} and {pair.right}", style="bold"))
    print_explanation(
        pair.explanation, link_bits=pair.link_bits, review_bits=pair.review_bits, console=shown
    )
    if pair.veto:
        shown.print(f"Veto between the two: {_name(pair.veto)}.")
    is_one = len(set(pair.person_ids)) == 1
    shown.print(f"In the index they are {'one person' if is_one else 'two persons'}.")


def print_explanation(
    explanation: Explanation,
    *,
    link_bits: float,
    review_bits: float,
    console: Console | None = None,
) -> None:
    """The waterfall of a pair: what each comparison adds, and the sum so far.

    Each number is the difference of two rounded sums, so that what is shown adds up exactly.

    Args:
        explanation: As `mpi.linkage.explain.explain` gives it.
        link_bits: Threshold of the model.
        review_bits: Threshold of the model.
        console: Where to; standard output by default.
    """
    shown = console or _console()
    weight = rounded_bits(explanation.match_weight_bits)
    table = Table(box=None, show_footer=True)
    table.add_column("", footer="match weight")
    table.add_column("what was found")
    table.add_column("bits", justify="right", footer=_bits(weight))
    table.add_column("sum so far", justify="right")
    table.add_column("")
    before = rounded_bits(explanation.prior_bits)
    table.add_row("before looking", "two records at random", _bits(before), _bits(before), "")
    for step in explanation.steps:
        if step.level == MISSING_NAME:
            continue
        running = rounded_bits(step.running_bits)
        words = "; ".join(filter(None, (step.words, step.frequency_words)))
        bits = running - before
        table.add_row(_name(step.comparison), Text(words), _bits(bits), _bits(running), _bar(bits))
        before = running
    shown.print(table)
    unknown = [_name(s.comparison) for s in explanation.steps if s.level == MISSING_NAME]
    if unknown:
        shown.print(
            Text(f"Not compared, as one or both do not say: {', '.join(unknown)}.", style="dim")
        )
    shown.print(Text(_verdict(weight, link_bits, review_bits)))


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)


def _name(field: str) -> str:
    return field.replace("_", " ").replace("nhs", "NHS").replace("gp ", "GP ")


def _bits(bits: float) -> str:
    return f"{bits:+.{WEIGHT_DECIMALS}f}"


def _bar(bits: float) -> Text:
    length = min(BAR_CHARACTERS_MAX, round(abs(bits) / BITS_A_CHARACTER))
    return Text("█" * length, style="green" if bits > 0 else "red")


def _verdict(bits: float, link_bits: float, review_bits: float) -> str:
    probability = 1 / (1 + 2.0**-bits) if bits > -1000 else 0.0
    if bits >= link_bits:
        what = f"enough to link (from {link_bits:g} bits), unless the groups have a veto"
    elif bits >= review_bits:
        what = f"a question for a steward (from {review_bits:g} bits; {link_bits:g} to link)"
    else:
        what = f"not even a question (from {review_bits:g} bits)"
    return f"{bits:+.2f} bits, match probability {_probability(probability)}: {what}."


def _probability(probability: float) -> str:
    """Six decimals, but never a 0 or a 1: no evidence is certain."""
    least = 10.0**-PROBABILITY_DECIMALS
    if probability < least:
        return f"under {least:.{PROBABILITY_DECIMALS}f}"
    if probability > 1 - least:
        return f"over {1 - least:.{PROBABILITY_DECIMALS}f}"
    return f"{probability:.{PROBABILITY_DECIMALS}f}"
