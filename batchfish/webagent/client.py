"""The client of the Web Agent API, for the pipeline and for scripts."""

from __future__ import annotations

import asyncio
import inspect
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from batchfish import __version__
from batchfish.errors import WebAgentUnavailable
from batchfish.webagent import wire
from batchfish.webagent.api_errors import ErrorReader
from batchfish.webagent.cancels import RunCanceller
from batchfish.webagent.creates import QueueingSender, build_create
from batchfish.webagent.credentials import check_api_key, check_base_url, digest_key
from batchfish.webagent.http import open_clients
from batchfish.webagent.listing import RunLister
from batchfish.webagent.polls import RunPoller
from batchfish.webagent.redaction import make_redact
from batchfish.webagent.single_run import RUN_SECONDS, SingleRuns
from batchfish.webagent.streaming import Complete, Heartbeat, Progress, Started, StreamingUrl

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    import httpx

    from batchfish.core.events import CreateAnswer
    from batchfish.core.runs import RunSnapshot
    from batchfish.webagent.base import Listing, PollResult, PreparedCreate
    from batchfish.webagent.cancels import Cancellation
    from batchfish.webagent.creates import MakeCreateSender
    from batchfish.webagent.streaming import StreamEvent

    Event = TypeVar("Event", bound=StreamEvent)
    Callback: TypeAlias = Callable[[Event], Awaitable[object] | object]

SECRET_LENGTH = 6
"""Values of `secrets` that are shorter are not redacted: they could occur in any text."""
LISTING_SECONDS = 900.0
"""The time limit of a listing, all its pages together."""


class WebAgentClient:
    """An asynchronous client of the Web Agent API, with one API key.

    Scripts use `run`, `queue`, `get`, `wait`, `cancel_run` and `stream`, each about one page; failures are
    raised. The pipeline uses `prepare`, `submit`, `poll`, `find_by_marker` and `cancel`, as a `WebAgent`: to
    it, the failure of a create is an answer. Both share connections.

    - `api_key`: sent with every request, and never logged.
    - `base_url`: https, or http on this machine.
    - `salt`: makes `key_id` differ from one journal to another.
    - `secrets`: the values of variables that `proxy_config.password_env` names; redacted from messages.
    - `transport`: used instead of the network, for tests.
    - `sleep`: called with the seconds to wait between two polls.
    - `sender`: makes the object that `submit` sends with; by default creates go to `/run-async`.
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
        sender: MakeCreateSender = QueueingSender,
    ) -> None:
        """Check the base URL and the key, and send nothing; WrongInput if one of them cannot be used."""
        address, key = check_base_url(base_url), check_api_key(api_key)
        self._key_id = digest_key(key, salt)
        self._secrets = secrets or {}
        redact = make_redact(
            [key, *(value for value in self._secrets.values() if len(value) >= SECRET_LENGTH)]
        )
        headers = {wire.API_KEY_HEADER: key, "User-Agent": f"batchfish/{__version__}"}
        self._http = open_clients(address, headers, transport)
        self._sender = sender(self._http, redact)
        errors = ErrorReader(redact)
        self._poller = RunPoller(self._http.reads, errors)
        self._lister = RunLister(self._http.reads, errors)
        self._canceller = RunCanceller(self._http.reads, errors)
        self._single = SingleRuns(self._http, self._poller, self._canceller, redact, sleep)

    async def __aenter__(self) -> Self:
        """Return the client; leaving the block closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; runs go on."""
        await self._sender.aclose()
        await self._http.aclose()

    @property
    def key_id(self) -> str:
        """A salted, truncated digest of the API key, which differs from key to key and reveals none."""
        return self._key_id

    def prepare(self, url: str, goal: str, request: Mapping[str, Any]) -> PreparedCreate:
        """Build the body of a create; WrongInput if it cannot be built."""
        return build_create(url, goal, request, self._secrets)

    async def submit(self, create: PreparedCreate) -> CreateAnswer:
        """Send one create, once, and return whether its answer proves that a run was made."""
        return await self._sender.send(create)

    async def poll(self, run_ids: Sequence[str]) -> PollResult:
        """Poll any number of known runs."""
        return await self._poller.poll(run_ids)

    async def find_by_marker(
        self, text: str, *, limit: int | None = None, since: float | None = None
    ) -> Listing:
        """List the runs whose goal contains `text`; see `WebAgent.find_by_marker`."""
        try:
            async with asyncio.timeout(LISTING_SECONDS):
                return await self._lister.find(text, limit=limit, since=since)
        except TimeoutError:
            raise WebAgentUnavailable(
                f"the listing of runs did not end within {LISTING_SECONDS / 60:.0f} min"
            ) from None

    async def cancel(self, run_ids: Sequence[str]) -> None:
        """Cancel any number of runs; the next poll shows what became of them."""
        await self._canceller.cancel(run_ids)

    async def run(
        self, url: str, goal: str, request: Mapping[str, Any] | None = None, *, within: float = RUN_SECONDS
    ) -> RunSnapshot:
        """Run one page and wait up to `within` seconds for its result, over `/run`.

        - `request`: further fields of the request, by the API's names, such as `output_schema`.

        The run cannot be cancelled, and is meant to take less than a minute. RunMayExist if the answer does
        not show whether it was made: sending it again may be paid twice.
        """
        return await self._single.run(self.prepare(url, goal, request or {}), within)

    async def queue(self, url: str, goal: str, request: Mapping[str, Any] | None = None) -> str:
        """Queue a run of one page over `/run-async` and return its id, for `get`, `wait` and `cancel_run`."""
        return await self._single.queue(self.prepare(url, goal, request or {}))

    async def get(self, run_id: str) -> RunSnapshot:
        """Return a run as it is now; WrongInput if the API does not know it."""
        return await self._single.get(run_id)

    async def wait(self, run_id: str) -> RunSnapshot:
        """Poll a run until it has ended, and return it."""
        return await self._single.wait(run_id)

    async def cancel_run(self, run_id: str) -> Cancellation:
        """Cancel a run and return its status; WrongInput if it cannot be, as one made by `run`.

        Safe to repeat.
        """
        return await self._single.cancel(run_id)

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
        """Run one page over `/run-sse` and yield its events, the last of which is Complete.

        The callbacks are called with each event before it is yielded, and may be coroutine functions. If the
        stream breaks, the run is polled to its end; it is never created again. Leaving the loop early cancels
        nothing; `cancel_run` does.
        """
        create = self.prepare(url, goal, request or {})
        async with aclosing(self._single.stream(create)) as events:
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
