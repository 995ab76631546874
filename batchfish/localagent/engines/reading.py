"""The use of reading processes by engines: jobs out of requests, steps and failures out of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.engines.base import Emit, Match, RunFailure, RunRequest, Step, system_failure
from batchfish.localagent.engines.frames import Outline, OutlineJob, ReadAnswer, ReadJob
from batchfish.localagent.engines.pool import WorkerDied

if TYPE_CHECKING:
    from batchfish.localagent.egress.loader import Loaded, LoadFailed
    from batchfish.localagent.engines.pool import WorkerPool
    from batchfish.localagent.page.going_on import GoingOn

LONGEST_SHOWN = 60
LEAST_TEXT = 20


class Unread(Exception):
    """The run ends without a result: no page was loaded, or nothing could be read from it."""

    def __init__(self, failure: RunFailure) -> None:
        """Keep the reason."""
        super().__init__(failure.message)
        self.failure = failure


async def read_page(
    pool: WorkerPool, request: RunRequest, page: Loaded, after: GoingOn | None = None
) -> ReadAnswer:
    """Read a page for a request in a process; Unread if that takes too long or breaks the process.

    `after` is the list of an earlier page that goes on here.
    """
    job = ReadJob(
        url=page.url,
        goal=request.goal,
        content_type=page.content_type,
        body=page.body,
        output_schema=None if request.output_schema is None else dict(request.output_schema),
        after=after,
    )
    return await _read(pool, job)


async def outline_page(pool: WorkerPool, page: Loaded) -> Outline:
    """Return the text of a page for a model; Unread if that takes too long or breaks the process."""
    job = OutlineJob(url=page.url, content_type=page.content_type, body=page.body)
    answer = await _read(pool, job)
    if answer.code is not None:
        raise Unread(agent_failure(answer.code, answer.message or ""))
    return Outline(**answer.result)


def require_text(text: str, url: str) -> None:
    """Raise Unread unless there is text on a page."""
    if len(text) < LEAST_TEXT:
        raise Unread(agent_failure("LOCAL_EMPTY_PAGE", f"{url} shows no text."))


async def _read(pool: WorkerPool, job: ReadJob | OutlineJob) -> ReadAnswer:
    try:
        return await pool.read(job)
    except TimeoutError:
        raise Unread(agent_failure("LOCAL_TIMEOUT", "Reading the page took too long.")) from None
    except WorkerDied:
        raise Unread(system_failure("LOCAL_CRASH", "The process that read the page broke.")) from None


def tell(answer: ReadAnswer, emit: Emit) -> None:
    """Report the place of each property as a step."""
    for found in answer.evidence:
        shown = f": “{found.text[:LONGEST_SHOWN]}”" if found.text else ""
        emit(
            Step(
                action=f"{found.name} ← {found.where}{shown}",
                matched=Match(name=found.name, where=found.where),
            )
        )


def not_loaded(failed: LoadFailed) -> RunFailure:
    """Return the failure for a page that could not be loaded."""
    blame = system_failure if failed.is_ours else agent_failure
    return blame(failed.code, str(failed))


def agent_failure(code: str, message: str) -> RunFailure:
    """Return a failure that is the fault of the page or goal: another attempt does no better."""
    return RunFailure(code=code, message=message)
