"""The load generator sends everything once, times what was answered, and tells what was not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from statistics import mean

import pytest

from benchmarks.load_generator import Load, generator, rendered, send

Answer = Callable[[str], bytes | None]
OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"


@contextmanager
def answering(answer: Answer, *, after_s: float = 0.0) -> Iterator[tuple[int, list[str]]]:
    """A server: its port, and the paths that it was asked for; an answer of None breaks off."""
    got: list[str] = []

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            got.append(self.path)
            time.sleep(after_s)
            reply = answer(self.path)
            self.close_connection = reply is None
            for piece in (reply[:20], reply[20:]) if reply else ():
                self.wfile.write(piece)  # The client has to wait for the second.

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port, got
        server.shutdown()
        thread.join()


def requests(count: int) -> list[bytes]:
    return [rendered("GET", f"/{n}", b"", {}) for n in range(count)]


@pytest.mark.parametrize("clients", [1, 7])
@pytest.mark.parametrize("per_second", [None, 400.0], ids=["closed", "open"])
def test_everything_is_sent_once_and_timed(clients: int, per_second: float | None) -> None:
    with answering(lambda _path: OK) as (port, got):
        sent = send(Load(port, requests(50), clients, per_second))
    assert sorted(got) == sorted(f"/{n}" for n in range(50))
    assert len(sent.latencies_ms) == 50
    assert sent.errors == {}
    assert sent.per_second == 50 / sent.seconds


def test_other_answers_are_errors_and_not_timed() -> None:
    with answering(lambda path: BUSY if path == "/3" else OK) as (port, _):
        sent = send(Load(port, requests(10), 2))
    assert len(sent.latencies_ms) == 9
    assert sent.errors == {"503": 1}


@pytest.mark.parametrize("per_second", [None, 400.0], ids=["closed", "open"])
def test_a_connection_that_breaks_costs_one_answer(per_second: float | None) -> None:
    with answering(lambda path: None if path == "/0" else OK) as (port, _):
        sent = send(Load(port, requests(10), 2, per_second))
    assert (len(sent.latencies_ms), sent.errors) == (9, {"lost": 1})


def test_a_server_that_breaks_every_connection_is_asked_all_the_same() -> None:
    with answering(lambda _path: None) as (port, got):
        sent = send(Load(port, requests(5), 1))
    assert len(got) == 5
    assert (sent.latencies_ms, sent.errors) == ([], {"lost": 5})


def test_who_waits_for_a_free_connection_is_timed_from_arrival() -> None:
    with answering(lambda _path: OK, after_s=0.02) as (port, _):
        alone = send(Load(port, requests(10), 1))
        crowded = send(Load(port, requests(10), 1, per_second=10_000))
    assert mean(crowded.latencies_ms) > 3 * mean(alone.latencies_ms)


def test_the_generator_is_another_process_and_tells_what_it_takes() -> None:
    with answering(lambda _path: OK) as (port, _), generator() as send_there:
        sent = send_there(Load(port, requests(20), 2))
    assert len(sent.latencies_ms) == 20
    assert 0 < sent.generator_seconds < sent.seconds
