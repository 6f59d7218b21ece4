"""Two workers on PostgreSQL, asked at once, give the persons that one after another gives."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx2

from mpi.cli.clients import local_token
from mpi.config import read_settings
from mpi.domain.policy import Role
from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release, write_release
from tests.live_index import SOURCES, START, LiveIndex
from tests.serving import serving
from tests.simulation.invariants import check_store
from tests.simulation.test_races import AT_ONCE, Say, two_groups_and_bridges
from tests.small_region import spec_release

ROUNDS = max(1, int(os.environ.get("MPI_ROUNDS", "1")) // 10)
POOLE = ([Role.INTEGRATION], "RD3")


def test_two_workers_give_the_persons_of_one_after_another(
    new_database: Callable[[str], str], tmp_path: Path
) -> None:
    release, story = tmp_path / "1", two_groups_and_bridges()
    write_release(release, spec=spec_release().spec, frequencies={}, card="The spec.")
    index = compile_linkage_index(read_release(release), SOURCES)
    groups = groups_one_by_one(new_database("sqlite"), index, story)
    for round_ in range(ROUNDS):
        url = new_database("postgresql")
        settings = {
            "MPI_DATABASE_URL": url, "MPI_RELEASE_FOLDER": str(release),
            "MPI_KEYS_FOLDER": str(tmp_path / "keys"), "MPI_REQUESTS_PER_MINUTE": "0",
        }  # fmt: skip
        with serving(settings, "--workers", "2") as (process, address, _):
            put = partial(register, address, local_token(read_settings(tmp_path, settings), *POOLE))
            with ThreadPoolExecutor(AT_ONCE) as pool:
                statuses = list(pool.map(put, Random(round_).sample(story, AT_ONCE)))
            process.terminate()
            process.wait(30)
        assert set(statuses) == {200}
        with closing(open_store(url)) as store:
            together = LiveIndex(store, index)
            assert together.groups() == groups, f"round {round_}"
            check_store(together)
            together.close()


def groups_one_by_one(url: str, index: LinkageIndex, story: list[Say]) -> set[frozenset[str]]:
    with closing(open_store(url)) as store:
        alone = LiveIndex(store, index)
        for record, texts, day in story:
            alone.say(record, texts, day=day)
        alone.close()
        return alone.groups()


def register(address: str, token: str, said: Say) -> Any:
    """The status of the answer; nobody is asked to try again."""
    record, texts, day = said
    source, local_id = record.split(":")
    body = {"event_at": (START - timedelta(days=100 - day)).isoformat(), **texts}
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{address}/v1/sources/{source}/records/{local_id}"
    return httpx2.put(url, json=body, headers=headers, timeout=60).status_code
