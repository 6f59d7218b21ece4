"""Registering records one by one, durable before it is told, with one sender and with eight.

Half of what is sent is a further record of somebody whom the store knows, half is about strangers,
so that a registration finds about as many candidates and persons as in daily work. A sender
submits as many as a batch over HTTP may hold, and waits for them all. SQLite takes
what waits in groups that share a commit; PostgreSQL, with its default durability, a transaction
each.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from time import perf_counter

from benchmarks.cases.region import newest_versions, write_feeds
from benchmarks.loaded import LoadedRegion, copied_region, postgresql_region
from benchmarks.suite import SEED, Outcome, Scale, Table
from benchmarks.timing import spread
from mpi.clock import SystemClock
from mpi.config import read_source_systems
from mpi.domain.identifiers import RecordKey
from mpi.domain.records import RecordVersion
from mpi.limits import BATCH_RECORDS_MAX
from mpi.services.disclosure import Recipient
from mpi.services.linkage_index import LinkageIndex, compile_linkage_index
from mpi.services.prepare import prepare_store, rest_garbage_collector
from mpi.services.register import Statement, submit_registration
from mpi.storage.engine import Store, open_store
from mpi.storage.releases import read_release, release_in_force
from mpi.storage.warming import warm
from mpi.storage.writer import Writer

SENT = {"quick": 800, "full": 6_000}
PEOPLE_MAX = 112_000
"""About 500,000 records, for PostgreSQL too; `growth` registers into larger stores."""
STRANGERS = 2_000
SENDERS = (1, 8)
ROUNDS = 3
SENDER = Recipient(actor="benchmark", purpose="HOPERAT")


@dataclass(frozen=True, slots=True)
class Sent:
    """One round; seconds by the clock on the wall."""

    seconds: float
    records: int

    @property
    def per_second(self) -> float:
        """Records registered in a second."""
        return self.records / self.seconds


def run(scale: Scale) -> Outcome:
    """Registrations in a second on SQLite and on PostgreSQL, by number of senders.

    PostgreSQL is a server that is started for this, so its programs must be on the machine.
    """
    index = compile_linkage_index(read_release(release_in_force(None)), read_source_systems())
    people = min(scale.people, PEOPLE_MAX)
    with copied_region(people) as region:
        statements = statements_about(region, SENT[scale.name] * len(SENDERS) * 2)
        rest_garbage_collector()
        records = region.load.records
        warm(region.settings.database_url)
        found = _measured("SQLite", open_store(region.settings.database_url), index, statements)
        with postgresql_region(region.feeds) as url:
            found |= _measured("PostgreSQL", open_store(url), index, statements)
    rates = {name: spread([each.per_second for each in sent]) for name, sent in found.items()}
    rows = [(name, rate.median, rate.least, rate.most) for name, rate in rates.items()]
    title = f"Registrations in a second, durable, into {records:,} records"
    header = ("store, senders", "median", "least", "most")
    figures = {"records": records, **{name: asdict(rate) for name, rate in rates.items()}}
    return Outcome([Table(title, header, rows)], figures)


def statements_about(region: LoadedRegion, count: int) -> list[Statement]:
    """Further records of people in the store, and records of people who are not."""
    others = write_feeds(region.folder / "others", people=STRANGERS, seed=SEED + 1)
    chance = random.Random(SEED)
    known = region.some_records(count // 2)
    strangers = chance.choices(sorted(newest_versions(others).items()), k=count // 2)
    mixed = [
        *(_statement(f"again-{n}", key, version) for n, (key, version) in enumerate(known)),
        *(_unnumbered(f"new-{n}", key, version) for n, (key, version) in enumerate(strangers)),
    ]
    chance.shuffle(mixed)
    return mixed


def _statement(local_id: str, key: RecordKey, version: RecordVersion) -> Statement:
    return Statement(
        key=RecordKey(key.source, local_id),
        demographics=version.demographics,
        event_at=version.event_at,
        sequence=version.sequence,
    )


def _unnumbered(local_id: str, key: RecordKey, version: RecordVersion) -> Statement:
    """Two regions may have invented the same NHS number for two people."""
    nobody = replace(version, demographics=replace(version.demographics, nhs_number=None))
    return _statement(local_id, key, nobody)


def _measured(
    name: str, store: Store, index: LinkageIndex, statements: Sequence[Statement]
) -> dict[str, list[Sent]]:
    """Rounds of one sender and of eight; the first round warms up and is not counted."""
    prepare_store(store, index, read_source_systems(), clock=SystemClock())
    writer = Writer(store)
    share = len(statements) // (len(SENDERS) * 2)
    begin = 0 if store.is_sqlite else len(statements) // 2
    found: dict[str, list[Sent]] = {}
    for number, senders in enumerate(SENDERS):
        own = statements[begin + number * share : begin + (number + 1) * share]
        parts = [own[at :: ROUNDS + 1] for at in range(ROUNDS + 1)]
        rounds = [send_all(writer, index, part, senders) for part in parts]
        found[f"{name}, {senders}"] = rounds[1:]
    writer.close()
    store.close()
    return found


def send_all(
    writer: Writer, index: LinkageIndex, statements: Sequence[Statement], senders: int
) -> Sent:
    """Register all, by so many senders at once; each statement is acknowledged after its commit."""
    began = perf_counter()
    with ThreadPoolExecutor(senders) as pool:
        parts = [statements[at::senders] for at in range(senders)]
        list(pool.map(lambda part: _send_part(writer, index, part), parts))
    return Sent(perf_counter() - began, len(statements))


def _send_part(writer: Writer, index: LinkageIndex, statements: Sequence[Statement]) -> None:
    clock = SystemClock()
    for start in range(0, len(statements), BATCH_RECORDS_MAX):
        part = statements[start : start + BATCH_RECORDS_MAX]
        waiting = [submit_registration(writer, index, each, SENDER, clock=clock) for each in part]
        for future in waiting:
            future.result()
