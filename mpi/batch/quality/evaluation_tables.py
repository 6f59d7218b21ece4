"""An evaluation as tables of plain text, so that the terminal and a file show the same figures."""

from __future__ import annotations

from dataclasses import dataclass

from mpi.batch.quality.evaluation import (
    PRECISION_WANTED,
    BCubed,
    Evaluation,
    PairCounts,
    ThresholdPoint,
)

_PAIR_COLUMNS = ("precision", "recall", "false", "missed", "false per 10,000 (at most)")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A title, the names of the columns and rows of as many texts; the first column is a name."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def evaluation_tables(evaluation: Evaluation) -> tuple[TextTable, ...]:
    """The tables of `mpi evaluate`, the most important first; empty ones are left out."""
    tables = (
        _headline(evaluation),
        _coverage(evaluation),
        _by_source_pair(evaluation),
        *(_by_group(evaluation, dimension) for dimension in _dimensions(evaluation)),
        _curve(evaluation),
    )
    return tuple(table for table in tables if table.rows)


def _headline(evaluation: Evaluation) -> TextTable:
    best = evaluation.recall_at_precision
    rows = [
        ("automatic links, pair by pair", *_pair_texts(evaluation.automatic_links)),
        ("record by record (B-cubed)", *_rate_texts(evaluation.bcubed), "", "", ""),
    ]
    if evaluation.links != evaluation.automatic_links:
        rows.insert(1, ("with the stewards' decisions", *_pair_texts(evaluation.links)))
    if best:
        name = f"scores alone, precision >= {PRECISION_WANTED}"
        rows.append((name, *_rate_texts(best), "", "", ""))
    return TextTable(title="Accuracy", columns=("", *_PAIR_COLUMNS), rows=tuple(rows))


def _coverage(evaluation: Evaluation) -> TextTable:
    rows = (
        ("records judged", _count(evaluation.records_count)),
        ("humans", _count(evaluation.humans_count)),
        ("persons", _count(evaluation.persons_count)),
        (
            "persons that hold two humans or more",
            f"{_count(evaluation.over_merged_persons)} ({evaluation.over_merged_share:.3%})",
        ),
        (
            "humans on two persons or more",
            f"{_count(evaluation.split_humans)} ({evaluation.split_share:.3%})",
        ),
        ("pairs of two twins on one person", _count(evaluation.twins_linked)),
        (
            "tasks (for each 1,000 records)",
            f"{_count(evaluation.tasks_count)} ({evaluation.tasks_per_1000_records:.1f})",
        ),
        ("records that the truth does not know", _count(evaluation.records_without_truth)),
        ("records of the truth not in the index", _count(evaluation.truth_without_record)),
        ("true pairs lost with them", _count(evaluation.true_pairs_out_of_reach)),
        ("records of two humans in the truth", _count(evaluation.records_of_two_humans)),
    )
    return TextTable(title="Counts", columns=("", "count"), rows=rows)


def _by_source_pair(evaluation: Evaluation) -> TextTable:
    rows = tuple(
        (f"{row.left} - {row.right}", _count(row.pairs.true_pairs), *_pair_texts(row.pairs))
        for row in evaluation.by_source_pair
    )
    columns = ("sources", "true pairs", *_PAIR_COLUMNS)
    return TextTable(title="By source pair", columns=columns, rows=rows)


def _dimensions(evaluation: Evaluation) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.dimension for row in evaluation.by_group))


def _by_group(evaluation: Evaluation, dimension: str) -> TextTable:
    rows = tuple(
        (row.value.replace("_", " "), _count(row.records_count), *_pair_texts(row.pairs))
        for row in evaluation.by_group
        if row.dimension == dimension
    )
    name = dimension.replace("_", " ")
    return TextTable(title=f"By {name}", columns=(name, "records", *_PAIR_COLUMNS), rows=rows)


def _curve(evaluation: Evaluation) -> TextTable:
    rows = tuple(
        (f"{point.match_weight_bits:.1f}", _rate(point.precision), _rate(point.recall))
        for point in evaluation.curve
        if point.match_weight_bits % 5 < 1
    )
    columns = ("at least, bits", "precision", "recall")
    return TextTable(title="Scores alone, by threshold", columns=columns, rows=rows)


def _pair_texts(pairs: PairCounts) -> tuple[str, ...]:
    return (
        _rate(pairs.precision) if pairs.linked_pairs else "-",
        _rate(pairs.recall) if pairs.true_pairs else "-",
        _count(pairs.false_pairs),
        _count(pairs.missed_pairs),
        f"{pairs.false_per_10000:.2f} ({pairs.false_per_10000_upper:.2f})",
    )


def _rate_texts(rates: BCubed | ThresholdPoint) -> tuple[str, str]:
    return (_rate(rates.precision), _rate(rates.recall))


def _rate(share: float) -> str:
    return f"{share:.5f}"


def _count(number: int) -> str:
    return f"{number:,}"
