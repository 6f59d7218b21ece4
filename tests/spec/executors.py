"""The ways in which records become groups; every scenario must come out the same in each."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import combinations

import pyarrow as pa

from mpi.batch.edges import find_edges
from mpi.batch.groups import group_records
from mpi.batch.progress import SilentProgress
from mpi.domain.links import Edge, rounded_bits
from mpi.domain.records import ComparisonRecord, SourceRecord
from mpi.domain.tasks import TaskQuestion
from mpi.linkage.blocking import compile_blocking
from mpi.linkage.frequencies import Frequencies
from mpi.linkage.model import Model, model_from_spec
from mpi.linkage.partition import partition, partition_rules
from mpi.linkage.scorer import Scorer, compile_scorer
from mpi.standardise.record import standardise
from mpi.storage.releases import SHIPPED_MODEL, list_releases, read_release
from tests.parity.duckdb_records import add_records, connect

Found = tuple[Sequence[frozenset[int]], Sequence[TaskQuestion]]
"""Groups and questions; a record is its place in the list."""
Executor = Callable[[Sequence[SourceRecord]], Found]


@cache
def model_in_force() -> tuple[Model, Frequencies, frozenset[int]]:
    """The newest shipped release; without one, the spec's starting values."""
    releases = list_releases(SHIPPED_MODEL)
    if not releases:
        spec = tomllib.loads((SHIPPED_MODEL / "spec.toml").read_text("utf-8"))
        return model_from_spec(spec, version="0", digest="0" * 64), {}, frozenset()
    release = read_release(releases[-1])
    model = model_from_spec(release.spec, version=release.version, digest=release.digest)
    return model, release.frequencies, release.stop_list


@cache
def _scorer() -> Scorer:
    model, frequencies, _ = model_in_force()
    return compile_scorer(model, frequencies)


def in_real_time(records: Sequence[SourceRecord]) -> Found:
    """As the live service does it: blocking keys and scorer in Python."""
    model, _, _ = model_in_force()
    compared = _standardised(records)
    found = partition(
        dict(enumerate(compared)),
        _edges(compared),
        (),
        partition_rules(model),
        source=lambda number: records[number].key.source,
    )
    return found.groups, found.questions


def in_batch(records: Sequence[SourceRecord]) -> Found:
    """As a bulk load does it: blocking and Splink in DuckDB, plain components in bulk."""
    model, frequencies, stop_list = model_in_force()
    compared = _standardised(records)
    with connect() as connection:
        add_records(connection, compared)
        find_edges(
            connection,
            model=model,
            frequencies=_held(frequencies, compared),
            stop_list=stop_list,
            progress=SilentProgress(),
        )
        sources = {"record": range(len(records)), "source": [each.key.source for each in records]}
        connection.register("source_of", pa.table({k: list(v) for k, v in sources.items()}))
        found = group_records(
            connection, rules=partition_rules(model), sources="source_of", progress=SilentProgress()
        )
    groups: dict[int, set[int]] = {}
    for record, group in zip(found.records.tolist(), found.groups.tolist(), strict=True):
        groups.setdefault(group, set()).add(record)
    return [frozenset(group) for group in groups.values()], found.questions


EXECUTORS: Mapping[str, Executor] = {"real time": in_real_time, "batch": in_batch}


def _standardised(records: Sequence[SourceRecord]) -> list[ComparisonRecord]:
    trust = model_in_force()[0].number_trust
    return [standardise(record, trust) for record in records]


def _edges(compared: Sequence[ComparisonRecord]) -> list[Edge]:
    model, _, stop_list = model_in_force()
    keys = [*map(compile_blocking(model.blocking, stop_list), compared)]
    prepared = [*map(_scorer().prepare, compared)]
    edges = (
        Edge(left, right, rounded_bits(_scorer().weight(prepared[left], prepared[right])))
        for left, right in combinations(range(len(compared)), 2)
        if keys[left] & keys[right]
    )
    numbers = [record.trusted_nhs_number for record in compared]
    return [
        edge
        for edge in edges
        if edge.match_weight_bits >= model.thresholds.review_bits
        or (numbers[edge.left] is not None and numbers[edge.left] == numbers[edge.right])
    ]


def _held(frequencies: Frequencies, compared: Sequence[ComparisonRecord]) -> Frequencies:
    """Only the values that these records hold: a release lists a region's."""
    held = {field: {getattr(each, field) for each in compared} for field in frequencies}
    return {
        field: {value: share for value, share in shares.items() if value in held[field]}
        for field, shares in frequencies.items()
    }
