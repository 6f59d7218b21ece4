"""kill -9 at any moment: what was acknowledged is there, and nothing is there twice.

A child process writes and acknowledges over a pipe until it is killed. That the harness can see
loss is shown by a child that acknowledges before the commit.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from mpi.services.linkage_index import LinkageIndex
from mpi.storage.engine import open_store
from tests.databases import PostgresqlServer, postgresql_server
from tests.live_index import LiveIndex
from tests.simulation.invariants import check_store

ROUNDS = int(os.environ.get("MPI_ROUNDS", "1"))
WRITES = """
import sys
from mpi.storage.engine import open_store
from tests.live_index import LiveIndex
from tests.small_region import ADA, JOHN
url, start, hasty = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "hasty"
live = LiveIndex(open_store(url))
for number in range(start, start + 100_000):
    texts = (ADA, JOHN)[number % 2] | {"date_of_birth": f"19{number % 90 + 10}-02-03"}
    if hasty:
        print(number, flush=True)
    live.say(f"gp:{number}", texts, request_key=f"m{number}")
    if not hasty:
        print(number, flush=True)
"""


def killed_writer(url: str, start: int, *, after_s: float, is_hasty: bool = False) -> list[int]:
    """What a child acknowledged until it was killed, some time after its first word."""
    command = [sys.executable, "-c", WRITES, url, str(start), "hasty" if is_hasty else "careful"]
    root = Path(__file__).parents[2]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)
    with child:
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(after_s)
        child.send_signal(signal.SIGKILL)
        told = [first, *child.stdout]
    return [int(line) for line in told if line.endswith("\n")]


def killed_database(server: PostgresqlServer, url: str, *, after_s: float) -> list[int]:
    """What a child acknowledged until the whole database was killed, which then started again."""
    command = [sys.executable, "-c", WRITES, url, "0", "careful"]
    root = Path(__file__).parents[2]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, cwd=root, **pipes) as child:  # type: ignore[call-overload]
        first = child.stdout.readline()
        time.sleep(after_s)
        server.crash()
        told = [first, *child.stdout]
    return [int(line) for line in told if line.endswith("\n")]


def stored_records(live: LiveIndex) -> list[int]:
    rows = live.query(
        "SELECT local_id FROM record_version JOIN source_record ON source_record.number = record"
    )
    return sorted(int(row.local_id) for row in rows)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_nothing_acknowledged_is_lost_and_nothing_applied_twice(
    kind: str, new_database: Callable[[str], str], index: LinkageIndex
) -> None:
    random = Random(7)
    for _ in range(ROUNDS):
        url = new_database(kind)
        told = killed_writer(url, 0, after_s=random.uniform(0.0, 0.4))
        live = LiveIndex(open_store(url), index)
        stored = stored_records(live)
        assert stored == list(range(len(stored)))
        assert told[-1] + 1 <= len(stored) <= told[-1] + 2
        live.say(f"gp:{told[-1]}", {"title": "Dr"}, day=1)
        check_store(live)
        live.close()
        live.store.close()


def lost_with_the_database(index: LinkageIndex, *, is_durable: bool, rounds: int) -> int:
    """How many acknowledged records were gone after the database was killed."""
    lost = 0
    with postgresql_server(is_durable=is_durable) as server:
        if server.process is None:
            pytest.skip("an embedded server is not ours to kill")
        server.prepare_template()
        for round_ in range(rounds):
            url = server.create_database()
            told = killed_database(server, url, after_s=0.05 * (round_ % 8))
            with closing(open_store(url)) as store:
                live = LiveIndex(store, index)
                stored = stored_records(live)
                assert stored == list(range(len(stored)))
                lost += len(set(told) - set(stored))
                check_store(live)
                live.close()
            server.drop_database(url)
            if lost:
                break
    return lost


def test_a_killed_database_has_what_was_acknowledged(index: LinkageIndex) -> None:
    assert lost_with_the_database(index, is_durable=True, rounds=ROUNDS) == 0


def test_the_harness_sees_what_a_hasty_database_loses(index: LinkageIndex) -> None:
    assert lost_with_the_database(index, is_durable=False, rounds=20) > 0


def test_the_harness_sees_what_is_acknowledged_too_early(
    new_database: Callable[[str], str], index: LinkageIndex
) -> None:
    lost = 0
    for round_ in range(20):
        url = new_database("sqlite")
        told = killed_writer(url, 0, after_s=0.01 * round_, is_hasty=True)
        live = LiveIndex(open_store(url), index)
        lost += len(set(told) - set(stored_records(live)))
        live.close()
        live.store.close()
        if lost:
            break
    assert lost > 0
