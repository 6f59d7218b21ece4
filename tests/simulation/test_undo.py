"""Retracting gives back groups and ids, as if the decisions had never been.

`MPI_UNDONE=8000` runs as many sequences as issue 3 asks for.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from random import Random

from mpi.errors import Conflict, InvalidInput
from mpi.services.linkage_index import LinkageIndex
from mpi.storage.engine import open_store
from tests.live_index import LiveIndex
from tests.simulation.acts import Acts

UNDONE = int(os.environ.get("MPI_UNDONE", "20"))
FIRST_SEED = int(os.environ.get("MPI_FIRST_SEED", "0"))


def test_retracted_decisions_leave_no_trace(
    new_database: Callable[[str], str], index: LinkageIndex
) -> None:
    for seed in range(FIRST_SEED, FIRST_SEED + UNDONE):
        decided, never = (LiveIndex(open_store(new_database("sqlite")), index) for _ in range(2))
        try:
            compare(decided, never, Random(seed))
        except Exception as error:
            error.add_note(f"seed {seed}")
            raise
        finally:
            for live in (decided, never):
                live.close()
                live.store.close()
                for path in (live.store.sqlite_path,):
                    os.unlink(path)


def compare(decided: LiveIndex, never: LiveIndex, random: Random) -> None:
    """Tell both the same; one hears decisions too, which are then retracted in any order."""
    acts = Acts(decided, random, records_max=random.choice((4, 6, 9)))
    for _ in range(random.randrange(2, 7)):
        both_say(acts, never)
    ids = dict(zip(ids_of(decided), ids_of(never), strict=True))
    for _ in range(random.randrange(1, 9)):
        step = random.choice((decide, decide, retract, lambda acts: both_say(acts, never)))
        step(acts)
    while acts.decisions:
        acts.retract()
    left, right = decided.person_of(), never.person_of()
    assert left.keys() == right.keys()
    pairs = {(left[record], right[record]) for record in left}
    assert len({one for one, _ in pairs}) == len({other for _, other in pairs}) == len(pairs)
    known = {value: name for name, value in ids.items()}
    for one, other in pairs:
        assert ids.get(one, other) == other
        assert known.get(other, one) == one


def ids_of(live: LiveIndex) -> list[str]:
    return [row.id for row in live.query("SELECT id FROM person ORDER BY number")]


def both_say(acts: Acts, never: LiveIndex) -> None:
    acts.say()
    key, texts, more, _ = acts.said[-1]
    never.say(key, texts, **more)


def decide(acts: Acts) -> None:
    try:
        acts.decide()
    except (Conflict, InvalidInput):
        return


def retract(acts: Acts) -> None:
    acts.retract()
