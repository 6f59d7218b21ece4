"""Version 1 over real sockets, on both stores, beside a bare application with the same statements.

Service and floor run side by side as `mpi serve` starts them, one worker on SQLite and two on
PostgreSQL, and are asked in turn, round by round, with the same requests; a ratio is of two rounds
that follow one another. A registration can be kept only once, so there each has statements of its
own, drawn from the same people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.floor import READS_HEADER, TAPE_HEADER, TAPES_VARIABLE
from benchmarks.http_requests import ACTIONS, REGISTER, Asked, questions_and_statements
from benchmarks.load_generator import Load, Round, generator
from benchmarks.loaded import copied_region, postgresql_region
from benchmarks.register import PEOPLE_MAX
from benchmarks.served import FLOOR, SERVICE, UNAUDITED, Server, serving
from benchmarks.suite import Outcome, Scale, Table
from benchmarks.tapes import write_tapes
from benchmarks.timing import Spread, fsync_ms, latencies_from, spread

REQUESTS = {"quick": 60, "full": 400}
"""Of one round."""
ROUNDS = {"quick": 3, "full": 5}
CLIENTS = (1, 4, 8, 32)
ARRIVING_S = {"quick": 0.8, "full": 4.0}
"""How long requests arrive in a round that measures audit."""
OPEN_CONNECTIONS = 64
WORKERS = {"SQLite": 1, "PostgreSQL": 2}
Send = Callable[[Load], Round]


@dataclass(frozen=True, slots=True)
class Taken:
    """A round, and what it took of the server's processors."""

    sent: Round
    server_seconds: float

    @property
    def per_second(self) -> float:
        """Requests answered with 200 in a second."""
        return self.sent.per_second


@dataclass(slots=True)
class Cell:
    """One action by so many clients on one store."""

    service: list[Taken] = field(default_factory=list)
    floor: list[Taken] = field(default_factory=list)
    reads: list[Taken] = field(default_factory=list)
    """Of the floor without its transactions that write; none of a registration."""

    @property
    def ratios(self) -> Spread:
        """Requests in a second, as a share of what the floor answers."""
        pairs = zip(self.service, self.floor, strict=True)
        rates = [(mine.per_second, bare.per_second) for mine, bare in pairs]
        return spread([mine / bare for mine, bare in rates if bare] or [0.0])

    def figures(self) -> dict[str, Any]:
        """Latencies in milliseconds, rates in requests a second, ratios, and errors by status."""
        sent = [each.sent for each in self.service]
        taken = latencies_from([ms for each in sent for ms in each.latencies_ms])
        busy = sum(each.generator_seconds for each in sent)
        return {
            **asdict(taken),
            "per_second": rate_of(self.service),
            "floor_per_second": rate_of(self.floor),
            "floor_reads_per_second": rate_of(self.reads) if self.reads else None,
            "ratio_to_floor": asdict(self.ratios),
            "processor_ms": processor_ms(self.service),
            "floor_processor_ms": processor_ms(self.floor),
            "errors": errors_of(self.service),
            "floor_errors": errors_of([*self.floor, *self.reads]),
            "generator_busy": busy / sum(each.seconds for each in sent),
        }


def rate_of(rounds: Sequence[Taken]) -> float:
    """The median round's requests a second."""
    return median(each.per_second for each in rounds)


def errors_of(rounds: Sequence[Taken]) -> dict[str, int]:
    """Status -> how often it was the answer, of those that are errors."""
    found = Counter[str]()
    for each in rounds:
        found.update(each.sent.errors)
    return dict(found)


def processor_ms(rounds: Sequence[Taken]) -> float:
    """What an answer takes of the server's processors, the store's own server left out."""
    answers = sum(len(each.sent.latencies_ms) for each in rounds)
    return 1e3 * sum(each.server_seconds for each in rounds) / max(answers, 1)


def run(scale: Scale) -> Outcome:
    """Serve one region from both stores and ask over sockets, the bare floor beside the service."""
    people = min(scale.people, PEOPLE_MAX)
    figures: dict[str, Any] = {}
    tables: list[Table] = []
    with copied_region(people) as region, generator() as send:
        for name, url in _stores(region.settings.database_url, region.feeds):
            asked = questions_and_statements(
                region, url,
                questions=REQUESTS[scale.name] * (ROUNDS[scale.name] + 1),
                statements=REQUESTS[scale.name] * (ROUNDS[scale.name] * len(CLIENTS) + 1),
            )  # fmt: skip
            bench = _Bench(send, asked, scale, region.folder, url, WORKERS[name])
            figures[name] = found = bench.measure()
            tables += _tables(name, found)
        figures["records"] = region.load.records
    return Outcome(tables, figures)


def _stores(sqlite_url: str, feeds: Path) -> Iterator[tuple[str, str]]:
    yield "SQLite", sqlite_url
    with postgresql_region(feeds) as url:
        yield "PostgreSQL", url


@dataclass(slots=True)
class _Bench:
    """Servers over one store, and what they are asked."""

    send: Send
    asked: Asked
    scale: Scale
    folder: Path
    url: str
    workers: int

    def measure(self) -> dict[str, Any]:
        """Figures of each action and number of clients, and of audit."""
        with self._serving(SERVICE) as service, self._serving(FLOOR) as floor:
            found = {
                action: {clients: cell.figures() for clients, cell in by_clients.items()}
                for action, by_clients in self._cells(service, floor).items()
            }
            with self._serving(UNAUDITED) as unaudited:
                audit = {
                    action: self._audit(action, service, unaudited, arrivals_of(found[action]))
                    for action in ACTIONS
                    if action != REGISTER
                }
        return {"actions": found, "audit": audit, "bare_fsync_ms": fsync_ms(self.folder)}

    @contextmanager
    def _serving(self, application: str) -> Iterator[Server]:
        tapes = self.folder / "tapes"
        write_tapes(tapes, self.asked.tapes)
        settings = {**self.asked.environment, TAPES_VARIABLE: str(tapes)}
        log = self.folder / "servers.log"
        with serving(application, settings, workers=self.workers, log=log) as server:
            yield server

    def _cells(self, service: Server, floor: Server) -> dict[str, dict[int, Cell]]:
        """Each action by each number of clients; a round that warms up is not counted."""
        found = {action: {clients: Cell() for clients in CLIENTS} for action in ACTIONS}
        for action, cells in found.items():
            self._round(Cell(), action, 8, service, floor)
            for clients, cell in cells.items():
                for _ in range(ROUNDS[self.scale.name]):
                    self._round(cell, action, clients, service, floor)
        return found

    def _round(self, cell: Cell, action: str, clients: int, service: Server, floor: Server) -> None:
        count = REQUESTS[self.scale.name]
        mine, bare = self.asked.take(action, count)
        cell.service.append(self._taken(service, mine, clients))
        cell.floor.append(self._taken(floor, bare, clients))
        if action != REGISTER:
            reads = [_reading(each) for each in bare]
            cell.reads.append(self._taken(floor, reads, clients))

    def _taken(self, server: Server, requests: Sequence[bytes], clients: int) -> Taken:
        before = server.processor_seconds()
        sent = self.send(Load(server.port, requests, clients))
        return Taken(sent, server.processor_seconds() - before)

    def _audit(
        self, action: str, audited: Server, unaudited: Server, rate: float
    ) -> dict[str, Any]:
        """What audit adds to the median answer when so many questions arrive in a second."""
        count = max(int(rate * ARRIVING_S[self.scale.name]), 50)
        found: list[tuple[Round, Round]] = []
        for _ in range(ROUNDS[self.scale.name] + 1):
            requests, _ = self.asked.take(action, count)
            loads = [
                Load(server.port, requests, OPEN_CONNECTIONS, per_second=rate)
                for server in (audited, unaudited)
            ]
            found.append((self.send(loads[0]), self.send(loads[1])))
        medians = [(_median_ms(on), _median_ms(off)) for on, off in found[1:]]
        errors = Counter[str]()
        for each in (each for pair in found for each in pair):
            errors.update(each.errors)
        return {
            "arrivals_per_second": rate,
            "audited_p50_ms": median(on for on, _ in medians),
            "unaudited_p50_ms": median(off for _, off in medians),
            "added_ms": asdict(spread([on - off for on, off in medians])),
            "errors": dict(errors),
        }


def _median_ms(sent: Round) -> float:
    return median(sent.latencies_ms)


def arrivals_of(by_clients: dict[int, dict[str, Any]]) -> float:
    """Requests in a second: half the most that the floor can do, and that the service can.

    More than the service can do would only measure a queue that grows until the round ends.
    """
    most = (max(float(each[name]) for each in by_clients.values())
            for name in ("per_second", "floor_per_second"))  # fmt: skip
    return min(most) / 2


def _reading(request: bytes) -> bytes:
    """The same request, to be played without transactions that write."""
    name = f"{TAPE_HEADER}: ".encode()
    return request.replace(name, f"{READS_HEADER}: 1\r\n".encode() + name, 1)


def _tables(store: str, found: dict[str, Any]) -> list[Table]:
    header = (
        "clients", "p50 ms", "p95 ms", "p99 ms", "a second", "floor", "its reads",
        "ratio", "ratio from", "to", "CPU ms", "floor's", "errors", "floor's errors", "generator",
    )  # fmt: skip
    workers = f"{WORKERS[store]} worker{'s' * (WORKERS[store] > 1)}"
    tables = [
        Table(
            f"{action}, HTTP, {store}, {workers} (budget on PostgreSQL: ratio 0.5)",
            header,
            [_row(clients, each) for clients, each in by_clients.items()],
        )
        for action, by_clients in found["actions"].items()
    ]
    rows: list[tuple[object, ...]] = [
        (action, each["arrivals_per_second"], each["audited_p50_ms"], each["unaudited_p50_ms"],
         each["added_ms"]["median"], each["added_ms"]["least"], each["added_ms"]["most"])
        for action, each in found["audit"].items()
    ]  # fmt: skip
    rows.append(("a bare fsync, for comparison", "", "", "", found["bare_fsync_ms"], "", ""))
    title = f"What audit adds, {store}: median answer at half its rate (aim: 1.5 ms)"
    named = ("action", "arrivals a second", "audited, ms", "not, ms", "added, ms", "least", "most")
    return [*tables, Table(title, named, rows)]


def _row(clients: int, each: dict[str, Any]) -> tuple[object, ...]:
    ratio = each["ratio_to_floor"]
    return (
        clients, each["p50_ms"], each["p95_ms"], each["p99_ms"], each["per_second"],
        each["floor_per_second"], each["floor_reads_per_second"] or "",
        ratio["median"], ratio["least"], ratio["most"],
        each["processor_ms"], each["floor_processor_ms"],
        sum(each["errors"].values()), sum(each["floor_errors"].values()),
        f"{each['generator_busy']:.0%}",
    )  # fmt: skip
