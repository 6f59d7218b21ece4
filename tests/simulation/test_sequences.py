"""Whatever is done to an index, in whatever order, every promise holds after every step."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from mpi.services.linkage_index import compile_linkage_index
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release
from tests.live_index import SOURCES, LiveIndex
from tests.simulation.acts import Acts, do_something
from tests.simulation.invariants import Watch

SEQUENCES = int(os.environ.get("MPI_SEQUENCES", "12"))
FIRST_SEED = int(os.environ.get("MPI_FIRST_SEED", "0"))
STEPS = 40


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_promise_holds_after_every_step(
    kind: str, new_database: Callable[[str], str], releases: list[Path]
) -> None:
    count = SEQUENCES if kind == "sqlite" else max(1, SEQUENCES // 4)
    index = compile_linkage_index(read_release(releases[0]), SOURCES)
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        run(LiveIndex(open_store(new_database(kind)), index), releases, seed)


def run(live: LiveIndex, releases: list[Path], seed: int) -> None:
    """One sequence; a failure names the seed and what was done."""
    random = Random(seed)
    acts = Acts(live, random, releases, records_max=random.choice((4, 6, 9)))
    watch = Watch(live)
    trail: list[tuple[str, bool]] = []
    try:
        for _ in range(STEPS):
            trail.append(do_something(acts))
            watch.check()
    except Exception as error:
        error.add_note(f"seed {seed}, after {trail}")
        raise
    finally:
        live.close()
        live.store.close()
