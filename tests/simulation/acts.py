"""Everything that can be done to an index, at random but for a seed; refusals are part of it."""

from dataclasses import dataclass, field
from datetime import timedelta

from mpi.batch.progress import SilentProgress
from mpi.batch.release import put_in_force
from mpi.config import Settings
from mpi.domain.records import VersionVerdict
from mpi.errors import Conflict, InvalidInput, NotFound
from mpi.services.cause import Cause
from mpi.services.linkage_index import compile_linkage_index
from mpi.services.review import AnsweredTask, claim_task, note_task, park_task, release_task
from mpi.services.state_number import (
    NumberStatement,
    NumberStatus,
    retract_number,
    state_number,
)
from mpi.storage.releases import read_release
from mpi.storage.unit_of_work import writing
from tests.live_index import SOURCES as SOURCE_SYSTEMS
from tests.live_index import STEWARD, parse_record_key
from tests.simulation.people import NUMBERS, SOURCES, some_texts

DAYS = 9


@dataclass
class Acts:
    """Acts on a `LiveIndex`; every method draws what it needs and does one thing."""

    live: object
    random: object
    releases: list = field(default_factory=list)
    """Folders of model releases that take turns."""
    records_max: int = 9
    prefix: str = ""
    said: list = field(default_factory=list)
    decisions: list = field(default_factory=list)

    def some_key(self):
        place = self.random.randrange(self.records_max)
        return f"{SOURCES[place % len(SOURCES)]}:{self.prefix}{place}"

    def known_key(self):
        return self.random.choice(self.said)[0] if self.said else self.some_key()

    def say(self):
        """A source says something; late, in error, out of order now and then."""
        request = f"m{len(self.said)}" if self.random.random() < 0.5 else None
        more = {
            "day": self.random.randrange(DAYS),
            "sequence": self.random.choice((0, 0, 1)),
            "is_error": self.random.random() < 0.1,
            "request_key": request,
        }
        self.tell(self.some_key(), some_texts(self.random), more)

    def tell(self, key, texts, more):
        answer = self.live.say(key, texts, **more)
        self.said.append((key, texts, more, answer))

    def move(self):
        """A source says the last thing again with something changed."""
        if self.said:
            key, texts, more, _ = self.random.choice(self.said)
            later = {"day": self.random.randrange(DAYS), "sequence": 0, "is_error": False}
            changed = texts | {"address": "9 New Road", "postcode": "DT2 2BB"}
            self.tell(
                key, self.random.choice((texts, changed)), more | later | {"request_key": None}
            )

    def mark_in_error(self):
        """A source takes back something that it said."""
        if self.said:
            key, texts, more, _ = self.random.choice(self.said)
            self.tell(key, texts, more | {"is_error": True, "request_key": None})

    def retry(self):
        """The very same message again: the same answer, if it had a key."""
        if self.said:
            key, texts, more, answer = self.random.choice(self.said)
            again = self.live.say(key, texts, **more)
            assert more["request_key"] is None or again == answer

    def delete(self):
        self.live.delete(self.known_key(), day=self.random.randrange(DAYS))

    def merge(self):
        source = self.random.choice(SOURCES)
        keys = [self.some_key() for _ in range(12)]
        keys = sorted({key for key in keys if key.startswith(f"{source}:")})
        if len(keys) > 1:
            self.live.merge(*self.random.sample(keys, 2))

    def unmerge(self):
        rows = self.live.query(
            "SELECT source, local_id FROM source_record WHERE merged_into IS NOT NULL"
        )
        if rows:
            row = self.random.choice(sorted(map(tuple, rows)))
            self.live.unmerge(":".join(row))

    def decide(self):
        """About two persons, or parts of them."""
        groups = sorted(map(sorted, self.live.groups()))
        kind = self.random.choice(("same", "different"))
        if len(groups) < 2 and kind == "same":
            return
        if kind == "different" and self.random.random() < 0.4:
            group = self.random.choice(groups) if groups else []
            if len(group) < 2:
                return
            cut = self.random.randrange(1, len(group))
            sides = group[:cut], group[cut:]
        elif len(groups) > 1:
            sides = self.random.sample(groups, 2)
        else:
            return
        left, right = (" ".join(side) for side in sides)
        self.decisions.append(
            self.live.decide(kind, left, right, **self._numbers(kind, sides)).decision
        )

    def _numbers(self, kind, sides):
        """What a steward says of two trusted numbers, now and then."""
        if kind != "same" or self.random.random() < 0.4:
            return {}
        if self.random.random() < 0.5:
            return {"supersedes": dict([self.random.sample(NUMBERS, 2)])}
        wrong = tuple(map(parse_record_key, self.random.choice(sides)))
        return {"wrong_numbers": wrong}

    def judge(self):
        """About a version that is held back."""
        rows = self.live.query(
            "SELECT source, local_id, digest FROM record_version JOIN source_record "
            "ON source_record.number = record WHERE record_version.state = 'held'"
        )
        if rows:
            source, local_id, digest = self.random.choice(sorted(map(tuple, rows)))
            verdict = self.random.choice(list(VersionVerdict))
            decided = self.live.judge(f"{source}:{local_id}", digest, verdict)
            self.decisions.append(decided.decision)

    def retract(self):
        if self.decisions:
            self.decisions.sort()
            place = self.random.randrange(len(self.decisions))
            self.live.retract(self.decisions.pop(place))

    def state_number(self):
        """A source says that a number is disputed, or superseded by another."""
        number, successor = self.random.sample(NUMBERS, 2)
        status = self.random.choice(list(NumberStatus))
        successor = successor if status is NumberStatus.SUPERSEDED else None
        said = NumberStatement(nhs_number=number, status=status, successor=successor)
        state_number(self.live.writer, self.live.index, said, STEWARD, clock=self.live.clock)

    def take_number_back(self):
        number = self.random.choice(NUMBERS)
        retract_number(self.live.writer, self.live.index, number, STEWARD, clock=self.live.clock)

    def work_on_a_task(self):
        """Stewards claim, release, park and note; one of two gets there late."""
        tasks = self.live.tasks()
        if not tasks:
            return
        task, steward = self.random.choice(tasks), self.random.choice(("steward-1", "steward-2"))
        at = self.live.clock.now()
        with writing(self.live.store) as unit:
            step = self.random.choice(("claim", "claim", "release", "park", "note"))
            if step == "claim":
                claim_task(unit, task.number, steward, at=at)
            elif step == "release":
                release_task(unit, task.number, steward, at=at)
            elif step == "park":
                park_task(unit, task.number, steward, until=at + timedelta(days=1), at=at)
            else:
                seen = AnsweredTask(number=task.number, revision=task.revision)
                note_task(unit, seen, self._cause(steward, at))

    def _cause(self, steward, at):
        return Cause(actor=steward, purpose="test", reason="noted", at=at, model=1)

    def release(self):
        """Another model release comes into force; those who use the index start again."""
        if not self.releases:
            return
        url = self.live.store.engine.url.render_as_string(hide_password=False)
        folder = next(each for each in self.releases if not self._is_in_force(each))
        settings = Settings(database_url=url, release_folder=folder, workers_count=1)
        self.live.close()
        put_in_force(settings, folder, progress=SilentProgress(), clock=self.live.clock)
        self.live.index = compile_linkage_index(read_release(folder), SOURCE_SYSTEMS)
        self.live.__post_init__()

    def _is_in_force(self, folder):
        return read_release(folder).digest == self.live.index.model.digest

    def wait(self):
        self.live.clock.at += timedelta(minutes=self.random.choice((0, 1, 20)))


WEIGHTS = {
    "say": 10, "move": 3, "mark_in_error": 1, "retry": 2, "delete": 2, "merge": 2, "unmerge": 2,
    "decide": 5, "judge": 2, "retract": 3, "state_number": 1,
    "take_number_back": 1, "work_on_a_task": 2, "wait": 1, "release": 0.2,
}  # fmt: skip
"""How often each act is drawn; a release takes a second."""
REFUSALS = (Conflict, InvalidInput, NotFound)


def do_something(acts):
    """One act drawn by weight; gives its name, and whether it was refused."""
    name = acts.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    return name, is_refused(acts, name)


def is_refused(acts, name):
    """Do one act; gives whether the index refused it."""
    try:
        getattr(acts, name)()
    except REFUSALS as refusal:
        if "schema" in str(refusal):
            raise AssertionError("a rule of the schema is no answer to a caller") from refusal
        return True
    return False
