"""The sample for readers: blind, of every kind of pair, and read back by its key."""

import csv
import stat

import pytest

from mpi.batch.quality.labelling import export_sample, import_answers
from mpi.errors import InvalidInput
from tests.small_region import fill, spec_index

PAIRS = 20


@pytest.fixture
def sample(store, tmp_path):
    index = spec_index()
    fill(store, index)
    out, key = tmp_path / "pairs.csv", tmp_path / "key.csv"
    count = export_sample(
        store, thresholds=index.model.thresholds, out=out, key=key, pairs=PAIRS, seed=1
    )
    return out, key, count


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_readers_see_people_but_neither_weight_nor_decision(sample):
    out, key, count = sample
    shown = rows_of(out)
    assert len(shown) == len(rows_of(key)) == count > 0
    assert {name.partition("_")[0] for name in shown[0]} == {"pair", "first", "second", "answer"}
    assert all(row["answer"] == "" for row in shown)
    assert any(row["first_family_name"] for row in shown)


def test_both_files_are_for_their_owner_only(sample):
    assert {stat.S_IMODE(path.stat().st_mode) for path in sample[:2]} == {0o600}


def test_the_answers_come_back_as_rates(sample):
    out, key, _ = sample
    linked = {row["pair"]: row["is_linked"] for row in rows_of(key)}
    answered = out.with_name("ann.csv")
    with answered.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["pair", "answer"])
        writer.writerows(linked.items())
    report = import_answers([answered], key)
    assert (report.precision.value, report.recall.value) == (1.0, 1.0)


def test_a_store_without_pairs_is_refused(store, tmp_path):
    index = spec_index()
    with pytest.raises(InvalidInput, match="no pairs"):
        export_sample(
            store, thresholds=index.model.thresholds, out=tmp_path / "a.csv",
            key=tmp_path / "b.csv", pairs=1, seed=1,
        )  # fmt: skip
