"""A live index says what linking it again from the beginning says; where it is wrong, it is told.

Random acts of sources and stewards go through the live index, one by one; `mpi verify` then links
everything at once by the path of a load.
"""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from mpi.batch.index.preview import preview_release
from mpi.batch.index.release import put_in_force
from mpi.batch.index.verify import verify_store
from mpi.batch.progress import SilentProgress
from mpi.cli import main
from mpi.config import Settings
from mpi.domain.records import VersionVerdict
from mpi.domain.tasks import TaskType
from mpi.errors import Conflict, MpiError
from mpi.services.linkage_index import compile_linkage_index
from mpi.storage.releases import read_release, write_release
from tests.live_index import SOURCES, LiveIndex
from tests.small_region import ADA, JOHN, spec_release

SEEDS = range(6)
ACTS = 45
HOUSES = (
    {"address": "12 High Street", "postcode": "DT1 1AA", "phone": "01305 251150"},
    {"address": "3 Mill Lane", "postcode": "BH15 2JF"},
)
NAMES = (
    {"given_name": "Ada", "date_of_birth": "1989-03-02", "sex": "F"},
    {"given_name": "Adah", "date_of_birth": "1989-03-02", "sex": "F"},
    {"given_name": "Amara", "date_of_birth": "1989-03-02", "sex": "F"},
    {"given_name": "Obi", "date_of_birth": "1961-11-30", "sex": "M"},
    {"given_name": "Obi", "date_of_birth": "1961-11-03", "sex": "M"},
)
NUMBERS = ("9990000018", "9990000026", None, None)


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """Two releases: the spec's own values, and others under which less links."""
    folder = tmp_path_factory.mktemp("releases")
    spec = dict(spec_release().spec)
    write_release(folder / "1", spec=spec, frequencies={}, card="The spec.")
    thresholds = {**spec["thresholds"], "link_bits": 60.0}
    write_release(
        folder / "2", spec=spec | {"thresholds": thresholds}, frequencies={}, card="Careful."
    )
    return folder


@pytest.fixture
def live(store, releases):
    index = compile_linkage_index(read_release(releases / "1"), SOURCES)
    opened = LiveIndex(store, index=index)
    yield opened
    opened.close()


@pytest.fixture
def settings(store, releases):
    url = store.engine.url.render_as_string(hide_password=False)
    return Settings(database_url=url, release_folder=releases / "1", workers_count=1)


def verify(settings):
    return verify_store(settings, progress=SilentProgress())


def differences(settings):
    return {each.kind: each.examples for each in verify(settings).differences}


def act(live, chance):
    """Something that a source or a steward may do."""
    records = [f"{source}:{n}" for source in ("gp", "poole", "ambulance") for n in (1, 2, 3)]
    record, other = chance.sample(records, 2)
    match chance.randrange(10):
        case 0:
            live.delete(record, day=chance.randrange(90))
        case 1:
            live.merge(f"gp:{chance.randrange(1, 4)}", f"gp:{chance.randrange(1, 4)}")
        case 2:
            live.unmerge(f"gp:{chance.randrange(1, 4)}")
        case 3:
            live.decide(chance.choice(("same", "different")), record, other)
        case 4:
            live.retract(chance.randrange(1, 9))
        case 5:
            judge_one(live, chance)
        case _:
            number = chance.choice(NUMBERS)
            texts = {**chance.choice(NAMES), **chance.choice(HOUSES), "family_name": "Okafor"}
            texts |= {"nhs_number": number, "nhs_number_status": "01"} if number else {}
            live.say(record, texts, day=chance.randrange(60), is_error=chance.random() < 0.1)


def judge_one(live, chance):
    held = live.query(
        "SELECT source, local_id, digest FROM record_version JOIN source_record "
        "ON source_record.number = record_version.record WHERE record_version.state = 'held'"
    )
    for row in held[:1]:
        verdict = chance.choice(list(VersionVerdict))
        live.judge(f"{row.source}:{row.local_id}", row.digest, verdict)


@pytest.mark.parametrize("seed", SEEDS)
def test_after_any_acts_linking_all_again_says_the_same(live, settings, seed):
    chance = random.Random(seed)
    done = 0
    for _ in range(ACTS):
        try:
            act(live, chance)
            done += 1
        except MpiError:
            continue  # What cannot be done now is refused and changes nothing.
    assert done > ACTS / 2
    assert differences(settings) == {}


def test_what_merged_records_say_alike_is_no_difference(live, settings):
    for retired, survivor in (("gp:1", "gp:2"), ("gp:4", "gp:3"), ("gp:6", "gp:5")):
        for record in sorted((retired, survivor)):
            live.say(record, ADA)
        live.merge(retired, survivor)
    live.say("gp:6", JOHN, day=5)
    live.say("gp:5", JOHN, day=5)
    live.judge("gp:5", None, VersionVerdict.CORRECTION)
    assert differences(settings) == {}


def test_an_empty_store_has_no_differences(live, settings):
    assert verify(settings).summary().endswith("No differences.")


TAMPERED = {
    "edges missing or of another weight": "UPDATE edge SET match_weight_bits = 1",
    "blocking keys missing": "DELETE FROM blocking_key",
    "records in another group": "UPDATE link SET person_id = (SELECT min(id) FROM person)",
    "golden records that differ": "UPDATE person SET golden_digest = 'x'",
    "records with another home": "UPDATE home SET home_id = (SELECT min(id) FROM person)",
    "versions that count differently": "UPDATE record_version SET state = 'held'",
    "questions that no task asks": "UPDATE task SET state = 'withdrawn', closed_at = opened_at",
}


@pytest.mark.parametrize(("kind", "statement"), TAMPERED.items(), ids=TAMPERED.keys())
def test_what_is_wrong_in_the_store_is_told(live, settings, kind, statement):
    live.say("gp:1", ADA, nhs_number="9990000018", nhs_number_status="01")
    live.say("poole:1", ADA)
    live.say("poole:2", ADA | {"given_name": "Amara"})
    live.say("gp:2", JOHN)
    assert live.task_types() == [TaskType.BLOCKED_BY_VETO]
    with live.store.engine.begin() as connection:
        connection.execute(sa.text(statement))
    found = differences(settings)
    assert kind in found
    assert "CANARY" not in str(found)


def test_a_record_that_differs_is_named_by_its_key(live, settings):
    live.say("gp:1", ADA)
    with live.store.engine.begin() as connection:
        connection.execute(sa.text("UPDATE source_record SET nhs_number = '9990000018'"))
    assert differences(settings) == {
        "records whose state, comparison record or live version differs": ("gp:1",)
    }


def test_another_release_than_the_stores_is_refused(live, settings, releases):
    live.say("gp:1", ADA)
    with pytest.raises(Conflict, match="another model release"):
        verify(replace(settings, release_folder=releases / "2"))


def test_a_preview_says_what_a_release_then_does_and_it_can_be_taken_back(live, settings, releases):
    live.say("gp:1", ADA, nhs_number="9990000018", nhs_number_status="01")
    live.say("poole:1", ADA | {"phone": ""})
    live.say("ambulance:1", {"given_name": "Ada", "family_name": "Okafor", "sex": "F",
                             "date_of_birth": "1989-03-02", "postcode": "DT1 1AA"})  # fmt: skip
    before = live.person_of()
    assert len(set(before.values())) == 1
    careful = releases / "2"
    found = preview_release(settings, careful, progress=SilentProgress())
    assert (found.persons_before, found.merged, found.split) == (1, 0, 1)
    assert live.person_of() == before
    put_in_force(settings, careful, progress=SilentProgress(), clock=live.clock)
    after = live.person_of()
    assert len(set(after.values())) == found.persons_after > 1
    assert after.keys() == before.keys()
    assert TaskType.UNEXPLAINED_SPLIT not in live.task_types()
    assert differences(replace(settings, release_folder=careful)) == {}
    put_in_force(settings, releases / "1", progress=SilentProgress(), clock=live.clock)
    assert live.person_of() == before
    assert live.tasks() == []
    assert differences(settings) == {}


def test_the_commands_say_it_and_end_with_their_status(
    live, settings, releases, monkeypatch, capsys
):
    live.say("gp:1", ADA)
    monkeypatch.setenv("MPI_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("MPI_RELEASE_FOLDER", str(releases / "1"))
    monkeypatch.setenv("MPI_WORKERS_COUNT", "1")
    assert main.exit_status(["verify"]) == 0
    assert "No differences." in capsys.readouterr().out
    assert main.exit_status(["preview", "--model", str(releases / "2")]) == 0
    assert "0 would fall apart." in capsys.readouterr().out
    assert main.exit_status(["release", str(Path(releases) / "2")]) == 0
    monkeypatch.setenv("MPI_RELEASE_FOLDER", str(releases / "2"))
    with live.store.engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM blocking_key"))
    assert main.exit_status(["verify", "--json"]) == 1
    assert "blocking keys missing" in capsys.readouterr().out
    assert main.exit_status(["preview", "--model", str(releases / "3")]) == 2
