"""The engine in which a model reads pages, and uses the browser if there is one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from batchfish.localagent.egress.loader import Loaded, LoadFailed
from batchfish.localagent.engines.base import Emit, RunFailure, RunOutcome, RunRequest, Step
from batchfish.localagent.engines.browser.chromium import ChromiumGone, NoChromium, browser_failure
from batchfish.localagent.engines.model.conversation import AnswerWithout, Conversation, Modes, Told
from batchfish.localagent.engines.model.prompt import PART, show
from batchfish.localagent.engines.model.tools import BrowserTools, StepsExceeded
from batchfish.localagent.engines.reading import Unread, not_loaded, outline_page, require_text

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from batchfish.localagent.egress.loader import Loader
    from batchfish.localagent.egress.proxy import Egress
    from batchfish.localagent.engines.browser.chromium import Chromium
    from batchfish.localagent.engines.browser.tab import Tab
    from batchfish.localagent.engines.frames import Outline
    from batchfish.localagent.engines.pool import WorkerPool

RUN_TIME = 600.0
MOST_STEPS = 50
HTML = "text/html; charset=utf-8"


class ModelEngine:
    """Shows each run's page to a model, which answers or calls browser tools first."""

    def __init__(
        self, model: Model, egress: Egress, loader: Loader, pool: WorkerPool, *, browser: Chromium | None
    ) -> None:
        """Own the browser: closing the engine ends it. Without one, pages are read as they are served."""
        self._model = model
        self._egress = egress
        self._loader = loader
        self._pool = pool
        self._browser = browser
        self._modes = Modes()

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        """Carry out the goal with the model, within the limits of the run."""
        agreed = request.options.get("agent_config") or {}
        most_steps = agreed.get("max_steps") or MOST_STEPS
        conversation = Conversation(self._model, self._modes, request, emit, most_steps=most_steps)
        try:
            # A limit of the run's own is kept by the queue, whatever the engine.
            async with asyncio.timeout(None if agreed.get("max_duration_seconds") else RUN_TIME):
                if self._browser is None:
                    told = await self._read_as_served(request, emit, conversation)
                else:
                    told = await self._browse(self._browser, request, emit, conversation, most_steps)
            return RunOutcome(result=told.answer, re_prompts=told.re_prompts)
        except LoadFailed as failed:
            emit(Step(action=str(failed)))
            return RunOutcome(failure=not_loaded(failed))
        except (Unread, AnswerWithout) as ended:
            return RunOutcome(failure=ended.failure)
        except (NoChromium, ChromiumGone) as broken:
            return RunOutcome(failure=browser_failure(broken))
        except StepsExceeded:
            message = f"The model had no answer after {most_steps} steps."
            return RunOutcome(failure=RunFailure(code="MAX_STEPS_EXCEEDED", message=message))
        except TimeoutError:
            message = f"The run took longer than {RUN_TIME:.0f} s."
            return RunOutcome(failure=RunFailure(code="TIMEOUT", message=message))
        finally:
            conversation.tell_use()

    async def close(self) -> None:
        """End the browser."""
        if self._browser is not None:
            await self._browser.close()

    async def _read_as_served(self, request: RunRequest, emit: Emit, conversation: Conversation) -> Told:
        page = await self._loader.load(request.url)
        emit(Step(action=f"opened {page.url}: {len(page.body)} bytes"))
        shown = await outline_page(self._pool, page)
        require_text(shown.text, page.url)
        if len(shown.text) > PART:
            emit(Step(action=f"the model is shown the first {PART} of {len(shown.text)} characters"))
        return await conversation.answer(show(shown.text, url=page.url))

    async def _browse(
        self, browser: Chromium, request: RunRequest, emit: Emit, conversation: Conversation, most_steps: int
    ) -> Told:
        with self._egress.admit() as ticket:
            async with browser.open_tab(ticket) as tab:
                tools = BrowserTools(tab, self._egress.pace, self._outline_tab, emit, most_steps=most_steps)
                page = await tools.start(request.url)
                return await conversation.answer(page, tools.tools())

    async def _outline_tab(self, tab: Tab) -> Outline:
        page = Loaded(url=tab.url, content_type=HTML, body=await tab.source())
        return await outline_page(self._pool, page)
