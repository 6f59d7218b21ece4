"""`mpi link`: any file of people becomes a file that says which rows are one person. No store.

Nothing is known of the file but itself, so the shipped model is only the starting point: how
common values are, what agreement weighs and how many rows are one person is estimated on the file.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import duckdb
import numpy as np
import pyarrow as pa

from mpi.batch.edges import CrowdedKey, register_frequencies
from mpi.batch.engines import open_engine
from mpi.batch.files.blocking import make_file_pairs
from mpi.batch.files.expectation import estimate_kinds
from mpi.batch.files.frequencies import count_file_frequencies
from mpi.batch.files.input import InputFile, read_input, with_ordered_names
from mpi.batch.files.kinds import Estimate, Evidence
from mpi.batch.files.lone_values import find_slips, hide_slips
from mpi.batch.files.mail_names import weigh_mails_beside_names
from mpi.batch.files.maximisation import Slips
from mpi.batch.files.model import model_for_files
from mpi.batch.files.names_in_use import (
    count_names_in_use,
    join_slips_to_names,
    measure_forms,
    measure_slips,
    tell_names_apart,
)
from mpi.batch.files.output import check_outputs, write_whole
from mpi.batch.files.pattern_scores import score_patterns
from mpi.batch.files.patterns import (
    Patterns,
    adjust_patterns,
    count_patterns,
    make_patterns,
    random_pairs_sql,
)
from mpi.batch.files.records import row_jobs, standardise_rows
from mpi.batch.files.results import (
    LinkReport,
    edges_table,
    input_notes,
    person_ids,
    persons_table,
    questions_table,
)
from mpi.batch.files.rows import aside_table
from mpi.batch.groups import Grouping, connected_components, group_records
from mpi.batch.progress import Progress
from mpi.batch.side_by_side import run_side_by_side
from mpi.config import Settings
from mpi.domain.links import WEIGHT_STEPS_PER_BIT
from mpi.linkage.comparators import double_sql
from mpi.linkage.model import Model, model_from_spec
from mpi.linkage.partition import partition_rules
from mpi.storage.releases import SHIPPED_MODEL, list_releases, read_release

COST_RATIO: Final = 20.0
"""A false link costs as much as this many missed ones."""
TASK_SHARE: Final = 0.2
"""A question is worth asking when so many of its kind are links."""
PASSES_MAX: Final = 5
SETTLED_SHARE: Final = 0.01
"""Estimation has settled when the number of persons changes by less."""
SLIPS_CHANGE_MIN: Final = 0.1
"""... and the share of slips among contradictions too."""
RANDOM_PAIRS_MAX: Final = 400_000
SIDE_BY_SIDE_ROWS_MIN: Final = 20_000
"""Smaller files are standardised sooner than a second process starts."""


def link_file(
    file: Path,
    *,
    out: Path,
    edges_out: Path | None = None,
    questions_out: Path | None = None,
    is_scheme_trusted: bool = False,
    settings: Settings | None = None,
    progress: Progress,
) -> LinkReport:
    """Link a CSV or Parquet file and write `record_id, person_id`, a line for each row.

    Args:
        file: See `mpi.batch.files.input`.
        out: Result; its ending says whether CSV or Parquet. A column `source` stands between the
            two if ids are unique only within a source. Rows that could not be read go beside it
            to `<out>.quarantine.csv`; an earlier file of this name is replaced or removed.
        edges_out: Where pairs that reach the review threshold go, if wanted.
        questions_out: Where link evidence that was not applied goes, if wanted.
        is_scheme_trusted: Two different numbers of another scheme keep records apart, as NHS
            numbers do.
        settings: Processes and memory; the default uses all processors.
        progress: Told of each phase.

    Raises:
        InvalidInput: If the file as a whole cannot be used or a result cannot be written; nothing
            is left half-written.
        StorageUnavailable: If memory or disk runs out.
    """
    outputs = [path for path in (out, edges_out, questions_out) if path]
    quarantine = out.with_name(f"{out.name}.quarantine.csv")
    check_outputs(file, [*outputs, quarantine])
    with progress.phase("read the file", 1):
        rows = with_ordered_names(read_input(file))
    chosen = settings or Settings()
    with open_engine(chosen) as connection:
        run = _Run(connection, rows, shipped_model(), progress)
        _standardise(run, chosen.workers_count, is_scheme_trusted=is_scheme_trusted)
        run.crowded = _compare(run)
        scored = _estimate(run)
        join_slips_to_names(connection)
        hidden = hide_slips(connection, scored.model, rows.rows.num_rows)
        grouping = group_records(connection, rules=partition_rules(scored.model), progress=progress)
        persons = person_ids(rows, grouping)
        with progress.phase("write the results", len(outputs)):
            tables = [(out, persons_table(rows, persons))]
            if edges_out:
                tables.append((edges_out, edges_table(connection, rows)))
            if questions_out:
                tables.append((questions_out, questions_table(rows, grouping, persons)))
            if rows.aside_rows:
                tables.append((quarantine, aside_table(rows.aside_rows)))
            write_whole(tables)
            if not rows.aside_rows:
                quarantine.unlink(missing_ok=True)
        return _report(run, scored, grouping, hidden, quarantine)


def shipped_model() -> Model:
    """The newest shipped release's model, or the spec's starting values while there is none.

    It has the levels for files (`mpi.batch.files.model`). Raises InvalidModel if it cannot be used.
    """
    releases = list_releases(SHIPPED_MODEL)
    if releases:
        release = read_release(releases[-1])
        return model_for_files(
            model_from_spec(release.spec, version=release.version, digest=release.digest)
        )
    spec = tomllib.loads((SHIPPED_MODEL / "spec.toml").read_text("utf-8"))
    return model_for_files(model_from_spec(spec, version="spec", digest=""))


@dataclass(slots=True)
class _Run:
    connection: duckdb.DuckDBPyConnection
    file: InputFile
    model: Model
    progress: Progress
    crowded: tuple[CrowdedKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Scored:
    """The model as the file has it."""

    model: Model
    estimate: Estimate
    evidence: Evidence
    slips: Slips | None
    """None on the first pass."""


def _standardise(run: _Run, workers: int, *, is_scheme_trusted: bool) -> None:
    """The table `records`, numbered from 0 in the order of the file."""
    count = run.file.rows.num_rows
    processes = 1 if count < SIDE_BY_SIDE_ROWS_MIN else workers
    jobs = row_jobs(run.file, is_scheme_trusted=is_scheme_trusted)
    tables = []
    with run.progress.phase("standardise", count) as phase:
        for table in run_side_by_side(standardise_rows, jobs, processes):
            tables.append(table)
            phase.advance(table.num_rows)
    run.connection.register("standardised", pa.concat_tables(tables))
    run.connection.execute("create table records as select * from standardised order by record")
    run.connection.unregister("standardised")


def _compare(run: _Run) -> tuple[CrowdedKey, ...]:
    """Tables `blocked_pattern` and `random_pattern`: every comparison that is ever made."""
    connection = run.connection
    with run.progress.phase("find candidates", 1):
        crowded = make_file_pairs(connection, run.model.blocking)
    with run.progress.phase("compare pairs", 2) as phase:
        blocked = "select join_key_l as l, join_key_r as r from pair"
        make_patterns(connection, run.model, blocked, table="blocked_pattern")
        phase.advance()
        drawn = random_pairs_sql(connection, RANDOM_PAIRS_MAX)
        make_patterns(connection, run.model, drawn, table="random_pattern")
        count_names_in_use(connection)
        measure_slips(connection, run.model)
        measure_forms(connection)
        for table in ("blocked_pattern", "random_pattern"):
            tell_names_apart(connection, run.model, table=table)
            weigh_mails_beside_names(connection, run.model, table=table)
    return crowded


def _estimate(run: _Run) -> Scored:
    """Weights and the table `edge`, made again until they settle: how common a value is depends on
    who is one person, and who is one person on how common a value is."""
    connection, count = run.connection, run.file.rows.num_rows
    connection.execute(_FIRST_PERSONS_SQL)
    scored: Scored | None = None
    persons = count
    with run.progress.phase("estimate weights") as phase:
        for _ in range(PASSES_MAX):
            slips = find_slips(connection, scored.model, count) if scored else None
            settled = scored is not None and _are_alike(slips, scored.slips)
            scored = _estimate_once(run, scored.estimate if scored else None, slips)
            phase.advance()
            before, persons = persons, _take_persons(run, scored.model.thresholds.link_bits)
            if settled and abs(before - persons) <= SETTLED_SHARE * persons:
                break
    assert scored is not None
    return scored


def _are_alike(one: Slips | None, other: Slips | None) -> bool:
    if one is None or other is None:
        return False
    return all(abs(share - other[name]) <= SLIPS_CHANGE_MIN for name, share in one.items())


_FIRST_PERSONS_SQL: Final = """
create or replace table taken_person as
select record, coalesce(trusted_nhs_number, full_name || birth_date, 'r' || record) as person
from records
"""


def _estimate_once(run: _Run, start: Estimate | None, slips: Slips | None) -> Scored:
    frequencies = count_file_frequencies(run.connection, run.model)
    model = replace(
        run.model, unseen_frequency=frequencies.unseen, chance_agreement=frequencies.chance
    )
    register_frequencies(run.connection, frequencies.listed)
    evidence = _evidence(run, model)
    estimate = estimate_kinds(model, evidence, start, slips=slips)
    thresholds = replace(
        model.thresholds,
        link_bits=math.log2(COST_RATIO),
        review_bits=math.log2(TASK_SHARE / (1 - TASK_SHARE)),
    )
    scored = Scored(replace(model, thresholds=thresholds), estimate, evidence, slips)
    _score(run, scored)
    return scored


def _evidence(run: _Run, model: Model) -> Evidence:
    patterns: list[Patterns] = []
    for table in ("random_pattern", "blocked_pattern"):
        adjust_patterns(run.connection, model, table=table)
        patterns.append(count_patterns(run.connection, model, table=table))
    records = run.file.rows.num_rows
    ((within,),) = run.connection.execute(
        """select coalesce(sum(held * (held - 1) / 2), 0)
        from (select count(*) as held from records group by source)"""
    ).fetchall()
    return Evidence(
        random=patterns[0],
        blocked=patterns[1],
        pairs_within=float(within),
        pairs_across=records * (records - 1) / 2 - float(within),
        records=records,
    )


def _score(run: _Run, scored: Scored) -> None:
    """The table `edge` (left_record, right_record, match_weight_bits), down to `review_bits`."""
    model = scored.model
    score_patterns(run.connection, model, scored.estimate, table="blocked_pattern")
    steps = double_sql(WEIGHT_STEPS_PER_BIT)
    rounded = f"floor(weight * {steps} + 0.5e0) / {steps}"
    run.connection.execute(
        f"""create or replace table edge as
        select l as left_record, r as right_record, {rounded} as match_weight_bits
        from (
            select l, r, match_bits - greatest(adjusted, relative_bits)
                - log2(1e0 + pow(2e0, -abs(adjusted - relative_bits))) as weight
            from (select *, stranger_bits - adjustment_bits as adjusted
                from blocked_pattern_adjusted join pattern_score using (pattern, is_same_source)))
        where {rounded} >= {double_sql(model.thresholds.review_bits)}"""
    )


def _take_persons(run: _Run, link_bits: float) -> int:
    """The table `taken_person` of whoever link edges connect; gives how many they are."""
    edges = run.connection.execute(
        f"select left_record, right_record from edge where match_weight_bits >= {link_bits!r}"
    ).fetchnumpy()
    left, right = (np.asarray(edges[side], np.int64) for side in ("left_record", "right_record"))
    count = run.file.rows.num_rows
    persons = connected_components(count, left, right)
    taken = pa.table({"record": np.arange(count), "person": persons})
    run.connection.register("taken", taken)
    run.connection.execute("create or replace table taken_person as select * from taken")
    run.connection.unregister("taken")
    return len(np.unique(persons))


def _report(
    run: _Run, scored: Scored, grouping: Grouping, hidden: int, quarantine: Path
) -> LinkReport:
    bits, aside = scored.model.thresholds.link_bits, run.file.aside_rows
    ((false_links,),) = run.connection.execute(
        f"""select coalesce(sum(1 / (1 + pow(2e0, match_weight_bits))), 0)
        from edge where match_weight_bits >= {double_sql(bits)}"""
    ).fetchall()
    return LinkReport(
        records=run.file.rows.num_rows,
        persons=len(np.unique(grouping.groups)),
        questions=len(grouping.questions),
        link_bits=bits,
        expected_false_links=float(false_links),
        unreadable_rows=len(aside),
        first_unreadable_line=aside[0].line if aside else None,
        quarantine=quarantine if aside else None,
        crowded=run.crowded,
        notes=tuple(input_notes(run.file, hidden)),
    )
