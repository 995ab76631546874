"""Addresses of this machine: HTTP servers in a thread of the tests, and ports at which nobody listens."""

from __future__ import annotations

import errno
import socket
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Handler(BaseHTTPRequestHandler):
    """Handles requests in silence: its client may be killed, or leave, at any moment."""

    def get(self) -> None:
        """Answer a GET request."""
        raise NotImplementedError

    def post(self) -> None:
        """Answer a POST request."""
        raise NotImplementedError

    def do_GET(self) -> None:
        """Handle a GET request, by the name that the base class knows."""
        self.get()

    def do_POST(self) -> None:
        """Handle a POST request, by the name that the base class knows."""
        self.post()

    def handle(self) -> None:
        """Handle the requests of a connection until either side closes it."""
        try:
            super().handle()
        except ConnectionError:  # the client has left
            self.close_connection = True

    def finish(self) -> None:
        """Send what is buffered, if anybody still receives it."""
        try:
            super().finish()
        except ConnectionError:
            self.close_connection = True

    def read_body(self) -> bytes:
        """Return the body of the request; ConnectionResetError if the client did not send all of it."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError
        return body

    def answer(self, status: int, content: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        """Answer with this body, and these headers beside its length."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def serving(handler: type[Handler]) -> Iterator[str]:
    """Serve on a free port for the time of the block; yield the base URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def nobody_listening(port: int = 0) -> Iterator[int]:
    """Keep a port (0: any that is free) for the time of the block, and yield it.

    Nobody else is given it, and connections to it are refused, until a server that is told to use it listens.
    """
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", port))
        yield keeper.getsockname()[1]


def bind_everywhere() -> tuple[socket.socket, socket.socket]:
    """Return a listener and a socket for datagrams with one port number, on all addresses of this machine."""
    has_ipv6 = socket.has_dualstack_ipv6()
    family, host = (socket.AF_INET6, "::") if has_ipv6 else (socket.AF_INET, "0.0.0.0")  # noqa: S104
    while True:
        listener = socket.create_server((host, 0), family=family, dualstack_ipv6=has_ipv6)
        datagrams = socket.socket(family, socket.SOCK_DGRAM)
        if has_ipv6:
            datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            datagrams.bind((host, listener.getsockname()[1]))
        except OSError as error:
            datagrams.close()
            listener.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return listener, datagrams
