"""A state machine of everything that can be done to an index, checked after every step.

Hypothesis looks for a short sequence that breaks a promise; `MPI_EXAMPLES` says how long it looks.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mpi.services.linkage_index import compile_linkage_index
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release
from tests.live_index import SOURCES, LiveIndex
from tests.simulation.acts import Acts, is_refused
from tests.simulation.invariants import Watch

EXAMPLES = int(os.environ.get("MPI_EXAMPLES", "6"))
STEPS = 25
CHANCE = st.randoms(use_true_random=False)


def act(name):
    """A rule that does one of `Acts`; what is refused must change nothing."""

    def step(self, chance):
        self.acts.random = chance
        is_refused(self.acts, name)

    return rule(chance=CHANCE)(step)


class Index(RuleBasedStateMachine):
    """One index from its first record on."""

    def __init__(self, url, releases):
        super().__init__()
        self.url = url
        index = compile_linkage_index(read_release(releases[0]), SOURCES)
        self.live = LiveIndex(open_store(url), index)
        self.acts = Acts(self.live, None, releases, records_max=5)
        self.watch = Watch(self.live)

    say, say_more = act("say"), act("say")
    move, mark_in_error, retry = act("move"), act("mark_in_error"), act("retry")
    delete, merge, unmerge = act("delete"), act("merge"), act("unmerge")
    decide, judge, retract = act("decide"), act("judge"), act("retract")
    state_number, take_number_back = act("state_number"), act("take_number_back")
    work_on_a_task, wait = act("work_on_a_task"), act("wait")
    release = precondition(lambda self: self.acts.said)(act("release"))

    @precondition(lambda self: self.acts.said)
    @rule()
    def crash(self):
        """Whatever was in memory is gone."""
        self._leave()
        self.live.store = open_store(self.url)
        self.live.__post_init__()

    @invariant()
    def every_promise_holds(self):
        self.watch.check()

    def teardown(self):
        self._leave()
        if self.live.store.is_sqlite:
            Path(self.live.store.sqlite_path).unlink()

    def _leave(self):
        self.live.close()
        self.live.store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_every_promise_holds_whatever_is_done(kind, new_database, releases):
    run_state_machine_as_test(
        lambda: Index(new_database(kind), releases),
        settings=settings(
            max_examples=EXAMPLES if kind == "sqlite" else max(2, EXAMPLES // 4),
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
