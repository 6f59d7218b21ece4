"""Whatever is done to a sealed trail is found and named; who saw a person follows the records."""

from __future__ import annotations

import json
import os
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from mpi.clock import FixedClock
from mpi.errors import Conflict, InvalidSettings
from mpi.services.ask import ask
from mpi.services.audit_seal import (
    SEAL_EVENTS_MAX,
    FindingKind,
    RootsCopier,
    Verification,
    check_roots_file,
    copy_roots,
    merkle_root,
    seal_audit,
    verify_audit,
)
from mpi.services.disclosure import Recipient
from mpi.services.resolve import resolve_by_person_id
from mpi.services.who_saw import who_saw
from mpi.storage.audit import AuditEvent, add_audit_events
from mpi.storage.engine import Store
from mpi.storage.unit_of_work import reading, writing
from mpi.storage.writer import Writer
from tests.small_region import fill, person_id, spec_index

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CLOCK = FixedClock(NOW)
MANY = int(os.environ.get("MPI_AUDIT_EVENTS", "20000"))
"""Events of the long trail; 1,000,000 shows what a year of a region needs."""


def event(number: int) -> AuditEvent:
    return AuditEvent(
        action="read_person",
        actor=f"client-{number % 7}",
        purpose="TREAT",
        person_id=person_id(number % 50),
        request_id=f"r-{number}",
        recorded_at=NOW + timedelta(microseconds=number),
        detail={"persons_count": 1, "number": number},
    )


def append(store: Store, count: int) -> None:
    for start in range(0, count, 10_000):
        with writing(store) as unit:
            add_audit_events(unit, [event(n) for n in range(start, min(start + 10_000, count))])


@contextmanager
def unguarded(store: Store, table: str = "audit_event") -> Any:
    """As somebody with all rights over the database file or server would: without the trigger."""
    with writing(store) as unit:
        if store.is_sqlite:
            query = (
                f"SELECT name, sql FROM sqlite_master WHERE type='trigger' AND tbl_name='{table}'"
            )
            triggers = unit.rows(sa.text(query))
            for trigger in triggers:
                unit.connection.execute(sa.text(f"DROP TRIGGER {trigger.name}"))
        else:
            unit.connection.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        yield unit
        if store.is_sqlite:
            for trigger in triggers:
                unit.connection.execute(sa.text(trigger.sql))
        else:
            unit.connection.execute(sa.text(f"ALTER TABLE {table} ENABLE TRIGGER ALL"))


def damaged(store: Store, *statements: str, table: str = "audit_event") -> Verification:
    with unguarded(store, table) as unit:
        for statement in statements:
            unit.connection.execute(sa.text(statement))
    return verify_audit(store)


def named(found: Verification) -> list[tuple[FindingKind, int]]:
    return [(finding.kind, finding.number) for finding in found.findings]


def test_a_trail_that_nobody_touched_is_whole(store: Store) -> None:
    append(store, 1_203)
    assert seal_audit(store, clock=CLOCK) == 1_203
    assert seal_audit(store, clock=CLOCK) == 0
    append(store, 5)
    found = verify_audit(store)
    assert (found.events_count, found.seals_count, found.unsealed_count) == (1_203, 3, 5)
    assert found.findings_count == 0


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        pytest.param(
            ["UPDATE audit_event SET actor = 'somebody' WHERE number = 601"],
            [(FindingKind.ALTERED, 601)],
            id="altered",
        ),
        pytest.param(
            ["DELETE FROM audit_event WHERE number IN (1, 700)"],
            [(FindingKind.MISSING, 1), (FindingKind.MISSING, 700)],
            id="missing",
        ),
        pytest.param(
            [
                "UPDATE audit_event SET number = 9999 WHERE number = 7",
                "UPDATE audit_event SET number = 7 WHERE number = 8",
                "UPDATE audit_event SET number = 8 WHERE number = 9999",
            ],
            [(FindingKind.RE_ORDERED, 7), (FindingKind.RE_ORDERED, 8)],
            id="re-ordered",
        ),
        pytest.param(
            ["DELETE FROM audit_event WHERE number > 500"],
            [(FindingKind.MISSING, number) for number in range(501, 601)],
            id="a whole batch",
        ),
    ],
)
def test_damage_is_found_and_named(store: Store, statements: list[str], expected: Any) -> None:
    append(store, 1_000)
    seal_audit(store, clock=CLOCK)
    assert named(damaged(store, *statements)) == expected
    more = 500 if len(expected) == 100 else len(expected)
    assert verify_audit(store).findings_count == more


def test_an_event_slipped_in_afterwards_is_found(store: Store) -> None:
    append(store, 10)
    with unguarded(store) as unit:
        unit.connection.execute(sa.text("DELETE FROM audit_event WHERE number = 5"))
    seal_audit(store, clock=CLOCK)
    columns = "action, actor, purpose, detail, recorded_at"
    copied = (
        "SELECT 5, action, 'forger', purpose, detail, recorded_at FROM audit_event WHERE number=4"
    )
    found = damaged(store, f"INSERT INTO audit_event (number, {columns}) {copied}")
    assert named(found) == [(FindingKind.ADDED, 5)]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_seal SET root = chain WHERE number = 2",
        "UPDATE audit_seal SET leaves = (SELECT leaves FROM audit_seal WHERE number = 1) "
        "WHERE number = 2",
        "DELETE FROM audit_seal WHERE number = 2",
    ],
    ids=["root", "leaves", "a seal gone"],
)
def test_a_forged_seal_is_found(store: Store, statement: str) -> None:
    append(store, 3 * SEAL_EVENTS_MAX)
    seal_audit(store, clock=CLOCK)
    found = damaged(store, statement, table="audit_seal")
    assert FindingKind.SEAL in {kind for kind, _ in named(found)}


def test_a_trail_forged_as_a_whole_differs_from_the_copied_roots(
    store: Store, tmp_path: Path
) -> None:
    roots = tmp_path / "roots.jsonl"
    append(store, 600)
    seal_audit(store, clock=CLOCK)
    assert (copy_roots(store, roots), copy_roots(store, roots)) == (2, 0)
    with unguarded(store, "audit_seal") as unit:
        unit.connection.execute(sa.text("DELETE FROM audit_seal"))
    damaged(store, "UPDATE audit_event SET actor = 'somebody' WHERE number = 3")
    seal_audit(store, clock=CLOCK)
    assert verify_audit(store).findings_count == 0
    assert {kind for kind, _ in named(verify_audit(store, roots))} == {FindingKind.ROOT}


def test_a_copied_line_cut_off_by_a_crash_is_written_again(store: Store, tmp_path: Path) -> None:
    roots = tmp_path / "roots.jsonl"
    append(store, 10)
    seal_audit(store, clock=CLOCK)
    roots.write_text('{"seal": 1, "last_ev\n')
    assert copy_roots(store, roots) == 1
    assert verify_audit(store, roots).findings_count == 0


def sealed(store: Store, seals: int) -> None:
    for _ in range(seals):
        append(store, 1)
        seal_audit(store, clock=CLOCK)


def numbers(roots: Path) -> list[int]:
    """The seals whose roots can be read, in the order of the file."""
    found = []
    for line in roots.read_text().splitlines():
        try:
            found.append(json.loads(line)["seal"])
        except ValueError:
            continue
    return found


@pytest.mark.parametrize("is_whole", [False, True], ids=["first", "later"])
def test_a_line_without_an_end_is_not_glued_to_the_next(
    store: Store, tmp_path: Path, is_whole: bool
) -> None:
    roots = tmp_path / "roots.jsonl"
    sealed(store, 2)
    copy_roots(store, roots)
    roots.write_bytes(roots.read_bytes()[:-30])  # As a crash does.
    sealed(store, 1)
    assert copy_roots(store, roots, is_whole=is_whole) == 2
    assert numbers(roots) == [1, 2, 3]
    assert copy_roots(store, roots, is_whole=is_whole) == 0
    assert verify_audit(store, roots).findings_count == 0


def test_every_root_that_the_file_lacks_is_written_and_the_newest_last(
    store: Store, tmp_path: Path
) -> None:
    roots = tmp_path / "roots.jsonl"
    sealed(store, 5)
    copy_roots(store, roots)
    first, second, third, _fourth, fifth = roots.read_text().splitlines(keepends=True)
    roots.write_text(first + second[:20] + third + fifth)  # Glued: neither can be read.
    assert copy_roots(store, roots) == 3
    assert numbers(roots) == [1, 5, 2, 3, 4, 5]
    sealed(store, 1)
    assert copy_roots(store, roots, is_whole=True) == 1
    assert numbers(roots)[-2:] == [5, 6]


@pytest.mark.parametrize("seals", [1, 2, 4], ids=["behind the file", "as far", "beyond"])
@pytest.mark.parametrize("is_whole", [False, True], ids=["first", "later"])
def test_another_stores_roots_are_not_added_to(
    store: Store, new_database: Callable[[str], str], tmp_path: Path, seals: int, is_whole: bool
) -> None:
    from mpi.storage.engine import open_store

    roots, other = tmp_path / "roots.jsonl", open_store(new_database("sqlite"))
    sealed(store, 2)
    copy_roots(store, roots)
    before = roots.read_bytes()
    append(other, 7)
    sealed(other, seals)
    with pytest.raises(Conflict, match="audit_roots_file: its newest root is not of this store"):
        copy_roots(other, roots, is_whole=is_whole)
    assert roots.read_bytes() == before
    other.close()


def test_a_copy_that_failed_is_tried_again_without_a_new_seal(store: Store, tmp_path: Path) -> None:
    roots, clock = tmp_path / "elsewhere" / "roots.jsonl", FixedClock(NOW)
    sealed(store, 2)
    copier = RootsCopier(store, roots, clock)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            copier.step()
        clock.at += timedelta(seconds=30)
    assert copier.failing_s() == 60
    roots.parent.mkdir()
    copier.step()
    copier.step()
    assert (copier.failing_s(), numbers(roots)) == (0, [1, 2])


def test_workers_that_copy_at_once_write_each_root_once(store: Store, tmp_path: Path) -> None:
    roots = tmp_path / "roots.jsonl"
    sealed(store, 30)
    workers = [threading.Thread(target=copy_roots, args=(store, roots)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert numbers(roots) == list(range(1, 31))


def test_a_roots_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    check_roots_file(tmp_path / "roots.jsonl")
    assert not list(tmp_path.iterdir())
    for path in (tmp_path / "missing" / "roots.jsonl", tmp_path):
        with pytest.raises(InvalidSettings, match="audit_roots_file: "):
            check_roots_file(path)


@pytest.mark.parametrize("change", ["UPDATE audit_seal SET root = 'x'", "DELETE FROM audit_seal"])
def test_seals_can_neither_be_changed_nor_deleted(store: Store, change: str) -> None:
    append(store, 3)
    seal_audit(store, clock=CLOCK)
    with pytest.raises(Exception, match=r"append-only|rule of the schema"), writing(store) as unit:
        unit.connection.execute(sa.text(change))


@given(leaves=st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=40), data=st.data())
def test_a_root_depends_on_every_leaf_and_on_their_order(leaves: list[bytes], data: Any) -> None:
    place = data.draw(st.integers(0, len(leaves) - 1))
    changed = [*leaves[:place], b"else!", *leaves[place + 1 :]]
    assert merkle_root(changed) != merkle_root(leaves)
    if leaves[0] != leaves[-1]:
        assert merkle_root([leaves[-1], *leaves[1:-1], leaves[0]]) != merkle_root(leaves)
    assert merkle_root([*leaves, leaves[-1]]) != merkle_root(leaves)


def test_an_event_whose_transaction_still_runs_is_waited_for(
    new_database: Callable[[str], str],
) -> None:
    from mpi.storage.engine import open_store

    store = open_store(new_database("postgresql"))
    may_end, has_begun = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with writing(store) as unit:
            add_audit_events(unit, [event(1)])
            has_begun.set()
            may_end.wait(10)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    has_begun.wait(10)
    with writing(store) as unit:
        add_audit_events(unit, [event(2)])
    assert seal_audit(store, clock=CLOCK) == 0
    may_end.set()
    writer.join()
    assert seal_audit(store, clock=CLOCK) == 2
    assert verify_audit(store).findings_count == 0
    store.close()


def test_one_altered_event_among_many_is_named_in_bounded_memory(
    new_database: Callable[[str], str],
) -> None:
    from mpi.storage.engine import open_store

    store = open_store(new_database("sqlite"))
    append(store, MANY)
    seal_audit(store, clock=CLOCK)
    with unguarded(store) as unit:
        change = f"UPDATE audit_event SET detail = '{{}}' WHERE number = {MANY // 3}"
        unit.connection.execute(sa.text(change))
    tracemalloc.start()
    found = verify_audit(store)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert named(found) == [(FindingKind.ALTERED, MANY // 3)]
    assert peak_bytes < 20_000_000
    store.close()


RECIPIENT = Recipient(actor="portal", purpose="TREAT", organisation="RBD", request_id="r1")


def test_who_saw_follows_the_records_through_a_merge_and_a_split(store: Store) -> None:
    writer = Writer(store)
    index = spec_index()
    fill(store, index)

    def look(number: int, request: str) -> None:
        told = Recipient(actor="portal", purpose="TREAT", request_id=request)
        ask(
            writer,
            lambda unit: resolve_by_person_id(unit, index, person_id(number)),
            action="read_person",
            recipient=told,
            clock=CLOCK,
        )

    give_provenance(store)
    look(2, "before")
    move(store, record="G2", to=3)  # John's record joins Jon's: they are one person now.
    look(3, "merged")
    move(store, record="G2", to=2)  # And parted again.
    look(2, "parted")
    assert requests(store, 2) == {"parted", "merged", "before"}
    assert requests(store, 3) == {"merged"}
    writer.close()


def requests(store: Store, number: int) -> set[str | None]:
    recipient = Recipient(actor="auditor", purpose="HOPERAT")
    events = who_saw(store, person_id(number), recipient=recipient, clock=CLOCK)
    return {each.request_id for each in events if each.action == "read_person"}


def give_provenance(store: Store) -> None:
    """Golden records whose one field says which record it came from."""
    for number, keys in {2: ["gp:G2"], 3: ["council:C1"]}.items():
        set_golden(store, number, keys)


def set_golden(store: Store, number: int, keys: list[str]) -> None:
    entries = ", ".join(
        f'"field{place}": {{"value": "x", "record": "{key}", "version": "v1", "rule": "only"}}'
        for place, key in enumerate(keys)
    )
    with writing(store) as unit:
        change = sa.text("UPDATE person SET golden = :golden WHERE id = :id")
        given = {"golden": "{" + entries + "}", "id": person_id(number)}
        unit.connection.execute(change, given)


def move(store: Store, *, record: str, to: int) -> None:
    with writing(store) as unit:
        change = sa.text(
            "UPDATE link SET person_id = :id WHERE record = "
            "(SELECT number FROM source_record WHERE local_id = :record)"
        )
        unit.connection.execute(change, {"id": person_id(to), "record": record})
    if to == 3:
        set_golden(store, 3, ["council:C1", "gp:G2"])
    else:
        set_golden(store, 3, ["council:C1"])


def test_asking_who_saw_is_audited_too(store: Store) -> None:
    fill(store, spec_index())
    who_saw(store, person_id(1), recipient=RECIPIENT, clock=CLOCK)
    with reading(store) as unit:
        actions = list(unit.connection.execute(sa.text("SELECT action FROM audit_event")).scalars())
    assert actions == ["who_saw"]
