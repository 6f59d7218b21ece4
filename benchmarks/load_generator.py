"""Clients of a server, in a process of their own: what they sent, how long each answer took.

A client is one connection that is kept open. Either each sends its next request when it has its
answer (closed loop: how much can be done), or requests arrive by themselves, at random with a given
mean, and are timed from their arrival, whether a connection was free or not (open loop: how long
one waits, with no mercy for a server that stalls).

What the generator itself takes of a processor is told, so that it cannot pass for the server.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from time import perf_counter, process_time
from typing import Any

import uvloop

from benchmarks.suite import SEED

TIMEOUT_S = 120
"""Of one round: a server that hangs ends the measurement, not the patience of who waits for it."""
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent in one round."""

    port: int
    requests: Sequence[bytes]
    """Each whole, as it goes over the socket."""
    clients: int
    per_second: float | None = None
    """Mean rate of arrivals; None: each client sends as fast as it is answered."""


@dataclass(frozen=True, slots=True)
class Round:
    """What came of it."""

    latencies_ms: list[float]
    """Of the requests answered with 200."""
    seconds: float
    errors: dict[str, int]
    """Status, or `lost` for a connection that broke -> how many."""
    generator_seconds: float
    """Of a processor, taken by the generator itself."""

    @property
    def per_second(self) -> float:
        """Requests answered with 200 in a second."""
        return len(self.latencies_ms) / self.seconds


def rendered(method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A request of HTTP/1.1 as bytes."""
    named = {"host": "127.0.0.1", "content-type": "application/json", **headers}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    return "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body


@contextmanager
def generator() -> Iterator[Callable[[Load], Round]]:
    """A process that sends loads, one after another."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda load: pool.submit(send, load).result()


def send(load: Load) -> Round:
    """Send everything to a server on this machine; to be called in a process of its own."""
    return uvloop.run(_send(load))


async def _send(load: Load) -> Round:
    clients = [await _connected(load.port) for _ in range(load.clients)]
    found: list[tuple[str, float]] = []
    began, busy = perf_counter(), process_time()
    async with asyncio.timeout(TIMEOUT_S):
        if load.per_second is None:
            waiting = iter(load.requests)
            await asyncio.gather(*(_ask_all(each, waiting, found) for each in clients))
        else:
            await _arrive(load, clients, found)
    seconds, busy = perf_counter() - began, process_time() - busy
    for each in clients:
        each.close()
    errors = Counter(status for status, _ in found if status != "200")
    return Round([ms for status, ms in found if status == "200"], seconds, dict(errors), busy)


async def _connected(port: int) -> _Client:
    client = _Client(port)
    await client.connect()
    return client


async def _ask_all(
    client: _Client, waiting: Iterator[bytes], found: list[tuple[str, float]]
) -> None:
    for request in waiting:
        began = perf_counter()
        status = await client.ask(request)
        found.append((status, (perf_counter() - began) * 1e3))


async def _arrive(load: Load, clients: Sequence[_Client], found: list[tuple[str, float]]) -> None:
    """Requests come at random; the wait for a free client counts."""
    assert load.per_second
    free: asyncio.Queue[_Client] = asyncio.Queue()
    for each in clients:
        free.put_nowait(each)
    chance, due, tasks = random.Random(SEED), perf_counter(), []
    for request in load.requests:
        due += chance.expovariate(load.per_second)
        if due > perf_counter():
            await asyncio.sleep(due - perf_counter())
        tasks.append(asyncio.ensure_future(_ask_when_free(free, request, due, found)))
    await asyncio.gather(*tasks)


async def _ask_when_free(
    free: asyncio.Queue[_Client], request: bytes, due: float, found: list[tuple[str, float]]
) -> None:
    client = await free.get()
    status = await client.ask(request)
    found.append((status, (perf_counter() - due) * 1e3))
    free.put_nowait(client)


class _Client:
    """Keeps one connection, and makes another when that is lost: servers end one after an error."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = _Connection()

    async def connect(self) -> None:
        """Raises OSError if the server takes no connection."""
        loop = asyncio.get_running_loop()
        _, self._connection = await loop.create_connection(_Connection, "127.0.0.1", self._port)

    async def ask(self, request: bytes) -> str:
        """The status of the answer, or `lost`."""
        if self._connection.is_lost:
            try:
                await self.connect()
            except OSError:
                return "lost"
        return await self._connection.ask(request)

    def close(self) -> None:
        """Ends its connection."""
        self._connection.close()


class _Connection(asyncio.Protocol):
    """One request at a time; answers have a Content-Length, as those of our servers do."""

    def __init__(self) -> None:
        self._read = b""
        self._answered: asyncio.Future[str] | None = None
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be asked."""
        return self._transport is None or self._transport.is_closing()

    def ask(self, request: bytes) -> asyncio.Future[str]:
        """The status of the answer."""
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(_HEAD_END)
        length = _LENGTH.search(head) if found else None
        if length and len(body) >= int(length[1]):
            self._read = b""
            self._settle(head[9:12].decode())

    def connection_lost(self, _error: Exception | None) -> None:
        self._settle("lost")

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def _settle(self, status: str) -> None:
        if self._answered and not self._answered.done():
            self._answered.set_result(status)
