"""The report is one file that holds everything it needs and nothing about any one person."""

import re
import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from mpi.batch.quality.calibration import calibration_table
from mpi.batch.quality.evaluate import evaluate
from mpi.batch.quality.report import FEW, render_report, write_report
from mpi.batch.quality.report_data import calibration_from_truth, collect_report_data
from mpi.errors import InvalidInput
from mpi.linkage.model import model_from_spec

SPEC = Path(__file__).parents[2] / "linkage_models/dorset/spec.toml"
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
SECRETS = ("OKAFOR", "9990000018", "SECRETLOCAL")


@pytest.fixture(scope="module")
def model():
    return model_from_spec(tomllib.loads(SPEC.read_text("utf-8")), version="1", digest="ab" * 16)


def index_tables():
    """Forty records of twenty persons, one of whom has three records."""
    people = [at // 2 for at in range(40)]
    people[39] = 0
    records = pa.table(
        {
            "record": list(range(40)),
            "source": ["gp", "poole"] * 20,
            "local_id": [f"SECRETLOCAL{at}" for at in range(40)],
            "person": people,
            "nhs_number": ["9990000018", None] * 20,
            "family_name": ["OKAFOR"] * 40,
            "phones": [["01305000000"]] * 10 + [[]] * 30,
        }
    )
    edges = pa.table(
        {
            "left": list(range(0, 40, 2)),
            "right": list(range(1, 40, 2)),
            "match_weight_bits": [20.5] * 17 + [6.0] * 3,
        }
    )
    return records, edges


@pytest.fixture(scope="module")
def data(model):
    records, edges = index_tables()
    truth = pa.table(
        {
            "source": records["source"],
            "local_id": records["local_id"],
            "human_id": [str(at // 2) for at in range(40)],
        }
    )
    return collect_report_data(
        created_at=AT,
        model=model,
        records=records,
        edges=edges,
        tasks_count=3,
        calibration=calibration_from_truth(records=records, truth=truth, edges=edges),
        calibration_labels="the truth",
        evaluation=evaluate(records=records, truth=truth, edges=edges, tasks_count=3),
    )


def test_counts_are_those_of_the_tables(data):
    assert (data.records_count, data.persons_count) == (40, 20)
    assert data.group_sizes == {1: 1, 2: 18, 3: 1}
    assert [(row.from_bits, row.pairs_count) for row in data.weights] == [(6, 3), (20, 17)]
    filled = {(row.source, row.field): row.filled_count for row in data.completeness}
    assert filled["gp", "nhs_number"] == 20
    assert filled["poole", "nhs_number"] == 0
    assert filled["poole", "phones"] == 5


def test_a_comparison_record_as_json_counts_like_columns(model, data):
    records, edges = index_tables()
    texts = ['{"nhs_number":"9990000018","family_name":"OKAFOR"}', '{"phones":["0"],"sex":""}'] * 20
    stored = records.select(["source", "person"]).append_column("comparison", [texts])
    rows = collect_report_data(
        created_at=AT, model=model, records=stored, edges=edges, tasks_count=0
    ).completeness
    filled = {(row.source, row.field): row.filled_count for row in rows}
    assert filled["gp", "nhs_number"] == filled["gp", "family_name"] == 20
    assert filled["gp", "phones"] == filled["poole", "sex"] == 0
    assert filled["poole", "phones"] == 20


def test_the_file_asks_for_nothing_from_outside_and_runs_nothing(data):
    page = render_report(data)
    assert not re.search(r"https?:|//[a-z]|<script|<link|<iframe|@import|url\(", page)
    assert page.count("<svg") == 4 + len(data.model.comparisons)


def test_nothing_about_one_person_is_in_it(data):
    page = render_report(data)
    assert not [secret for secret in SECRETS if secret in page]
    assert f"<td>{FEW.replace('<', '&lt;')}</td>" in page
    assert '<tr><th scope="row">3</th><td>&lt;5</td></tr>' in page


class Outline(HTMLParser):
    """Headings, tags that stay open, and figures that lack their table."""

    VOID = frozenset({"meta", "br", "img", "link"})

    def __init__(self):
        super().__init__()
        self.headings, self.open, self.counts = [], [], {}

    def handle_starttag(self, tag, attrs):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_every_chart_has_a_caption_and_a_table_and_headings_skip_no_level(data):
    outline = Outline()
    outline.feed(render_report(data))
    assert not outline.open
    assert outline.counts["figure"] == outline.counts["figcaption"] == outline.counts["details"]
    steps = zip(outline.headings, outline.headings[1:], strict=False)
    assert outline.headings[0] == 1
    assert all(after - before <= 1 for before, after in steps)


def test_an_empty_index_without_labels_still_makes_a_report(model):
    empty = collect_report_data(
        created_at=AT,
        model=model,
        records=pa.table({"source": pa.array([], pa.string()), "person": pa.array([], pa.int64())}),
        edges=pa.table({"match_weight_bits": pa.array([], pa.float64())}),
        tasks_count=0,
    )
    page = render_report(empty)
    assert "No labels" in page
    assert page.count("Nothing to show.") == 3


def test_open_ended_bins_are_named_in_words(data):
    rows = calibration_table(np.array([-50.0] * 9 + [50.0] * 9), np.array([False] * 9 + [True] * 9))
    page = render_report(replace(data, calibration=rows, evaluation=None))
    assert "below -20" in page
    assert "30 and above" in page


def test_the_report_is_written_whole_or_not_at_all(data, tmp_path):
    write_report(tmp_path / "report.html", data=data)
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(InvalidInput, match="report: cannot write"):
        write_report(tmp_path / "no_such_folder" / "report.html", data=data)
