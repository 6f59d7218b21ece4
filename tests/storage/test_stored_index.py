"""The stored index reaches evaluation and report whole: live records, open links, stored pairs."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from mpi.batch.quality.stored_index import evaluate_store, example_records, read_index
from mpi.domain.identifiers import RecordKey, person_id_from_bytes
from mpi.storage.bulk import bulk_write

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TWO, ONE = (person_id_from_bytes(bytes([n] * 8)) for n in (1, 2))


@pytest.fixture
def region(store):
    """Records 1 and 2 are one person, 3 is another; 4 is retired, and 3 once was with them."""
    times = pa.array([NOW] * 4, pa.timestamp("us", "UTC"))
    bulk_write(
        store,
        {
            "source_system": pa.table({"source": ["gp"]}),
            "model_release": pa.table(
                {"number": [1], "digest": ["d"], "name": ["n"], "version": ["1"]}
                | {"released_at": times[:1]}
            ),
            "source_record": pa.table(
                {
                    "number": [1, 2, 3, 4],
                    "source": ["gp"] * 4,
                    "local_id": ["a", "b", "c", "d"],
                    "state": ["live", "live", "live", "retired"],
                    "comparison": ['{"sex":"F"}', '{"sex":"F"}', "{}", None],
                    "registered_at": times,
                }
            ),
            "person": pa.table({"number": [1, 2], "id": [TWO, ONE], "created_at": times[:2]}),
            "link": pa.table(
                {
                    "number": [1, 2, 3, 4],
                    "record": [1, 2, 3, 3],
                    "person_id": [TWO, TWO, TWO, ONE],
                    "origin": ["batch"] * 4,
                    "model": [1] * 4,
                    "valid_from": times,
                    "valid_to": pa.array([None, None, NOW, None], pa.timestamp("us", "UTC")),
                }
            ),
            "edge": pa.table(
                {"left_record": [1], "right_record": [2]}
                | {"match_weight_bits": [12.5], "model": [1]}
            ),
        },
    )
    return store


def test_each_live_record_has_the_person_that_it_has_now(region):
    records = read_index(region).records.sort_by("record")
    assert records["record"].to_pylist() == [1, 2, 3]
    assert records["person"].to_pylist() == [TWO, TWO, ONE]


def test_a_store_is_judged_against_the_truth(region, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_text("source,local_id,human_id\ngp,a,1\ngp,b,1\ngp,c,1\n")
    evaluation = evaluate_store(region, truth)
    assert evaluation.persons_count == 2
    assert evaluation.automatic_links.precision == 1.0
    assert evaluation.automatic_links.recall == pytest.approx(1 / 3)


def test_examples_are_records_of_persons_of_the_wanted_size(region):
    (example,) = example_records(read_index(region), records_count=2)
    assert example.key == RecordKey("gp", "a")
    assert example.comparison == {"sex": "F"}
