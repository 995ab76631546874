"""The engine that reads pages as the server sends them: no script is run, nothing is clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.engines.base import Emit, RunFailure, RunOutcome, RunRequest, Step, system_failure
from batchfish.localagent.engines.frames import ReadAnswer, ReadJob
from batchfish.localagent.engines.pool import WorkerDied
from batchfish.localagent.load import Loaded, LoadFailed

if TYPE_CHECKING:
    from batchfish.localagent.engines.pool import WorkerPool
    from batchfish.localagent.load import Loader


class ExtractEngine:
    """Fetches a page, and has it read in a process of its own."""

    def __init__(self, loader: Loader, pool: WorkerPool) -> None:
        """Own the pool: closing the engine ends its processes."""
        self._loader = loader
        self._pool = pool

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        """Read a page into the request's schema, or say why that cannot be done."""
        try:
            page = await self._loader.load(request.url)
        except LoadFailed as failed:
            emit(Step(action=str(failed)))
            blame = system_failure if failed.is_ours else _agent_failure
            return RunOutcome(failure=blame(failed.code, str(failed)))
        emit(Step(action=f"opened {page.url}: {len(page.body)} bytes"))
        try:
            answer = await self._pool.read(_job(request, page))
        except TimeoutError:
            return RunOutcome(failure=_agent_failure("LOCAL_TIMEOUT", "Reading the page took too long."))
        except WorkerDied:
            return RunOutcome(failure=system_failure("LOCAL_CRASH", "The process that read the page broke."))
        return _outcome(answer, emit)

    async def close(self) -> None:
        """End the reading processes."""
        await self._pool.close()


def _job(request: RunRequest, page: Loaded) -> ReadJob:
    return ReadJob(
        url=page.url,
        goal=request.goal,
        content_type=page.content_type,
        body=page.body,
        output_schema=None if request.output_schema is None else dict(request.output_schema),
    )


def _outcome(answer: ReadAnswer, emit: Emit) -> RunOutcome:
    for line in answer.evidence:
        emit(Step(action=line))
    if answer.code is not None:
        return RunOutcome(failure=_agent_failure(answer.code, answer.message or ""))
    return RunOutcome(result=answer.result)


def _agent_failure(code: str, message: str) -> RunFailure:
    return RunFailure(code=code, message=message)
