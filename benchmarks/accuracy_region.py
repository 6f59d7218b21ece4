"""Accuracy of the index on synthetic regions whose seeds trained no model, by case and by group."""

from __future__ import annotations

import json
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from benchmarks.cases.region import write_people
from benchmarks.clerical_work import work_points
from benchmarks.hard_cases import count_hard_cases, hard_rows
from benchmarks.suite import Scale, Table
from mpi.batch.evaluate import evaluate
from mpi.batch.evaluation import Evaluation, PairCounts
from mpi.batch.intervals import wilson_interval
from mpi.batch.load import load_folder
from mpi.batch.progress import SilentProgress
from mpi.batch.stored_index import read_index
from mpi.batch.truth import read_truth
from mpi.config import Settings
from mpi.domain.records import ComparisonRecord
from mpi.linkage.model import Model, model_from_spec
from mpi.linkage.vetoes import compile_name_rule, find_record_veto
from mpi.storage.bulk import read_table
from mpi.storage.engine import Store, open_store
from mpi.storage.releases import SHIPPED_MODEL, list_releases, read_release
from mpi.synthetic.people import Population
from mpi.synthetic.region import Profile

PEOPLE = {"quick": 5_000, "full": 7_000}
NINE_TO_ONE_BITS, NINETY_NINE_TO_ONE_BITS = np.log2(9), np.log2(99)
"""Between them lie the pairs that are given 90 to 99 %."""


@dataclass(slots=True)
class Region:
    """Sums over all seeds of one profile: counts, and `points` of precision and recall by bits."""

    pairs: PairCounts = field(default_factory=lambda: PairCounts(**dict.fromkeys(_COUNTS, 0)))
    groups: dict[tuple[str, str], PairCounts] = field(default_factory=dict)
    group_records: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    records: int = 0
    tasks: int = 0
    over_merged: int = 0
    twins_linked: int = 0
    likely_pairs: int = 0
    """Edges that are given 90 to 99 %."""
    likely_true: int = 0
    vetoed_pairs: int = 0
    """Those of them that a veto keeps apart whatever they weigh."""
    vetoed_true: int = 0
    true_pairs: int = 0
    blocked_true: int = 0
    candidates: int = 0
    """Ordered pairs that share a blocking key."""
    points: list[dict[str, float]] = field(default_factory=list)
    work: list[dict[str, Any]] = field(default_factory=list)
    """Of the first seed; see `benchmarks.clerical_work`."""
    hard: Counter[str] = field(default_factory=Counter)
    """Pairs of different people by kind; see `benchmarks.hard_cases`."""
    by_seed: list[dict[str, float]] = field(default_factory=list)

    def add(self, evaluation: Evaluation) -> None:
        """Adds what one seed's index came to."""
        self.pairs = _sum(self.pairs, evaluation.automatic_links)
        for row in evaluation.by_group:
            key = (row.dimension, row.value)
            self.groups[key] = (
                _sum(self.groups[key], row.pairs) if key in self.groups else row.pairs
            )
            self.group_records[key] += row.records_count
        self.records += evaluation.records_count
        self.tasks += evaluation.tasks_count
        self.over_merged += evaluation.over_merged_persons
        self.twins_linked += evaluation.twins_linked
        self.by_seed.append(
            {
                "false_links": evaluation.automatic_links.false_pairs,
                "recall": evaluation.automatic_links.recall,
                "tasks_per_1000_records": evaluation.tasks_per_1000_records,
            }
        )


_COUNTS = ("true_pairs", "linked_pairs", "correct_pairs")


def measure_regions(scale: Scale) -> tuple[list[Table], dict[str, Any]]:
    """Tables and figures of the normal and the stress profile."""
    profiles: tuple[Profile, ...] = ("normal", "stress")
    regions = {profile: _measure(scale, profile) for profile in profiles}
    tables = [_summary(regions), _by_seed(scale, regions)]
    for profile, region in regions.items():
        title = f"Different people who are alike, {profile}: pairs of people"
        tables.append(Table(title, ("kind", "pairs", "linked"), hard_rows(region.hard)))
        tables.append(_by_group(f"By group and hard case, {profile}", region))
    return tables, {name: _figures(region) for name, region in regions.items()}


def _measure(scale: Scale, profile: Profile) -> Region:
    found = Region()
    for seed in scale.seeds:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            feeds, count = folder / "feeds", PEOPLE[scale.name]
            people = write_people(feeds, people=count, seed=seed, profile=profile)
            settings = Settings(database_url=f"sqlite:///{folder / 'index.sqlite3'}")
            load_folder(feeds, settings=settings, is_snapshot=False, progress=SilentProgress())
            _judge(found, open_store(settings.database_url), feeds, people)
    return found


def _judge(found: Region, store: Store, feeds: Path, people: Population) -> None:
    index, truth = read_index(store), read_truth(feeds)
    evaluation = evaluate(
        records=index.records, truth=truth, edges=index.edges, tasks_count=index.tasks_count
    )
    found.add(evaluation)
    found.points.extend(
        {"bits": p.match_weight_bits, "precision": p.precision, "recall": p.recall}
        for p in evaluation.curve
    )
    with duckdb.connect() as connection:
        connection.register("index_records", index.records)
        connection.register("truth", truth)
        connection.execute(_KNOWN_SQL)
        connection.register("edges", index.edges)
        _count_calibration(found, connection)
        found.work = found.work or work_points(connection)
        found.hard += count_hard_cases(connection, people)
        _count_blocking(found, connection, store)


_KNOWN_SQL = """
create table known as select record, min(human_id) as human
from index_records join truth using (source, local_id)
group by record having count(distinct human_id) = 1
"""


def _count_calibration(found: Region, connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute(
        """select a.comparison, b.comparison, l.human = r.human from edges
        join known as l on l.record = edges."left" join known as r on r.record = edges."right"
        join index_records as a on a.record = l.record
        join index_records as b on b.record = r.record
        where match_weight_bits between $low and $high""",
        {"low": float(NINE_TO_ONE_BITS), "high": float(NINETY_NINE_TO_ONE_BITS)},
    ).fetchall()
    found.likely_pairs += len(rows)
    found.likely_true += sum(is_true for *_, is_true in rows)
    name_rule = compile_name_rule(_model().given_names_agree)
    for one, other, is_true in rows:
        if find_record_veto(_compared(one), _compared(other), name_rule):
            found.vetoed_pairs += 1
            found.vetoed_true += is_true


def _model() -> Model:
    """The newest release's, which a load takes."""
    release = read_release(list_releases(SHIPPED_MODEL)[-1])
    return model_from_spec(release.spec, version=release.version, digest=release.digest)


def _compared(text: str) -> ComparisonRecord:
    """The record that the store holds as JSON."""
    values = json.loads(text) if isinstance(text, str) else text
    return ComparisonRecord(
        **{key: tuple(each) if isinstance(each, list) else each for key, each in values.items()}
    )


def _count_blocking(found: Region, connection: duckdb.DuckDBPyConnection, store: Store) -> None:
    connection.register("stored_keys", read_table(store, "blocking_key", ("record", "key")))
    connection.execute(
        """create table shared as select distinct l.record as l, r.record as r
        from stored_keys as l join stored_keys as r on l.key = r.key and l.record < r.record"""
    )
    ((blocked, true_blocked),) = connection.execute(
        """select count(*), count(*) filter (where l.human = r.human) from shared
        join known as l on l.record = shared.l join known as r on r.record = shared.r"""
    ).fetchall()
    ((true_pairs,),) = connection.execute(
        "select sum(n * (n - 1) // 2) from (select count(*) as n from known group by human)"
    ).fetchall()
    found.candidates += 2 * blocked
    found.blocked_true += true_blocked
    found.true_pairs += int(true_pairs)


def _summary(regions: dict[str, Region]) -> Table:
    header = ("figure", *regions)
    figures = [_figures(region) for region in regions.values()]
    names = [name for name in figures[0] if not isinstance(figures[0][name], list | dict)]
    rows = [(name.replace("_", " "), *(each[name] for each in figures)) for name in names]
    return Table("Synthetic regions, automatic links", header, rows)


def _by_seed(scale: Scale, regions: dict[str, Region]) -> Table:
    names = ("false_links", "recall", "tasks_per_1000_records")
    rows = [
        (f"{profile}, seed {seed}", *(found[name] for name in names))
        for profile, region in regions.items()
        for seed, found in zip(scale.seeds, region.by_seed, strict=True)
    ]
    header = ("region", *(name.replace("_", " ") for name in names))
    return Table("Seed by seed", header, rows)


def _figures(region: Region) -> dict[str, Any]:
    pairs = region.pairs
    low, high = wilson_interval(pairs.correct_pairs, pairs.true_pairs)
    return {
        "records": region.records,
        "precision": pairs.precision,
        "false_links": pairs.false_pairs,
        "false_per_10000": pairs.false_per_10000,
        "false_per_10000_at_most": pairs.false_per_10000_upper,
        "recall": pairs.recall,
        "recall_at_least": low,
        "recall_at_most": high,
        "tasks_per_1000_records": 1_000 * region.tasks / max(region.records, 1),
        "over_merged_persons": region.over_merged,
        "twins_linked": region.twins_linked,
        "hard_pairs_of_people": hard_rows(region.hard)[-1][1],
        "hard_pairs_linked": hard_rows(region.hard)[-1][2],
        "blocking_recall": region.blocked_true / max(region.true_pairs, 1),
        "candidates_per_look_up": region.candidates / max(region.records, 1),
        "pairs_given_90_to_99_percent": region.likely_pairs,
        "share_of_them_true": region.likely_true / max(region.likely_pairs, 1),
        "share_of_them_true_vetoes_left_out": (region.likely_true - region.vetoed_true)
        / max(region.likely_pairs - region.vetoed_pairs, 1),
        "by_seed": region.by_seed,
        "hard_pairs": dict(region.hard),
        "groups": _group_figures(region),
        "curve": region.points,
        "clerical_work": region.work,
    }


def _group_figures(region: Region) -> dict[str, Any]:
    return {
        f"{dimension}: {value}": {
            "records": region.group_records[(dimension, value)],
            "recall": pairs.recall,
            "recall_interval": wilson_interval(pairs.correct_pairs, pairs.true_pairs),
            "false_links": pairs.false_pairs,
            "false_per_10000_at_most": pairs.false_per_10000_upper,
        }
        for (dimension, value), pairs in region.groups.items()
    }


def _by_group(title: str, region: Region) -> Table:
    """The gap is to the best group of the same kind, in percentage points of recall."""
    best: dict[str, float] = defaultdict(float)
    for (dimension, _), pairs in region.groups.items():
        best[dimension] = max(best[dimension], pairs.recall)
    header = (
        "group",
        "records",
        "true pairs",
        "recall",
        "gap in points",
        "false links",
        "false in 10,000, at most",
    )
    rows = [
        (
            f"{dimension}: {value}", region.group_records[(dimension, value)], pairs.true_pairs,
            f"{pairs.recall:.4f}", f"{100 * (best[dimension] - pairs.recall):.2f}",
            pairs.false_pairs, f"{pairs.false_per_10000_upper:.2f}",
        )
        for (dimension, value), pairs in sorted(region.groups.items())
    ]  # fmt: skip
    return Table(title, header, rows)


def _sum(one: PairCounts, other: PairCounts) -> PairCounts:
    return replace(one, **{name: getattr(one, name) + getattr(other, name) for name in _COUNTS})
