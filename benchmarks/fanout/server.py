"""The server of the benchmark: `batchfish serve --engine simulate`, on a faster event loop.

    python -m benchmarks.fanout.server COUNTS [options of python -m batchfish.localagent]

The application is the local agent's own. The file COUNTS holds, once the server has ended, how many requests
it answered, how many connections it accepted, and how many of them were open at one moment. With a
certificate and its key in files beside COUNTS, it speaks TLS. SIGUSR1 halves the cap.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import uvicorn
import uvloop

from batchfish.localagent import serve as agent
from batchfish.localagent.__main__ import parse
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.simulation.faults import ResettableProtocol
from benchmarks.fanout.serving import CERTIFICATE, KEY

if TYPE_CHECKING:
    from uvicorn.server import ServerState


class CountingProtocol(ResettableProtocol):
    """The agent's HTTP/1.1, which counts connections."""

    accepted = 0
    most_open = 0
    state: ServerState | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count a connection."""
        super().connection_made(transport)
        counts = type(self)
        counts.accepted += 1
        counts.most_open = max(counts.most_open, len(self.connections))
        counts.state = self.server_state


class HalvingQueue(RunQueue):
    """The agent's queue, whose cap a signal halves; runs that have a slot keep it."""

    async def __aenter__(self) -> Self:
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self.halve)
        return await super().__aenter__()

    def halve(self) -> None:
        """Work on half as many runs at once from now on."""
        self._cap = max(1, self._cap // 2)


def main(counts: Path, options: list[str]) -> None:
    """Serve until a signal comes, then write the counts."""
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    certificate, key = counts.with_name(CERTIFICATE), counts.with_name(KEY)
    if certificate.exists():  # the local agent itself needs no TLS: it listens on this machine alone
        uvicorn.Config = partial(uvicorn.Config, ssl_certfile=certificate, ssl_keyfile=key)  # type: ignore[misc,assignment]
    agent.RunQueue = HalvingQueue  # type: ignore[misc]
    agent.serve(parse(options), protocol=CountingProtocol)
    state = CountingProtocol.state
    found = {
        "requests": 0 if state is None else state.total_requests,
        "connections": CountingProtocol.accepted,
        "most_connections": CountingProtocol.most_open,
    }
    counts.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
