"""Raw feeds to a served store, phase by phase, beside plain Splink on the same records."""

from __future__ import annotations

from dataclasses import asdict
from time import perf_counter

from benchmarks.loaded import loaded_region
from benchmarks.plain_splink import predict_and_cluster, read_people
from benchmarks.suite import Outcome, Scale, Table
from benchmarks.timing import spread, timed_runs
from mpi.batch.engines import open_engine
from mpi.cli.answering import open_desk
from mpi.storage.engine import open_store

REPEATS = 3
"""Runs of plain Splink after one that warms up; on the whole region each takes 15 seconds."""
RATIO_MAX = 12.0
"""Budget of the architecture: bulk work takes at most so many times as long as Splink alone."""


def run(scale: Scale) -> Outcome:
    """Seconds of each phase and of all, and their ratio to plain Splink's, measured in one run."""
    with loaded_region(scale.people) as region:
        began = perf_counter()
        open_desk(region.settings)
        served = perf_counter() - began
        with open_engine(region.settings) as connection:
            records = read_people(connection, open_store(region.settings.database_url))
            runs = timed_runs(lambda: predict_and_cluster(connection), repeats=REPEATS)
    plain = spread(runs)
    load = region.load
    total = load.seconds + served
    figures = {
        "people": scale.people,
        "records": records,
        "rows": load.rows,
        "seconds": total,
        "phases": {
            **load.phases,
            "between the phases": load.seconds - sum(load.phases.values()),
            "open to be asked": served,
        },
        "peak_mib": load.peak_mib,
        "splink_seconds": {**asdict(plain), "runs": len(runs)},
        "ratio": total / plain.median,
        "rows_per_second": load.rows / total,
    }
    rows = [*figures["phases"].items(), ("all of it", total)]
    rows += [(f"plain Splink, predict and cluster: median of {len(runs)} runs", plain.median)]
    rows += [(f"ratio (budget: at most {RATIO_MAX:g})", total / plain.median)]
    title = f"Bulk: {figures['rows']:,} rows, {records:,} records, {scale.people:,} people"
    return Outcome([Table(title, ("phase", "seconds"), rows)], figures)
