"""Who is this? in process, by source id, NHS number and demographics, beside the bare floor.

The floor does for demographics what nobody can leave out: a raw sqlite3 look-up of the same
blocking keys, and the bare scoring loop over what it finds. No transaction, no veto, no answer.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from benchmarks.loaded import LoadedRegion, loaded_region
from benchmarks.suite import Outcome, Scale, Table
from benchmarks.timing import Latencies, latencies_of
from mpi.domain.demographics import Demographics
from mpi.domain.identifiers import RecordKey
from mpi.limits import CANDIDATES_MAX
from mpi.linkage.comparators import Prepared
from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from mpi.services.resolve import (
    resolve_by_demographics,
    resolve_by_nhs_number,
    resolve_by_source_id,
)
from mpi.standardise.record import standardise_demographics
from mpi.storage.engine import open_store
from mpi.storage.records import comparison_from_json
from mpi.storage.releases import read_release, release_in_force
from mpi.storage.unit_of_work import reading
from mpi.storage.warming import warm

QUESTIONS = {"quick": 1_000, "full": 5_000}
KEPT = 4_096
"""Compared records that the store keeps decoded; so does the floor."""
HEADER = ("resolve, milliseconds", "p50", "p95", "p99", "calls")


def run(scale: Scale) -> Outcome:
    """Latencies of each way to ask, in milliseconds, and their ratio to the bare floor."""
    with loaded_region(scale.people) as region:
        warm(region.settings.database_url)
        index = compile_linkage_index(read_release(release_in_force(None)))
        asked = questions_about(region, QUESTIONS[scale.name])
        found = {name: latencies_of(ask, each) for name, ask, each in _ways(region, index, asked)}
        records = region.load.records
    ratio = found["demographics"].p50_ms / found["bare floor of demographics"].p50_ms
    figures = {
        "records": records,
        **{name: asdict(latencies) for name, latencies in found.items()},
        "ratio_to_floor_p50": ratio,
    }
    rows: list[tuple[object, ...]] = [_row(name, each) for name, each in found.items()]
    rows.append(("demographics to floor, times (budget: 4)", ratio, "", "", ""))
    return Outcome([Table(f"Resolve among {records:,} records", HEADER, rows)], figures)


def _row(name: str, found: Latencies) -> tuple[object, ...]:
    return (name, found.p50_ms, found.p95_ms, found.p99_ms, found.calls)


def questions_about(region: LoadedRegion, count: int) -> list[tuple[RecordKey, Demographics]]:
    """Records of the region, as their sources would ask about them."""
    return [(key, version.demographics) for key, version in region.some_records(count)]


def _ways(
    region: LoadedRegion, index: LinkageIndex, asked: list[tuple[RecordKey, Demographics]]
) -> list[tuple[str, Callable[[Any], object], list[Any]]]:
    """Name, function of a question, and its questions."""
    store = open_store(region.settings.database_url)

    def by_id(key: RecordKey) -> object:
        with reading(store) as unit:
            return resolve_by_source_id(unit, index, key)

    def by_number(number: str) -> object:
        with reading(store) as unit:
            return resolve_by_nhs_number(unit, index, number)

    def by_demographics(demographics: Demographics) -> object:
        with reading(store) as unit:
            return resolve_by_demographics(unit, index, demographics)

    demographics = [each for _, each in asked]
    return [
        ("source id", by_id, [key for key, _ in asked]),
        ("NHS number", by_number, _valid_numbers(index, demographics)),
        ("demographics", by_demographics, demographics),
        ("bare floor of demographics", *_floor(region, index, demographics)),
    ]


def _valid_numbers(index: LinkageIndex, asked: list[Demographics]) -> list[str]:
    compared = (standardise_demographics("", each, (), index.question_trust) for each in asked)
    return [record.nhs_number for record in compared if record.nhs_number]


def _floor(
    region: LoadedRegion, index: LinkageIndex, asked: list[Demographics]
) -> tuple[Callable[[Any], object], list[Any]]:
    """The bare look-up and loop, and its questions: keys and prepared records made beforehand."""
    connection = sqlite3.connect(region.store)
    prepare, weight = index.scorer.prepare, index.scorer.weight

    @lru_cache(maxsize=KEPT)
    def prepared(text: str) -> Prepared:
        return prepare(comparison_from_json(text))

    def ask(question: tuple[list[int], Prepared]) -> float:
        keys, left = question
        marks = ",".join("?" * len(keys))
        rows = connection.execute(
            f"select distinct comparison from blocking_key join source_record on number = record"
            f" where key in ({marks}) limit {CANDIDATES_MAX}",
            keys,
        )
        return max((weight(left, prepared(text)) for (text,) in rows if text), default=0.0)

    records = [standardise_demographics("", each, (), index.question_trust) for each in asked]
    return ask, [(list(index.keys_of(record)), prepare(record)) for record in records]
