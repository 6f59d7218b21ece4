"""A receiver of webhooks, as somebody else's system is one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(ThreadingHTTPServer):
    """Answers as it is told to, and remembers what it accepted."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answer: Callable[[int], int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.seen: list[tuple[dict[str, str], bytes]] = []
        self.calls_count = 0
        self.lock = threading.Lock()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        with self.server.lock:
            self.server.calls_count += 1
            status = self.server.answer(self.server.calls_count)
            if 200 <= status < 300:
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.server.seen.append((headers, body))
        self.send_response(status)
        self.send_header("content-length", "0")
        self.send_header("location", "http://127.0.0.1:1/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def receiving(answer: Callable[[int], int]) -> Iterator[Receiver]:
    receiver = Receiver(answer)
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()
