"""The engine that reads pages as the server sends them: no script is run, nothing is clicked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from batchfish.localagent.egress.loader import LoadFailed
from batchfish.localagent.engines.base import Emit, RunOutcome, RunRequest, Step
from batchfish.localagent.engines.reading import Unread, agent_failure, not_loaded, read_page, tell

if TYPE_CHECKING:
    from batchfish.localagent.egress.loader import Loader
    from batchfish.localagent.engines.frames import ReadAnswer
    from batchfish.localagent.engines.pool import WorkerPool
    from batchfish.localagent.page.going_on import GoingOn


class ExtractEngine:
    """Fetches a page and the pages that its list continues on, and reads them in processes of their own."""

    def __init__(self, loader: Loader, pool: WorkerPool) -> None:
        self._loader = loader
        self._pool = pool

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        """Read a page into the request's schema, or return the reason why that is impossible."""
        try:
            answer = await self._page(request, request.url, None, emit)
            tell(answer, emit)
            if answer.code is not None:
                return RunOutcome(failure=agent_failure(answer.code, answer.message or ""))
            await self._go_on(request, answer, emit)
        except LoadFailed as failed:  # also of a later page: half a list would pass for the whole
            emit(Step(action=str(failed)))
            return RunOutcome(failure=not_loaded(failed))
        except Unread as unread:
            return RunOutcome(failure=unread.failure)
        return RunOutcome(result=answer.result)

    async def close(self) -> None:
        """Release nothing: the reading processes are shared."""

    async def _go_on(self, request: RunRequest, first: ReadAnswer, emit: Emit) -> None:
        """Follow the list of the first page to its end, and add the members that further pages hold."""
        page, seen = first, {request.url}
        while page.going_on and page.next_url and page.next_url not in seen:
            seen.add(page.next_url)
            name = page.going_on.name
            following = await self._page(request, page.next_url, page.going_on, emit)
            records = _records(following, name)
            if not records or records == _records(page, name):
                emit(Step(action=f"{name} ends here: this page has no more of it"))
                return
            tell(following, emit)
            first.result[name].extend(records)
            page = following

    async def _page(self, request: RunRequest, url: str, after: GoingOn | None, emit: Emit) -> ReadAnswer:
        begun = time.monotonic()
        page = await self._loader.load(url)
        emit(Step(action=f"opened {page.url}: {len(page.body)} bytes", duration=time.monotonic() - begun))
        return await read_page(self._pool, request, page, after)


def _records(answer: ReadAnswer, name: str) -> list[Any]:
    return list((answer.result or {}).get(name) or ())
