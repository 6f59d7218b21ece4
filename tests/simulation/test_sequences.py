"""Whatever is done to an index, in whatever order, every promise holds after every step."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from random import Random

import pytest

from mpi.services import relink
from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from mpi.services.world import World, read_world
from mpi.storage.engine import open_store
from mpi.storage.graph import StandingRecord
from mpi.storage.releases import read_release
from mpi.storage.unit_of_work import UnitOfWork
from tests.live_index import SOURCES, LiveIndex
from tests.simulation.acts import Acts, do_something
from tests.simulation.invariants import Watch

SEQUENCES = int(os.environ.get("MPI_SEQUENCES", "12"))
FIRST_SEED = int(os.environ.get("MPI_FIRST_SEED", "0"))
STEPS = 40


@pytest.fixture
def known_is_true(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Whatever is not read again, because it is known, is as it would be read; gives how often."""
    counts: list[int] = []

    def checked(
        unit: UnitOfWork,
        index: LinkageIndex,
        seeds: Collection[int],
        *,
        changed: Collection[int] | None = None,
        known: Mapping[int, StandingRecord] | None = None,
    ) -> World:
        world = read_world(unit, index, seeds, changed=changed, known=known)
        if known:
            counts.append(len(known))
            assert world == read_world(unit, index, seeds, changed=changed)
        return world

    monkeypatch.setattr(relink, "read_world", checked)
    return counts


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_promise_holds_after_every_step(
    kind: str,
    new_database: Callable[[str], str],
    releases: list[Path],
    known_is_true: list[int],
) -> None:
    count = SEQUENCES if kind == "sqlite" else max(1, SEQUENCES // 4)
    index = compile_linkage_index(read_release(releases[0]), SOURCES)
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        run(LiveIndex(open_store(new_database(kind)), index), releases, seed)
    assert known_is_true or kind == "postgresql", "PostgreSQL takes new locks, and reads again"


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
