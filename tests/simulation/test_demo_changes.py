"""After any changes to a loaded region, linking it all again says what the live index says.

`MPI_CHANGES=20000 MPI_PEOPLE=20000` is what issue 3 asks for; by default the committed sample is
changed a few hundred times.
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import orjson
import pytest

from mpi.batch.index.verify import verify_store
from mpi.clock import FixedClock, SystemClock
from mpi.domain.records import demographics_from_dict
from mpi.services.linkage_index import compile_linkage_index
from mpi.storage.engine import open_store
from mpi.storage.releases import read_release
from mpi.synthetic.region import generate, write_region
from tests.live_index import SOURCES, LiveIndex
from tests.simulation.acts import Acts, do_something
from tests.small_load import RELEASE, Installation, SilentProgress

CHANGES = int(os.environ.get("MPI_CHANGES", "150"))
PEOPLE = int(os.environ.get("MPI_PEOPLE", "0"))
FIRST_SEED = int(os.environ.get("MPI_FIRST_SEED", "0"))
SAMPLE = Path(__file__).parents[2] / "data" / "synthetic" / "sample"


@dataclass
class RegionActs(Acts):
    """The same acts on records that a load brought."""

    keys: list = field(default_factory=list)

    def some_key(self):
        if self.random.random() < 0.1:
            self.keys.append(f"gp:new-{len(self.keys)}")
            return self.keys[-1]
        return self.random.choice(self.keys)

    def known_key(self):
        return self.random.choice(self.keys)

    def say(self):
        """A record says what it says now, or what somebody else does, with something changed."""
        key = self.some_key()
        texts = told_now(self.live, key if self.random.random() < 0.6 else self.known_key())
        for name in self.random.sample(sorted(texts), min(len(texts), self.random.randrange(3))):
            other = told_now(self.live, self.known_key())
            texts[name] = other.get(name, texts[name])
        self.tell(key, texts, {"day": self.random.randrange(100)})

    def move(self):
        self.say()

    def mark_in_error(self):
        if self.said:
            key, texts, more, _ = self.random.choice(self.said)
            self.tell(key, texts, more | {"is_error": True})

    def retry(self):
        if self.said:
            key, texts, more, _ = self.random.choice(self.said)
            self.live.say(key, texts, **more)

    def merge(self):
        left = self.known_key()
        alike = [key for key in self.keys if key.split(":")[0] == left.split(":")[0]]
        self.live.merge(left, self.random.choice(alike))

    def decide(self):
        """About the two sides of a task, or about two records."""
        tasks = [task for task in self.live.tasks() if task.right]
        if tasks and self.random.random() < 0.7:
            task = self.random.choice(tasks)
            left, right = (" ".join(map(self.key_of, side)) for side in (task.left, task.right))
        else:
            left, right = self.known_key(), self.known_key()
        kind = self.random.choice(("same", "different"))
        self.decisions.append(self.live.decide(kind, left, right).decision)

    def key_of(self, number):
        (row,) = self.live.query(
            f"SELECT source, local_id FROM source_record WHERE number={number}"
        )
        return f"{row.source}:{row.local_id}"


def told_now(live, key):
    """What a record says, field -> value; nothing if it is unknown or gone."""
    source, local_id = key.split(":", 1)
    rows = live.query(
        "SELECT content FROM record_version JOIN source_record ON live_version = "
        f"record_version.number WHERE source='{source}' AND local_id='{local_id}'"
    )
    told = demographics_from_dict(orjson.loads(rows[0].content)) if rows else None
    values = {name: getattr(told, name) for name in told.__dataclass_fields__} if told else {}
    return {name: value for name, value in values.items() if value}


@pytest.fixture(scope="module")
def feeds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("region") / "feeds"
    if PEOPLE:
        write_region(generate(people=PEOPLE, seed=42), folder)
    else:
        shutil.copytree(SAMPLE, folder)
    return folder


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_changed_region_is_what_linking_it_again_gives(kind, feeds, new_database):
    installed = Installation(new_database(kind))
    installed.load(feeds)
    index = compile_linkage_index(read_release(RELEASE), SOURCES)
    live = LiveIndex(open_store(installed.settings.database_url), index)
    live.clock = FixedClock(SystemClock().now())
    rows = live.query("SELECT source, local_id FROM source_record ORDER BY number")
    acts = RegionActs(live, Random(FIRST_SEED), keys=[f"{r.source}:{r.local_id}" for r in rows])
    done = sum(not do_something(acts)[1] for _ in range(CHANGES))
    live.close()
    live.store.close()
    assert done > CHANGES / 2
    found = verify_store(installed.settings, progress=SilentProgress())
    assert {each.kind: each.examples for each in found.differences} == {}
