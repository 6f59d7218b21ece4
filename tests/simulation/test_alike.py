"""Many records that are all alike are one person, though not every edge between them is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from mpi.services.world import SOME_RECORDS
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release
from tests.live_index import SOURCES, LiveIndex
from tests.simulation.invariants import Watch
from tests.simulation.test_sequences import run
from tests.small_region import ADA

TWIN = ADA | {"given_name": "Amara"}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_happens_among_many_alike_is_what_happens_among_few(
    kind: str, new_database: Callable[[str], str], index: LinkageIndex
) -> None:
    live = LiveIndex(open_store(new_database(kind)), index)
    for number in range(SOME_RECORDS):
        live.say(f"gp:{number}", ADA)
    watch = Watch(live)
    for act in (
        lambda: live.say("poole:1", ADA),
        lambda: live.say("poole:2", TWIN),
        lambda: live.say("gp:1", ADA, day=1, postcode="DT2 7XX"),
        lambda: live.say("gp:2", TWIN, day=1),
        lambda: live.delete("gp:3"),
        lambda: live.decide("different", "gp:4", "gp:5 gp:6"),
        lambda: live.say("poole:3", ADA),
        lambda: live.retract(1),
        lambda: live.say("gp:3", ADA, day=60),
    ):
        act()
        watch.check()
    live.close()
    live.store.close()


def test_who_comes_back_to_an_older_home_gives_the_others_links_of_their_heaviest_edges(
    new_database: Callable[[str], str], index: LinkageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpi.services.world.SOME_RECORDS", 1)
    live = LiveIndex(open_store(new_database("sqlite")), index)
    older = live.say("gp:0", ADA, nhs_number="").person_id
    live.delete("gp:0")
    for number in range(1, 5):
        live.say(f"gp:{number}", ADA, nhs_number="9990000018", nhs_number_status="01")
    live.say("gp:0", ADA, day=60, nhs_number="")
    assert set(live.person_of().values()) == {older}
    lighter = live.query(
        "SELECT link.record FROM link JOIN edge ON link.record IN (left_record, right_record) "
        "WHERE valid_to IS NULL AND edge.match_weight_bits > link.match_weight_bits"
    )
    assert lighter == []
    live.close()
    live.store.close()


def test_every_promise_holds_where_edges_are_read_in_part(
    new_database: Callable[[str], str], releases: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mpi.services.world.SOME_RECORDS", 1)
    index = compile_linkage_index(read_release(releases[0]), SOURCES)
    for seed in range(6):
        run(LiveIndex(open_store(new_database("sqlite")), index), releases, seed)
