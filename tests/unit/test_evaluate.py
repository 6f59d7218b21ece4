"""Counting groups gives what listing every pair gives, and nothing leaves the counts silently."""

import json
import os
from collections import Counter
from itertools import combinations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpi.batch.quality.evaluate import evaluate
from mpi.batch.quality.evaluation_tables import evaluation_tables
from mpi.batch.quality.truth import read_truth
from mpi.errors import InvalidInput

SOURCES = ("acute-1", "council-1", "gp")


def records_table(rows):
    """Rows of (source, local id, person); the record number is the place in the list."""
    numbered = [(number, *row) for number, row in enumerate(rows)]
    names = ("record", "source", "local_id", "person")
    return pa.table(dict(zip(names, map(list, zip(*numbered, strict=True)), strict=True)))


def truth_table(rows, names=("source", "local_id", "human_id", "hard_case")):
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


@pytest.fixture
def household():
    """Twins A and B on one person (wrong), C split in two (missed), D as it should be."""
    records, truth = [], []
    persons = {"A": "AA", "B": "AA", "C": "CD", "D": "EE"}
    for human in persons:
        for at, source in enumerate(("acute-1", "gp")):
            records.append((source, human, persons[human][at]))
            truth.append((source, human, human, "twin" if human in "AB" else "baby; twin_sibling"))
    return records_table(records), truth_table(truth)


def test_rates_of_a_household_counted_by_hand(household):
    records, truth = household
    found = evaluate(records=records, truth=truth, tasks_count=2)
    pairs = found.automatic_links
    assert (pairs.true_pairs, pairs.linked_pairs, pairs.correct_pairs) == (4, 7, 3)
    assert (pairs.precision, pairs.recall) == (3 / 7, 3 / 4)
    assert (found.over_merged_persons, found.split_humans, found.twins_linked) == (1, 1, 4)
    assert (found.records_count, found.humans_count, found.persons_count) == (8, 4, 4)
    assert found.tasks_per_1000_records == 250
    assert found.bcubed.precision == pytest.approx((4 * 0.5 + 4) / 8)
    assert found.bcubed.recall == pytest.approx((6 + 2 * 0.5) / 8)


def test_several_hard_cases_of_one_record_count_in_each_group(household):
    records, truth = household
    groups = {
        row.value: row for row in evaluate(records=records, truth=truth, tasks_count=0).by_group
    }
    assert groups.keys() == {"twin", "baby", "twin_sibling"}
    assert groups["twin"].pairs.false_pairs == 4
    assert groups["baby"].pairs.missed_pairs == 1
    assert groups["baby"].records_count == 4


def test_decisions_change_links_but_not_automatic_links(household):
    records, truth = household
    parted = [*"ABABCC", "E", "E"]
    with_decisions = records.append_column("automatic_person", records.column("person"))
    with_decisions = with_decisions.set_column(
        with_decisions.column_names.index("person"), "person", [parted]
    )
    found = evaluate(records=with_decisions, truth=truth, tasks_count=0)
    assert found.automatic_links.false_pairs == 4
    assert found.links != found.automatic_links


def test_records_known_to_one_side_only_are_counted_not_dropped():
    truth = truth_table(
        [("gp", "1", "A", ""), ("gp", "2", "A", ""), ("gp", "3", "B", ""), ("gp", "3", "C", "")]
    )
    records = records_table([("gp", "1", "P"), ("gp", "3", "Q"), ("gp", "9", "R")])
    found = evaluate(records=records, truth=truth, tasks_count=0)
    assert found.records_count == 1
    assert (found.records_without_truth, found.truth_without_record) == (1, 1)
    assert (found.true_pairs_out_of_reach, found.records_of_two_humans) == (1, 1)


def test_recall_at_precision_takes_the_lowest_threshold_that_is_precise_enough():
    truth = truth_table([("gp", str(at), "AB"[at // 3], "") for at in range(6)])
    records = records_table([("gp", str(at), at) for at in range(6)])
    edges = pa.table(
        {
            "left": [0, 1, 3, 2],
            "right": [1, 2, 4, 3],
            "match_weight_bits": [20.5, 12.0, 9.25, 4.5],
        }
    )
    found = evaluate(records=records, truth=truth, tasks_count=0, edges=edges)
    assert found.recall_at_precision.match_weight_bits == 9.25
    assert found.recall_at_precision.recall == 3 / 6
    assert [point.precision for point in found.curve] == [1, 1, 1, 0.75]


@st.composite
def populations(draw):
    """Up to 14 records of few humans on few persons, with groups of every kind."""
    size = draw(st.integers(1, 14))
    few = st.integers(0, 4)
    return [
        (
            draw(st.sampled_from(SOURCES)),
            draw(few),
            draw(few),
            draw(st.sampled_from(["", "twin", "baby", "twin;baby"])),
            draw(st.sampled_from(["", "0", "30", "90", "unknown"])),
        )
        for _ in range(size)
    ]


@given(rows=populations())
@settings(max_examples=int(os.environ.get("MPI_EXAMPLES", "50")), deadline=None)
def test_counting_groups_equals_listing_pairs(rows):
    names = ("source", "local_id", "human_id", "hard_case", "age")
    truth = truth_table(
        [(s, str(n), str(h), c, a) for n, (s, h, _, c, a) in enumerate(rows)], names
    )
    records = records_table([(s, str(n), p) for n, (s, _, p, _, _) in enumerate(rows)])
    found = evaluate(records=records, truth=truth, tasks_count=0)
    pairs = list(combinations(rows, 2))
    false = [(left, right) for left, right in pairs if left[2] == right[2] and left[1] != right[1]]
    assert found.automatic_links.linked_pairs == sum(left[2] == right[2] for left, right in pairs)
    assert found.automatic_links.false_pairs == len(false)
    by_sources = Counter(tuple(sorted((left[0], right[0]))) for left, right in false)
    assert by_sources == {
        (row.left, row.right): row.pairs.false_pairs
        for row in found.by_source_pair
        if row.pairs.false_pairs
    }
    twins = {row[1] for row in rows if "twin" in row[3]}
    assert found.twins_linked == sum({left[1], right[1]} <= twins for left, right in false)
    groups = {row.value: row.pairs.false_pairs for row in found.by_group}
    assert groups.get("baby", 0) == sum("baby" in left[3] + right[3] for left, right in false)
    assert groups.get("85+", 0) == sum("90" in (left[4], right[4]) for left, right in false)


def test_nothing_linked_is_precise_but_has_a_wide_bound():
    truth = truth_table([("gp", "1", "A", "")])
    found = evaluate(records=records_table([("gp", "1", 1)]), truth=truth, tasks_count=0)
    assert found.automatic_links.precision == 1
    assert found.automatic_links.false_per_10000_upper == 10_000
    assert found.recall_at_precision is None


def test_truth_is_read_as_text_from_the_folder_of_feeds(tmp_path):
    text = "source,local_id,human_id,sex,household\ngp,007,H1,F,9\n"
    (tmp_path / "truth.csv").write_text(text, encoding="utf-8")
    table = read_truth(tmp_path)
    assert table.to_pylist() == [{"source": "gp", "local_id": "007", "human_id": "H1", "sex": "F"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "there is no file", id="missing file"),
        pytest.param(b"source,local_id\ngp,1\n", "no column human_id", id="missing column"),
        pytest.param(b"source,local_id,human_id\ngp,,H1\n", "local_id is empty", id="empty key"),
        pytest.param(
            b"source,local_id,human_id\ngp,\xff\xfe,1\n", "not a CSV file", id="wrong encoding"
        ),
    ],
)
def test_bad_truth_is_refused_in_one_sentence(tmp_path, content, message):
    file = tmp_path / "truth.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match=message) as refusal:
        read_truth(file)
    assert "\n" not in str(refusal.value)


def test_a_table_without_its_columns_is_refused(household):
    records, truth = household
    with pytest.raises(InvalidInput, match="records: no column person"):
        evaluate(records=records.drop_columns(["person"]), truth=truth, tasks_count=0)


def test_tables_are_plain_text_and_show_every_count(household):
    records, truth = household
    tables = evaluation_tables(evaluate(records=records, truth=truth, tasks_count=2))
    titles = [table.title for table in tables]
    assert titles == ["Accuracy", "Counts", "By source pair", "By hard case"]
    for table in tables:
        assert {len(row) for row in table.rows} == {len(table.columns)}
    counts = dict(tables[1].rows)
    assert counts["pairs of two twins on one person"] == "4"
    assert counts["tasks (for each 1,000 records)"] == "2 (250.0)"


def test_evaluation_is_plain_json(household):
    records, truth = household
    content = evaluate(records=records, truth=truth, tasks_count=2).to_dict()
    assert json.loads(json.dumps(content)) == content
    assert content["automatic_links"]["false_pairs"] == 4
