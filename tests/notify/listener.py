"""A real HTTP server on loopback that receives notifications, and answers as a test tells it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests import loopback

Reply = Callable[[int], tuple[int, dict[str, str]] | None]
"""Returns the status and headers for the n-th request; None: no answer until the listener is closed."""


def accept(_: int) -> tuple[int, dict[str, str]]:
    """Accept every notification."""
    return 204, {}


@dataclass(kw_only=True)
class Listener:
    """Where a server listens, and the requests that it has received."""

    url: str
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.requests]

    @property
    def events(self) -> list[str]:
        return [body["event"] for body in self.bodies]


@contextmanager
def listening(reply: Reply = accept) -> Iterator[Listener]:
    """Serve on a free port of this machine during the block."""
    is_closed = threading.Event()

    class Handler(loopback.Handler):
        def post(self) -> None:
            body = self.read_body()
            listener.requests.append((self.path, dict(self.headers), body))
            answer = reply(len(listener.requests))
            if answer is None:
                is_closed.wait()
                return
            status, headers = answer
            self.answer(status, headers=headers)

    with loopback.serving(Handler) as url:
        listener = Listener(url=url)
        try:
            yield listener
        finally:
            is_closed.set()
