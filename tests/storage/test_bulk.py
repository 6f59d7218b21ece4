"""A bulk transaction writes all or nothing, keeps every value, and gives back what it wrote."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest
import sqlalchemy as sa

from mpi.errors import Conflict
from mpi.storage.bulk import bulk_transaction, bulk_write, read_table
from mpi.storage.engine import Store
from mpi.storage.tables import METADATA
from mpi.storage.unit_of_work import reading

AT = datetime(2026, 3, 3, 9, 30, 0, 123456, tzinfo=UTC)
INSTANT = pa.timestamp("us", "UTC")


def systems(*sources: str) -> pa.Table:
    return pa.table({"source": sources, "name": ['A, "quoted"\nname', None][: len(sources)]})


def records(numbers: list[int], source: str = "gp") -> pa.Table:
    return pa.table(
        {
            "number": numbers,
            "source": pa.array([source] * len(numbers)).dictionary_encode(),
            "local_id": [f"L{number}" for number in numbers],
            "comparison": pa.array([None] * len(numbers), pa.string()),
            "nhs_number": [None if number % 2 else "9990000018" for number in numbers],
            "registered_at": pa.array([AT] * len(numbers), INSTANT),
        }
    )


def versions(numbers: list[int], *, record: int) -> pa.Table:
    return pa.table(
        {
            "number": numbers,
            "record": [record] * len(numbers),
            "event_at": pa.array([AT] * len(numbers), INSTANT),
            "digest": [f"{number:064}" for number in numbers],
            "content": ["{}"] * len(numbers),
            "received_at": pa.array([AT] * len(numbers), INSTANT),
        }
    )


def test_rows_come_back_as_they_were_written(store: Store) -> None:
    bulk_write(store, {"source_record": records([1, 2, 3]), "source_system": systems("gp", "ed")})
    back = read_table(store, "source_record", ["number", "source", "nhs_number", "registered_at"])
    assert back.column("number").to_pylist() == [1, 2, 3]
    assert back.column("nhs_number").to_pylist() == [None, "9990000018", None]
    assert back.column("registered_at").to_pylist() == [AT] * 3
    assert back.schema.field("registered_at").type == INSTANT
    names = read_table(store, "source_system").column("name").to_pylist()
    assert names == [None, 'A, "quoted"\nname']


def test_an_empty_text_is_not_null(store: Store) -> None:
    bulk_write(store, {"source_system": pa.table({"source": ["a", "b"], "name": ["", None]})})
    assert read_table(store, "source_system").column("name").to_pylist() == ["", None]


def test_a_stream_of_batches_is_appended(store: Store) -> None:
    whole = pa.table({"key": [-(2**63), -1, 5, 2**63 - 1], "record": [1, 2, 3, 4]})
    reader = pa.RecordBatchReader.from_batches(whole.schema, whole.to_batches(max_chunksize=2))
    assert bulk_write(store, {"blocking_key": reader}) == {"blocking_key": 4}
    assert read_table(store, "blocking_key").equals(whole)


def test_an_empty_table_reads_as_no_rows(store: Store) -> None:
    empty = read_table(store, "link")
    assert empty.num_rows == 0
    assert empty.schema.field("valid_from").type == INSTANT


def test_what_raises_writes_nothing(store: Store) -> None:
    def append_and_fail() -> None:
        with bulk_transaction(store) as bulk:
            bulk.append("source_system", systems("gp"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        append_and_fail()
    assert read_table(store, "source_system").num_rows == 0


def test_indexes_are_back_after_filling_an_empty_table(store: Store) -> None:
    bulk_write(store, {"source_system": systems("gp"), "source_record": records([1, 2])})
    with reading(store) as unit:
        found = {
            index["name"] for index in sa.inspect(unit.connection).get_indexes("source_record")
        }
    assert {index.name for index in METADATA.tables["source_record"].indexes} <= found


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(records([1, 1]), id="a number twice"),
        pytest.param(records([1], source="nowhere"), id="a source that does not exist"),
        pytest.param(records([1]).drop_columns("local_id"), id="a column missing"),
    ],
)
def test_rows_that_break_a_rule_are_refused_whole(store: Store, rows: pa.Table) -> None:
    with pytest.raises(Conflict):
        bulk_write(store, {"source_system": systems("gp"), "source_record": rows})
    assert read_table(store, "source_system").num_rows == 0


@pytest.mark.parametrize("is_filled_at_once", [True, False])
def test_a_version_of_no_record_is_refused(store: Store, *, is_filled_at_once: bool) -> None:
    def append() -> None:
        with bulk_transaction(store) as bulk:
            bulk.append("source_record", records([1]))
            bulk.append("record_version", versions([1], record=1))
            if not is_filled_at_once:
                held = pa.table({"number": [1], "state": ["held"]})
                bulk.update("record_version", held, on=["number"])
            bulk.append("record_version", versions([2], record=2))

    bulk_write(store, {"source_system": systems("gp")})
    with pytest.raises(Conflict):
        append()
    assert read_table(store, "record_version").num_rows == 0


def test_update_sets_only_the_rows_named(store: Store) -> None:
    bulk_write(store, {"source_system": systems("gp"), "source_record": records([1, 2, 3])})
    with bulk_transaction(store) as bulk:
        change = pa.table({"number": [2], "comparison": ["{}"], "state": ["retired"]})
        bulk.update("source_record", change, on=["number"])
    back = read_table(store, "source_record", ["comparison", "state"])
    assert back.column("comparison").to_pylist() == [None, "{}", None]
    assert back.column("state").to_pylist() == ["live", "retired", "live"]


def test_delete_takes_the_rows_named_and_no_others(store: Store) -> None:
    bulk_write(store, {"blocking_key": pa.table({"key": [1, 1, 2], "record": [7, 8, 7]})})
    with bulk_transaction(store) as bulk:
        bulk.delete("blocking_key", pa.table({"record": [7]}))
        bulk.delete("blocking_key", pa.table({"key": [3], "record": [8]}))
    assert read_table(store, "blocking_key").to_pylist() == [{"key": 1, "record": 8}]


def test_upsert_adds_and_changes(store: Store) -> None:
    bulk_write(store, {"source_system": systems("gp")})
    with bulk_transaction(store) as bulk:
        rows = pa.table({"source": ["gp", "ed"], "name": ["new", "other"]})
        bulk.upsert("source_system", rows, on=["source"])
        assert bulk.count("source_system") == 2
    assert read_table(store, "source_system").column("name").to_pylist() == ["other", "new"]


def test_numbers_go_on_after_those_that_were_given(store: Store) -> None:
    bulk_write(store, {"source_system": systems("gp"), "source_record": records([41])})
    bulk_write(store, {"source_record": records([42]).drop_columns("number")})
    assert read_table(store, "source_record", ["number"]).column("number").to_pylist() == [41, 42]


def test_reads_inside_the_transaction_see_its_own_rows(store: Store) -> None:
    with bulk_transaction(store) as bulk:
        bulk.append("source_system", systems("gp", "ed"))
        assert bulk.read("source_system", ["source"], "source = 'ed'").num_rows == 1


def test_records_that_the_database_numbers_refer_to_one_another(store: Store) -> None:
    with bulk_transaction(store) as bulk:
        bulk.append("source_system", systems("gp"))
        for local_id, merged_into in (("1", None), ("2", 1), ("3", 2)):
            row = {"local_id": local_id, "merged_into": merged_into, "source": "gp"}
            bulk.append("source_record", pa.Table.from_pylist([row | {"registered_at": AT}]))
    into = read_table(store, "source_record", ["merged_into"])
    assert into.column(0).to_pylist() == [None, 1, 2]


def test_a_column_that_begins_with_nulls_alone_may_refer_to_others(store: Store) -> None:
    with bulk_transaction(store) as bulk:
        bulk.append("source_system", systems("gp"))
        for number, merged_into in ((1, None), (2, 1)):
            added = pa.array([merged_into])  # The first has the type `null`.
            bulk.append("source_record", records([number]).append_column("merged_into", added))
    into = read_table(store, "source_record", ["merged_into"])
    assert into.column(0).to_pylist() == [None, 1]
