"""The engine that reads pages as the server sends them: no script is run, nothing is clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.engines.base import Emit, RunOutcome, RunRequest, Step
from batchfish.localagent.engines.reading import Unread, agent_failure, not_loaded, read_page
from batchfish.localagent.load import LoadFailed

if TYPE_CHECKING:
    from batchfish.localagent.engines.pool import WorkerPool
    from batchfish.localagent.load import Loader


class ExtractEngine:
    """Fetches a page, and has it read in a process of its own."""

    def __init__(self, loader: Loader, pool: WorkerPool) -> None:
        self._loader = loader
        self._pool = pool

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        """Read a page into the request's schema, or say why that cannot be done."""
        try:
            page = await self._loader.load(request.url)
            emit(Step(action=f"opened {page.url}: {len(page.body)} bytes"))
            answer = await read_page(self._pool, request, page)
        except LoadFailed as failed:
            emit(Step(action=str(failed)))
            return RunOutcome(failure=not_loaded(failed))
        except Unread as unread:
            return RunOutcome(failure=unread.failure)
        for line in answer.evidence:
            emit(Step(action=line))
        if answer.code is not None:
            return RunOutcome(failure=agent_failure(answer.code, answer.message or ""))
        return RunOutcome(result=answer.result)

    async def close(self) -> None:
        """There is nothing to release: the reading processes are others' too."""
