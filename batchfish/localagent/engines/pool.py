"""A pool of reading processes, one page each at a time, killed on timeout or cancellation."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import msgspec

from batchfish.localagent.engines.frames import (
    BEGUN,
    HEADER,
    OUT_OF_MEMORY,
    OutlineJob,
    ReadAnswer,
    ReadJob,
    length_of,
    pack,
)

TIME_LIMIT = 20.0
MOST_MEMORY = 1024 * 1024 * 1024


class WorkerDied(Exception):
    """A reading process ended in the middle of a page."""


class WorkerPool:
    """Starts reading processes as they are needed and keeps those that are idle for the next page.

    They are separate programs: a fork would copy this process's locks and connections, and a thread could
    neither be killed nor leave the event loop its time.
    """

    def __init__(
        self, *, warm: int = 1, time_limit: float = TIME_LIMIT, most_memory: int = MOST_MEMORY
    ) -> None:
        """Start `warm` processes beforehand.

        A page may take `time_limit` seconds, without the start of its process, which may have `most_memory`
        bytes of data.
        """
        self._warm = warm
        self._time_limit = time_limit
        self._most_memory = most_memory
        self._idle: list[asyncio.subprocess.Process] = []

    async def start(self) -> None:
        """Start the first processes, so that the first page finds one ready."""
        self._idle.extend(await asyncio.gather(*(_start(self._most_memory) for _ in range(self._warm))))

    async def read(self, job: ReadJob | OutlineJob) -> ReadAnswer:
        """Read a page in a process; TimeoutError past the time limit, WorkerDied if the process broke."""
        worker = await self._take()
        is_spent = True
        try:
            await _begin(worker, job)
            answer = await asyncio.wait_for(_answer(worker), self._time_limit)
            is_spent = answer.code == OUT_OF_MEMORY
        finally:
            if is_spent:
                await _kill(worker)
            else:
                self._idle.append(worker)
        return answer

    async def close(self) -> None:
        """End every idle process."""
        await asyncio.gather(*(_kill(worker) for worker in self._idle))

    async def _take(self) -> asyncio.subprocess.Process:
        while self._idle:
            worker = self._idle.pop()
            if worker.returncode is None:
                return worker
        return await _start(self._most_memory)


async def _start(most_memory: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "batchfish.localagent.engines.worker",
        str(most_memory),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for the agent, which ends them in order
    )


async def _begin(worker: asyncio.subprocess.Process, job: ReadJob | OutlineJob) -> None:
    """Send a job, and wait until the process works on it: on a busy machine, its start takes long."""
    if worker.stdin is None:
        raise WorkerDied
    try:
        worker.stdin.write(pack(job))
        await worker.stdin.drain()
    except OSError as broken:
        raise WorkerDied from broken
    await _read(worker, len(BEGUN))


async def _answer(worker: asyncio.subprocess.Process) -> ReadAnswer:
    body = await _read(worker, length_of(await _read(worker, HEADER.size)))
    return msgspec.msgpack.decode(body, type=ReadAnswer)


async def _read(worker: asyncio.subprocess.Process, size: int) -> bytes:
    if worker.stdout is None:
        raise WorkerDied
    try:
        return await worker.stdout.readexactly(size)
    except (OSError, asyncio.IncompleteReadError) as broken:
        raise WorkerDied from broken


async def _kill(worker: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.kill()
    await worker.wait()
