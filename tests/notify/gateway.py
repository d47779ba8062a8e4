"""A real gateway that keeps what it is handed, and answers as a test wants."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Gateway:
    """Every message that arrived: its path, headers and body."""

    arrived: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    #: The status to answer with; None: the line breaks without an answer.
    answer: Callable[[Gateway], int | None] = lambda _gateway: 200
    headers: dict[str, str] = field(default_factory=dict)
    running: bool = True

    def __post_init__(self) -> None:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                gateway.arrived.append((self.path, dict(self.headers), body))
                status = gateway.answer(gateway)
                if status is None:
                    self.connection.close()
                    return
                self.send_response(status)
                for name, value in gateway.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook?tenant=7"

    def stop(self) -> None:
        if self.running:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self.running = False
