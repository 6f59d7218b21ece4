"""Many at once give the persons that one after another gives, on both stores.

`MPI_ROUNDS=200` runs what issue 3 asks for; each round is a database of its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

import pytest

from mpi.clock import SystemClock
from mpi.domain.identifiers import RecordKey
from mpi.errors import Conflict, InvalidInput
from mpi.limits import STATEMENT_TIMEOUT_S
from mpi.services.linkage_index import LinkageIndex
from mpi.services.review import claim_task
from mpi.storage.engine import open_store
from mpi.storage.locks import Locks, key_locks
from mpi.storage.outbox import list_events, number_events
from mpi.storage.unit_of_work import reading, writing
from tests.live_index import LiveIndex
from tests.simulation.invariants import check_store
from tests.small_region import ADA, JOHN

ROUNDS = int(os.environ.get("MPI_ROUNDS", "1"))
FIRST_SEED = int(os.environ.get("MPI_FIRST_SEED", "0"))
AT_ONCE = 64
KINDS = ("sqlite", "postgresql")
Say = tuple[str, dict[str, Any], int]


class Skewed(SystemClock):
    """Machines do not quite agree on the time."""

    def now(self) -> Any:
        return super().now() - timedelta(milliseconds=threading.get_ident() % 7)


@pytest.fixture
def new_live(new_database: Callable[[str], str], index: LinkageIndex) -> Callable[[str], LiveIndex]:
    def make(kind: str) -> LiveIndex:
        live = LiveIndex(open_store(new_database(kind)), index)
        live.clock = Skewed()  # type: ignore[assignment]
        return live

    return make


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each gave, all started together; refusals are answers too."""
    gate = threading.Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        gate.wait()
        try:
            return act()
        except (Conflict, InvalidInput) as refusal:
            return refusal

    with ThreadPoolExecutor(len(acts)) as pool:
        answers = list(pool.map(run, acts))
    assert not any("schema" in str(answer) for answer in answers if isinstance(answer, Conflict))
    return answers


def close(live: LiveIndex) -> None:
    live.close()
    live.store.close()


def one_person() -> list[Say]:
    return [(f"gp:{n}", ADA | {"phone": f"01305 2511{n % 7}0"}, n % 9) for n in range(AT_ONCE)]


def two_groups_and_bridges() -> list[Say]:
    """Two households' worth of records, and some that have something of either."""
    bridge = ADA | {"family_name": "Smith", "address": "3 Mill Lane", "postcode": "BH15 2JF"}
    texts = (ADA, JOHN, ADA | {"family_name": "Smith"}, bridge)
    return [(f"poole:{n}", dict(texts[n % 4]), n % 5) for n in range(AT_ONCE)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("story", [one_person, two_groups_and_bridges])
def test_64_at_once_give_the_persons_of_one_after_another(
    kind: str, story: Callable[[], Sequence[Say]], new_live: Callable[[str], LiveIndex]
) -> None:
    alone = new_live("sqlite")
    for record, texts, day in story():
        alone.say(record, texts, day=day)
    for round_ in range(FIRST_SEED, FIRST_SEED + ROUNDS):
        together = new_live(kind)
        said = Random(round_).sample(story(), AT_ONCE)
        at_once(*[partial(together.say, record, texts, day=day) for record, texts, day in said])
        assert together.groups() == alone.groups(), f"round {round_}"
        check_store(together)
        close(together)
    close(alone)


def test_a_queue_may_be_longer_than_a_statement(new_live: Callable[[str], LiveIndex]) -> None:
    live, is_held = new_live("postgresql"), threading.Event()

    def hold() -> None:
        with writing(live.store) as unit:
            Locks(unit).begin_with(key_locks([RecordKey("gp", "1")], []))
            is_held.set()
            time.sleep(STATEMENT_TIMEOUT_S + 0.3)

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(5)
    assert live.say("gp:1", ADA).person_id
    holder.join()
    close(live)


@pytest.mark.parametrize("kind", KINDS)
def test_overlapping_decisions_and_changes_break_nothing(
    kind: str, new_live: Callable[[str], LiveIndex]
) -> None:
    for round_ in range(ROUNDS * 2):
        live = new_live(kind)
        for n in range(6):
            live.say(f"gp:{n}", ADA | {"date_of_birth": f"19{n}1-0{n + 1}-1{n}"})
        acts = [
            *[partial(live.decide, "same", f"gp:{n}", f"gp:{n + 1}") for n in range(5)],
            partial(live.decide, "different", "gp:0", "gp:5"),
            partial(live.merge, "gp:2", "gp:4"),
            partial(live.delete, "gp:3"),
            partial(live.say, "gp:1", ADA, day=9),
        ]
        at_once(*Random(round_).sample(acts, len(acts)))
        check_store(live)
        close(live)


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_is_claimed_by_one_and_the_feed_has_no_gap(
    kind: str, new_live: Callable[[str], LiveIndex]
) -> None:
    live = new_live(kind)
    live.say("gp:1", ADA)
    live.say("gp:2", ADA | {"given_name": "Beatrice"})
    (task,) = live.tasks()

    def claim(steward: str) -> Any:
        with writing(live.store) as unit:
            return claim_task(unit, task.number, steward, at=live.clock.now())

    got = at_once(*[lambda n=n: claim(f"steward-{n}") for n in range(16)])
    assert sum(not isinstance(each, Conflict) for each in got) == 1
    numbered = at_once(
        *[lambda n=n: live.say(f"poole:{n}", ADA, day=n) for n in range(12)],
        *[lambda: number(live) for _ in range(4)],
    )
    assert len(numbered) == 16
    number(live)
    with reading(live.store) as unit:
        listed = list_events(unit, limit=10_000)
    assert [event.sequence for event in listed] == list(range(1, len(listed) + 1))
    assert len(listed) == len(live.events())
    check_store(live)
    close(live)


def number(live: LiveIndex) -> None:
    with writing(live.store) as unit:
        number_events(unit)
