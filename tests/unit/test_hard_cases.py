"""The benchmark counts pairs of people who are alike, and those that were linked."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest

from benchmarks.clerical_work import work_points
from benchmarks.hard_cases import KINDS, count_hard_cases, hard_pairs, hard_rows
from mpi.synthetic.people import Population
from mpi.synthetic.region import generate


@pytest.fixture(scope="module")
def people() -> Population:
    return generate(people=3_000, seed=4, sources=["gp"]).population


def test_hard_pairs_are_of_one_home_or_of_one_name(people: Population) -> None:
    for (one, other), kind in hard_pairs(people).items():
        assert one < other
        is_home = people.household[one] == people.household[other]
        assert is_home == (kind != "namesakes elsewhere")
        if kind == "twins":
            assert people.birth[one] == people.birth[other]


def test_a_person_of_two_twins_is_counted_and_one_human_is_not(people: Population) -> None:
    pair = next(pair for pair, kind in hard_pairs(people).items() if kind == KINDS[0])
    humans = [f"H{who:07d}" for who in (*pair, pair[0])]
    connection = duckdb.connect()
    connection.register("known", pa.table({"record": [1, 2, 3], "human": humans}))
    connection.register("index_records", pa.table({"record": [1, 2, 3], "person": ["P"] * 3}))
    rows = hard_rows(count_hard_cases(connection, people))
    assert [linked for _, _, linked in rows] == [1, 0, 0, 0, 1]


def test_answers_unite_what_is_one_human_and_unseen_links_unite_all() -> None:
    connection = duckdb.connect()
    connection.register("known", pa.table({"record": [1, 2, 3], "human": ["A", "A", "B"]}))
    connection.register("index_records", pa.table({"record": [1, 2, 3], "person": ["P", "Q", "R"]}))
    edges = pa.table({"left": [1, 2], "right": [2, 3], "match_weight_bits": [8.0, 5.0]})
    connection.register("edges", edges)
    first, *_, last = work_points(connection)
    assert (first["questions_per_1000"], first["recall_answered"]) == (0.0, 0.0)
    assert (last["recall_answered"], last["recall_unseen"]) == (1.0, 1.0)
    assert last["precision_unseen"] == pytest.approx(1 / 3)
