"""`mpi report`: one HTML file that says how the linkage is doing and what to do if it looks wrong.

The file holds everything it needs and runs no script, so that it can be mailed, archived and
printed; whoever cannot see a chart finds its figures in the table below it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from mpi.batch.quality import charts
from mpi.batch.quality.calibration import CalibrationRow
from mpi.batch.quality.evaluation_tables import TextTable, evaluation_tables
from mpi.batch.quality.report_data import (
    GROUP_RECORDS_SHOWN_MAX,
    SUPPRESSED_BELOW,
    Completeness,
    ReportData,
    is_suppressed,
)
from mpi.errors import InvalidInput
from mpi.linkage.model import Comparison, Thresholds

FEW = f"<{SUPPRESSED_BELOW}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """One chart with its caption and the table of its figures."""

    title: str
    caption: str
    table: TextTable
    chart: charts.Spec | None = None


def write_report(path: Path, *, data: ReportData) -> None:
    """Writes the report, whole or not at all; a file of that name is replaced.

    Raises:
        InvalidInput: If the file cannot be written there.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(render_report(data), encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InvalidInput(f"report: cannot write {path} ({error.strerror})") from error


def render_report(data: ReportData) -> str:
    """The report as the text of an HTML page."""
    page = Template(files("mpi.batch").joinpath("report.html").read_text("utf-8"))
    return page.substitute(
        model_name=escape(data.model.name),
        model_version=escape(data.model.version),
        model_digest=escape(data.model.digest[:16]),
        created_at=f"{data.created_at:%d %B %Y, %H:%M} UTC",
        figures="\n".join(_headline(data)),
        sections="\n".join(_sections(data)),
    )


def _headline(data: ReportData) -> Iterable[str]:
    figures = [
        ("records", _count(data.records_count)),
        ("persons", _count(data.persons_count)),
        ("stored pairs", _count(sum(row.pairs_count for row in data.weights))),
        ("tasks waiting", _count(data.tasks_count)),
    ]
    if data.evaluation:
        links = data.evaluation.automatic_links
        figures.append(("precision of links", f"{links.precision:.5f}"))
        figures.append(("recall of links", f"{links.recall:.4f}"))
    for name, value in figures:
        if data.is_training and name in ("persons", "tasks waiting"):
            continue
        yield f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>"


def _sections(data: ReportData) -> Iterable[str]:
    yield _section(
        "Match weights",
        "How many pairs of records have which weight. Weights of at least the link threshold can "
        "merge two groups; those between the thresholds are questions for stewards.",
        "Bars should be low around the link threshold; if it cuts through a hill instead, train "
        "the model on your own data and choose the thresholds again.",
        [_weights_figure(data)],
    )
    yield _section(
        "What each agreement weighs",
        "m is the share of true matches that fall on a level, u the share of other pairs; the "
        "weight is log2(m/u), before any adjustment for how rare the value is.",
        "Weights should fall from the first level to the last; if one stands out of line, look "
        "at pairs on that level with mpi explain before you trust it.",
        [_levels_figure(comparison) for comparison in data.model.comparisons],
    )
    if not data.is_training:
        yield from _index_sections(data)
    yield _calibration_section(data)
    if data.evaluation:
        yield _evaluation_section(data)


def _index_sections(data: ReportData) -> Iterable[str]:
    yield _section(
        "Completeness",
        "The share of each source's records that bring a usable value; placeholders and "
        "impossible values count as missing.",
        "A pale cell where the source does hold the field usually means a wrong column or format "
        "in that source's mapping file.",
        [_completeness_figure(data.completeness)],
    )
    yield _section(
        "Records of a person",
        "How many persons have how many records.",
        "A long tail means over-merging or a source with many duplicates; a tall first bar means "
        "missed links. Look at the largest persons first.",
        [_sizes_figure(data)],
    )


def _section(title: str, meaning: str, if_wrong: str, figures: Iterable[_Figure]) -> str:
    body = "\n".join(_figure_html(figure) for figure in figures)
    return (
        f"<section>\n<h2>{escape(title)}</h2>\n<p>{escape(meaning)}</p>\n"
        f'<p class="if-wrong"><strong>If it looks wrong:</strong> {escape(if_wrong)}</p>\n'
        f"{body}\n</section>"
    )


def _figure_html(figure: _Figure) -> str:
    heading = f"<h3>{escape(figure.title)}</h3>\n" if figure.title else ""
    chart = charts.svg_of(figure.chart) if figure.chart else "<p>Nothing to show.</p>"
    return (
        f"{heading}<figure>\n{chart}\n<figcaption>{escape(figure.caption)}</figcaption>\n"
        f"</figure>\n<details><summary>The figures as a table</summary>\n"
        f"{_table_html(figure.table)}\n</details>"
    )


def _table_html(table: TextTable) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.columns)
    body = "\n".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(value)}</td>" for value in row[1:])
        + "</tr>"
        for row in table.rows
    )
    caption = f"<caption>{escape(table.title)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"


def _weights_figure(data: ReportData) -> _Figure:
    thresholds = data.model.thresholds
    shown = [row for row in data.weights if not is_suppressed(row.pairs_count)]
    rows = [
        {
            "from_bits": row.from_bits,
            "pairs_count": row.pairs_count,
            "band": _band(row.from_bits + 0.5, thresholds),
        }
        for row in shown
    ]
    table = TextTable(
        title="Pairs by match weight",
        columns=("from, bits", "band", "pairs"),
        rows=tuple(
            (str(row.from_bits), _band(row.from_bits + 0.5, thresholds), _count(row.pairs_count))
            for row in data.weights
        ),
    )
    lines = {"review": thresholds.review_bits, "link": thresholds.link_bits}
    return _Figure(
        title="",
        caption=f"Pairs by match weight; review from {thresholds.review_bits:g} bits, link from "
        f"{thresholds.link_bits:g} bits.",
        table=table,
        chart=charts.weights_chart(rows, thresholds=lines) if rows else None,
    )


def _band(bits: float, thresholds: Thresholds) -> str:
    if bits >= thresholds.link_bits:
        return "link"
    return "review" if bits >= thresholds.review_bits else "below"


def _levels_figure(comparison: Comparison) -> _Figure:
    name = _words(comparison.name)
    rows = [
        {"words": level.words, "m": level.m, "u": level.u, "bits": level.weight_bits}
        for level in comparison.levels
    ]
    table = TextTable(
        title=f"Levels of {name}",
        columns=("level", "m", "u", "bits", "adjusted for"),
        rows=tuple(
            (
                level.words,
                f"{level.m:.3g}",
                f"{level.u:.3g}",
                f"{level.weight_bits:+.2f}",
                f"frequency of {_words(level.frequency)}" if level.frequency else "",
            )
            for level in comparison.levels
        ),
    )
    caption = f"m (circle), u (diamond) and match weight of each level of {name}."
    return _Figure(
        title=name[0].upper() + name[1:],
        caption=caption,
        table=table,
        chart=charts.levels_chart(rows),
    )


def _completeness_figure(rows: Sequence[Completeness]) -> _Figure:
    shown = [row for row in rows if not is_suppressed(row.records_count)]
    cells = [
        {"source": row.source, "field": _words(row.field), "share": row.share} for row in shown
    ]
    by_source: dict[str, list[Completeness]] = {}
    for row in shown:
        by_source.setdefault(row.source, []).append(row)
    fields = [_words(row.field) for row in next(iter(by_source.values()), [])]
    table = TextTable(
        title="Share of records with a usable value",
        columns=("source", "records", *fields),
        rows=tuple(
            (source, _count(cells[0].records_count), *(f"{cell.share:.1%}" for cell in cells))
            for source, cells in by_source.items()
        ),
    )
    return _Figure(
        title="",
        caption="Share of records with a usable value, by source and field.",
        table=table,
        chart=charts.completeness_chart(cells) if cells else None,
    )


def _sizes_figure(data: ReportData) -> _Figure:
    rows = [
        {"size": _size_text(size), "persons_count": count}
        for size, count in sorted(data.group_sizes.items())
        if not is_suppressed(count)
    ]
    table = TextTable(
        title="Persons by number of records",
        columns=("records", "persons"),
        rows=tuple(
            (_size_text(size), _count(count)) for size, count in sorted(data.group_sizes.items())
        ),
    )
    return _Figure(
        title="",
        caption="Persons by number of records.",
        table=table,
        chart=charts.group_sizes_chart(rows) if rows else None,
    )


def _size_text(size: int) -> str:
    return f"{size}+" if size >= GROUP_RECORDS_SHOWN_MAX else str(size)


def _calibration_section(data: ReportData) -> str:
    title = "Calibration"
    if not data.calibration:
        return (
            f"<section>\n<h2>{title}</h2>\n<p>No labels: neither trusted NHS numbers on both sides "
            "of enough pairs nor a truth to compare with.</p>\n</section>"
        )
    return _section(
        title,
        "Among pairs of one weight, the share that are matches should be the match probability "
        f"that the weight stands for. Labels: {data.calibration_labels}.",
        "If the points lie right of the dashed curve, the model is overconfident: raise the link "
        "threshold by that many bits, or train again.",
        [_calibration_figure(data.calibration)],
    )


def _calibration_figure(calibration: Sequence[CalibrationRow]) -> _Figure:
    shown = [row for row in calibration if not is_suppressed(row.pairs_count)]
    points = [
        {
            "bits": (row.from_bits + row.to_bits) / 2,
            "predicted": row.predicted_share,
            "observed": row.observed_share,
            "low": row.observed_low,
            "high": row.observed_high,
        }
        for row in shown
        if row.from_bits is not None and row.to_bits is not None
    ]
    table = TextTable(
        title="Predicted and observed share of matches",
        columns=("bits", "pairs", "predicted", "observed", "95 % interval"),
        rows=tuple(_calibration_texts(row) for row in shown),
    )
    return _Figure(
        title="",
        caption="Observed share of matches (points, with 95 % intervals) and the predicted match "
        "probability (dashed).",
        table=table,
        chart=charts.calibration_chart(points) if points else None,
    )


def _calibration_texts(row: CalibrationRow) -> tuple[str, ...]:
    return (
        _bin_text(row),
        _count(row.pairs_count),
        f"{row.predicted_share:.5f}",
        f"{row.observed_share:.5f}",
        f"{row.observed_low:.5f} to {row.observed_high:.5f}",
    )


def _bin_text(row: CalibrationRow) -> str:
    if row.from_bits is None:
        return f"below {row.to_bits:g}"
    if row.to_bits is None:
        return f"{row.from_bits:g} and above"
    return f"{row.from_bits:g} to {row.to_bits:g}"


def _evaluation_section(data: ReportData) -> str:
    assert data.evaluation is not None
    tables = "\n".join(_table_html(table) for table in evaluation_tables(data.evaluation))
    return (
        "<section>\n<h2>Against the truth</h2>\n"
        "<p>How the persons compare with who each record is known to be.</p>\n"
        '<p class="if-wrong"><strong>If it looks wrong:</strong> start with '
        "the source pair or hard case whose recall or precision stands out, and explain a few of "
        f"its pairs.</p>\n{tables}\n</section>"
    )


def _words(name: str) -> str:
    return name.replace("_", " ").replace("nhs", "NHS")


def _count(number: int) -> str:
    return FEW if is_suppressed(number) else f"{number:,}"
