"""The client of the Web Agent API: what the pipeline asks of it, and what a person's script asks of it."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from batchfish import __version__
from batchfish.errors import WebAgentUnavailable
from batchfish.webagent import wire
from batchfish.webagent.cancels import RunCanceller
from batchfish.webagent.connections import keep_urls_out_of_logs, open_clients
from batchfish.webagent.creates import prove
from batchfish.webagent.http import call
from batchfish.webagent.listing import RunLister
from batchfish.webagent.polls import RunReader
from batchfish.webagent.redaction import make_hide
from batchfish.webagent.refusals import Acquaintance, NoSuchEndpoint
from batchfish.webagent.request import build_create, check_api_key, check_base_url, key_digest
from batchfish.webagent.single_run import RUN_SECONDS, Roads
from batchfish.webagent.sse import Complete, Heartbeat, Progress, Started, StreamingUrl

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    import httpx

    from batchfish.core.events import CreateAnswer
    from batchfish.core.runs import RunSnapshot
    from batchfish.webagent.base import Listing, PollResult, PreparedCreate
    from batchfish.webagent.cancels import Cancellation
    from batchfish.webagent.sse import StreamEvent

    Event = TypeVar("Event", bound=StreamEvent)
    Callback: TypeAlias = Callable[[Event], Awaitable[object] | object]

SECRET_LENGTH = 6
LISTING_SECONDS = 900.0
"""How long a listing may take, page after page; one that does not end is no answer."""


class WebAgentClient:
    """One account at one Web Agent API.

    Its methods are of two kinds, which share connections, key and memory of what the API lacks: `prepare`,
    `submit`, `poll`, `find_by_marker` and `cancel` are the `WebAgent` of the pipeline, where failures are
    answers; `run`, `queue`, `get`, `wait`, `cancel_run` and `stream` are for a script about one page.

    `transport` stands for the network where one is given: an application in this process, a model server.
    `salt` makes `key_id` the journal's own; `secrets` holds the variables that `password_env` may name.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str = wire.DEFAULT_BASE_URL,
        salt: bytes = b"",
        secrets: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Check the address and the key; nothing is sent. WrongInput where one of them cannot be used."""
        address, key = check_base_url(base_url), check_api_key(api_key)
        self._key_id = key_digest(key, salt)
        self._secrets = secrets or {}
        self._hide = make_hide(
            [key, *(value for value in self._secrets.values() if len(value) >= SECRET_LENGTH)]
        )
        headers = {wire.API_KEY_HEADER: key, "User-Agent": f"batchfish/{__version__}"}
        keep_urls_out_of_logs()
        self._connections = open_clients(address, headers, transport)
        self._known = Acquaintance()
        self._reader = RunReader(self._connections.looks, self._hide, self._known)
        self._lister = RunLister(self._connections.looks, self._hide)
        self._canceller = RunCanceller(self._connections.looks, self._hide, self._known)
        self._roads = Roads(self._connections.watches, self._reader, self._canceller, self._hide, sleep)

    async def __aenter__(self) -> Self:
        """Hand over the client; leaving closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; what runs remotely goes on."""
        for http in self._connections:
            await http.aclose()

    @property
    def key_id(self) -> str:
        """A salted, truncated digest that tells API keys apart without giving one away."""
        return self._key_id

    def prepare(self, url: str, goal: str, request: Mapping[str, Any]) -> PreparedCreate:
        """Build the body of a create; WrongInput where it cannot be built."""
        return build_create(url, goal, request, self._secrets)

    async def submit(self, create: PreparedCreate) -> CreateAnswer:
        """Send one create, once, and say what its answer proves."""
        answer = await call(self._connections.creates, "POST", wire.RUN_ASYNC, body=create.body)
        return prove(answer, self._hide)

    async def poll(self, run_ids: Sequence[str]) -> PollResult:
        """Look at any number of known runs."""
        return await self._reader.look(run_ids)

    async def find_by_marker(
        self, text: str, *, limit: int | None = None, since: float | None = None
    ) -> Listing:
        """List the runs whose goal holds `text`; see `WebAgent.find_by_marker`."""
        try:
            async with asyncio.timeout(LISTING_SECONDS):
                listing = await self._lister.find(text, limit=limit, since=since)
        except TimeoutError:
            raise WebAgentUnavailable(
                f"the listing of runs did not end within {LISTING_SECONDS / 60:.0f} min"
            ) from None
        except NoSuchEndpoint as error:
            raise self._known.judge(error) from None
        self._known.has_answered = True
        return listing

    async def cancel(self, run_ids: Sequence[str]) -> None:
        """Ask that these runs be cancelled; what became of them the next look tells."""
        await self._canceller.cancel(run_ids)

    async def run(
        self, url: str, goal: str, request: Mapping[str, Any] | None = None, *, within: float = RUN_SECONDS
    ) -> RunSnapshot:
        """Have a page worked on and wait for the end, `within` seconds: for what takes less than a minute.

        `request` holds further members by the API's own names. The run cannot be cancelled. RunMayExist where
        the answer does not tell whether it was made; sending again may then be paid twice.
        """
        return await self._roads.run(self.prepare(url, goal, request or {}), within)

    async def queue(self, url: str, goal: str, request: Mapping[str, Any] | None = None) -> str:
        """Have a page worked on later, and return the run's id for `get`, `wait` and `cancel_run`."""
        return await self._roads.queue(self.prepare(url, goal, request or {}))

    async def get(self, run_id: str) -> RunSnapshot:
        """Look at one run once."""
        return await self._roads.get(run_id)

    async def wait(self, run_id: str) -> RunSnapshot:
        """Look at one run until it is over."""
        return await self._roads.wait(run_id)

    async def cancel_run(self, run_id: str) -> Cancellation:
        """Cancel one run, which is harmless to repeat; WrongInput, in words, for one made by `run`."""
        return await self._roads.cancel(run_id)

    async def stream(
        self,
        url: str,
        goal: str,
        request: Mapping[str, Any] | None = None,
        *,
        on_started: Callback[Started] | None = None,
        on_streaming_url: Callback[StreamingUrl] | None = None,
        on_progress: Callback[Progress] | None = None,
        on_heartbeat: Callback[Heartbeat] | None = None,
        on_complete: Callback[Complete] | None = None,
    ) -> AsyncGenerator[StreamEvent, None]:
        """Have a page worked on and yield what happens, up to Complete; callbacks may be coroutines.

        A stream that is cut is followed up by looks, never by a second create. Leaving early cancels
        nothing: `cancel_run` does.
        """
        create = self.prepare(url, goal, request or {})
        async with aclosing(self._roads.stream(create)) as events:
            async for event in events:
                match event:
                    case Started():
                        await _notify(on_started, event)
                    case StreamingUrl():
                        await _notify(on_streaming_url, event)
                    case Progress():
                        await _notify(on_progress, event)
                    case Heartbeat():
                        await _notify(on_heartbeat, event)
                    case Complete():
                        await _notify(on_complete, event)
                yield event


async def _notify(callback: Callback[Event] | None, event: Event) -> None:
    if callback is None:
        return
    outcome = callback(event)
    if inspect.isawaitable(outcome):
        await outcome
