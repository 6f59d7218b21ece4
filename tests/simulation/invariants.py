"""Every promise of the live index, checked on a whole store: `check_store(live)`.

The invariants are those of docs/ARCHITECTURE.md. `Watch` holds what depends on history as well:
homes and ids follow from the ones before, ids in the feed from everything that happened.
"""

import json
from dataclasses import dataclass, field

from mpi.domain.tasks import question_digest
from mpi.storage.records import comparison_to_json
from tests.simulation.fresh import fresh, golden
from tests.simulation.reference_homes import reference_homes, reference_names


def check_store(live):
    """Assert everything that can be read off one state of a store; gives what was recomputed."""
    found = fresh(live)
    check_records(live, found)
    check_edges(live, found)
    persons = check_links(live, found)
    check_decisions(live, found)
    check_numbers(live, found)
    check_persons(live, found, persons)
    check_names(live, found, persons)
    check_tasks(live, found)
    check_events(live, persons)
    return found


def check_records(live, found):
    for row in live.query("SELECT * FROM source_record"):
        compared = found.compared.get(row.number)
        state = "live" if compared else "merged" if row.merged_into else "retired"
        assert row.state == state
        assert row.comparison == (comparison_to_json(compared) if compared else None)
        assert row.nhs_number == (compared.nhs_number if compared else None)
    keys = {(r.key, r.record) for r in live.query("SELECT key, record FROM blocking_key")}
    assert keys == found.blocked
    held = {
        (root, each.version.digest)
        for root, judged in found.accepted.items()
        for each in judged.held
    }
    rows = live.query("SELECT record, digest FROM record_version WHERE state = 'held'")
    assert {(found.roots[row.record], row.digest) for row in rows} == held


def check_edges(live, found):
    stored = {tuple(row)[:3] for row in live.query("SELECT * FROM edge")}
    assert stored == set(map(tuple, found.edges))


def check_links(live, found):
    """Every live record belongs to exactly one person, and the groups are the reference's."""
    persons = {}
    linked = []
    for row in live.query("SELECT record, person_id FROM link WHERE valid_to IS NULL"):
        persons.setdefault(row.person_id, set()).add(row.record)
        linked.append(row.record)
    assert sorted(linked) == sorted(found.compared)
    assert set(map(frozenset, persons.values())) == found.groups
    return {person_id: frozenset(records) for person_id, records in persons.items()}


def check_decisions(live, found):
    """A *same* unites, a *different* parts, or a task says that they contradict."""
    of = {record: group for group in found.groups for record in group}
    asked = [q for q in found.questions.values() if q.type == "contradicting_decisions"]
    for decision in found.decisions:
        left, right = (side & of.keys() for side in (decision.left, decision.right))
        if decision.kind == "different":
            apart = {of[r] for r in left - right}.isdisjoint(of[r] for r in right - left)
            assert apart or left & right
        elif len({of[record] for record in left | right}) > 1:
            assert any((q.left | q.right) & (left | right) for q in asked)


def check_numbers(live, found):
    """Two trusted numbers are one person's only if a decision disowned one, or a task asks."""
    disowned = {r for decision in found.decisions for r in decision.disowned_numbers}
    for group in found.groups:
        numbers = {found.compared[r].trusted_nhs_number for r in group - disowned} - {None}
        if len(numbers) > 1:
            clashes = [q for q in found.questions.values() if q.type == "nhs_number_clash"]
            assert any(question.left == group for question in clashes)


def check_persons(live, found, persons):
    """Golden records are survivorship's; ids out of use lead to who holds their records."""
    homes = {row.record: row for row in live.query("SELECT * FROM home")}
    rows = {row.id: row for row in live.query("SELECT * FROM person")}
    of = {record: person_id for person_id, group in persons.items() for record in group}
    for person_id, row in rows.items():
        if person_id in persons:
            assert row.state == "live"
            assert row.golden == golden(live, found, persons[person_id])
            assert row.redirect is None
            continue
        named = {
            found.roots[record]
            for record, home in homes.items()
            if person_id in (home.home_id, home.remembered_id)
        }
        holders = {}
        for record in named & of.keys():
            holders[of[record]] = holders.get(of[record], 0) + 1
        best = min(holders, key=lambda p: (-holders[p], rows[p].number), default=None)
        assert (row.state, row.redirect) == ("retired" if best else "closed", best)
        assert row.golden is None
    assert persons.keys() <= rows.keys()


def check_names(live, found, persons):
    """Ids follow from homes, remembered ids and ages, and a home is in one group of evidence."""
    homes, remembered, ages = standing(live, found)
    names, memory = reference_names(found.groups, homes, ages, remembered)
    assert {group: person_id for person_id, group in persons.items()} == names
    assert memory == remembered
    for home in set(homes.values()):
        assert sum(any(homes[r] == home for r in group) for group in found.undecided) == 1


def standing(live, found):
    """Homes and remembered ids of live records, and the ages of all ids."""
    rows = [row for row in live.query("SELECT * FROM home") if row.record in found.compared]
    homes = {row.record: row.home_id for row in rows}
    assert homes.keys() == found.compared.keys()
    remembered = {row.record: row.remembered_id for row in rows if row.remembered_id}
    ages = {row.id: row.number for row in live.query("SELECT id, number FROM person")}
    return homes, remembered, ages


def check_tasks(live, found):
    """Open are just the questions of the evidence, but for those a steward noted and for splits."""
    sides = {}
    for row in live.query("SELECT * FROM task_record"):
        sides.setdefault(row.task, (set(), set()))[0 if row.is_left else 1].add(row.record)
    noted, opened = set(), {}
    for row in live.query("SELECT * FROM task"):
        if row.state == "decided" and row.decision is None:
            noted.add(row.question_digest)
        if row.closed_at is None:
            assert row.question_digest not in opened
            opened[row.question_digest] = row
    asked = found.questions | found.overlays
    splits = {digest for digest, row in opened.items() if row.type == "unexplained_split"}
    assert opened.keys() - splits - noted == asked.keys() - noted
    for digest in opened.keys() & asked.keys():
        row, question = opened[digest], asked[digest]
        assert (row.type, row.reason) == (question.type, question.reason)
        assert row.match_weight_bits == question.match_weight_bits
        left, right = sides[row.number]
        assert {frozenset(left), frozenset(right)} == {question.left, question.right}
        assert question_digest(question) == digest


def check_events(live, persons):
    """Whoever follows the feed from its beginning knows every link, person and open task."""
    links, ids, tasks = {}, set(), set()
    rows = live.query("SELECT * FROM outbox_event ORDER BY number")
    for row in rows:
        payload = json.loads(row.payload)
        task = payload.get("task")
        if row.type == "unlinked":
            assert links.pop(row.record) == row.person_id
        elif row.type == "linked":
            assert row.record not in links
            links[row.record] = row.person_id
        elif row.type in ("created", "restored"):
            assert row.person_id not in ids
            ids.add(row.person_id)
        elif row.type in ("merged", "retired"):
            ids.remove(row.person_id)
        elif row.type == "task_opened":
            assert task not in tasks
            tasks.add(task)
        elif row.type in ("task_closed", "task_withdrawn"):
            tasks.remove(task)
    assert links == {record: p for p, group in persons.items() for record in group}
    assert ids == persons.keys()
    opened = {row.number for row in live.query("SELECT number FROM task WHERE closed_at IS NULL")}
    assert tasks == opened


@dataclass
class Watch:
    """Follows a store from one act to the next: homes and new ids are the reference's too."""

    live: object
    homes: dict = field(default_factory=dict)
    remembered: dict = field(default_factory=dict)
    ages: dict = field(default_factory=dict)

    def check(self):
        """Everything of `check_store`, and that one act at most has happened since the last."""
        found = check_store(self.live)
        links = [e for e in found.edges if e.match_weight_bits >= self.live.index.rules.link_bits]
        previous = {record: home for record, home in self.homes.items() if record in found.compared}
        expected = reference_homes(found.undecided, links, previous)
        homes, _, ages = standing(self.live, found)
        assert self.ages.items() <= ages.items(), "an id is given for ever, and once"
        check_alike(expected, homes, new=ages.keys() - self.ages.keys())
        rows = self.live.query("SELECT * FROM home")
        self.homes = {row.record: row.home_id for row in rows}
        self.ages = ages
        return found


def check_alike(expected, actual, *, new):
    """Equal, but for ids made now, which must correspond one to one."""
    assert expected.keys() == actual.keys()
    pairs = {(expected[record], actual[record]) for record in expected}
    assert len({left for left, _ in pairs}) == len({right for _, right in pairs}) == len(pairs)
    for left, right in pairs:
        assert left == right if isinstance(left, str) else right in new
