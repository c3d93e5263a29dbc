"""A web server on this machine that does what servers should not."""

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    server: "Server"

    def do_GET(self) -> None:
        answers = self.server.answers[self.path.removeprefix("/")]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.server.n_requests += 1
        answer(self)

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


class Server(ThreadingHTTPServer):
    """Answers each path with the next of its answers; the last one is repeated."""

    daemon_threads, block_on_close = True, False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.n_requests = 0
        self.closing = threading.Event()

    def url(self, path: str, *answers: Answer) -> str:
        self.answers[path] = list(answers)
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, *_: object) -> None:
        """A client that has hung up is part of the test."""


def status(code: int) -> Answer:
    return lambda handler: handler.send_error(code)


def body(content: bytes, *, cut_at: int | None = None) -> Answer:
    """Answer with the content, or with its first `cut_at` bytes under a Content-Length that promises all of it."""

    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:cut_at])

    return answer


def trickle(prefix: bytes) -> Answer:
    """Answer with `prefix` and then with one byte every 20 ms, without end."""

    def answer(handler: Handler) -> None:
        handler.wfile.write(prefix)
        while not handler.server.closing.is_set():
            handler.wfile.write(b"x")
            time.sleep(0.02)

    return answer
