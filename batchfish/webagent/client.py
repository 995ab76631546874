"""The Web Agent API over httpx, as the pipeline asks for it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from batchfish import __version__
from batchfish.core.events import CreateAnswer, SubmitAccepted, SubmitDeferred, SubmitUnanswered
from batchfish.webagent import wire
from batchfish.webagent.answers import read_create_answer
from batchfish.webagent.cancels import RunCanceller
from batchfish.webagent.connections import keep_urls_out_of_logs, open_clients
from batchfish.webagent.http import HttpAnswer, NoAnswer, call
from batchfish.webagent.listing import list_runs
from batchfish.webagent.looks import RunReader
from batchfish.webagent.request import build_create, check_api_key, check_base_url, key_digest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import httpx

    from batchfish.webagent.base import Listing, Look, PreparedCreate


SECRET_LENGTH = 6


class WebAgentClient:
    """One account at one Web Agent API; creates and looks have connections of their own.

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
    ) -> None:
        """Check the address and the key; nothing is sent. WrongInput where one of them cannot be used."""
        address, key = check_base_url(base_url), check_api_key(api_key)
        self._key_id = key_digest(key, salt)
        self._secrets = secrets or {}
        self._hidden = [key, *(value for value in self._secrets.values() if len(value) >= SECRET_LENGTH)]
        headers = {wire.API_KEY_HEADER: key, "User-Agent": f"batchfish/{__version__}"}
        keep_urls_out_of_logs()
        self._creates, self._looks = open_clients(address, headers, transport)
        self._reader = RunReader(self._looks, self._hide)
        self._canceller = RunCanceller(self._looks, self._hide)

    async def __aenter__(self) -> Self:
        """Hand over the client; leaving closes it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; what runs remotely goes on."""
        await self._creates.aclose()
        await self._looks.aclose()

    @property
    def key_id(self) -> str:
        """A salted, truncated digest that tells API keys apart without giving one away."""
        return self._key_id

    def prepare(self, url: str, goal: str, request: Mapping[str, Any]) -> PreparedCreate:
        """Build the body of a create; WrongInput where it cannot be built."""
        return build_create(url, goal, request, self._secrets)

    async def submit(self, create: PreparedCreate) -> CreateAnswer:
        """Send one create, once, and say what its answer proves."""
        answer = await call(self._creates, "POST", wire.RUN_ASYNC, body=create.body)
        proof: CreateAnswer
        match answer:
            case HttpAnswer():
                proof = read_create_answer(answer.status, answer.headers, answer.body)
            case NoAnswer(may_have_left=False):
                proof = SubmitDeferred(reason="unreachable", message=answer.message)
            case NoAnswer():
                proof = SubmitUnanswered(message=answer.message)
        return (
            proof if isinstance(proof, SubmitAccepted) else replace(proof, message=self._hide(proof.message))
        )

    async def poll(self, run_ids: Sequence[str]) -> Look:
        """Look at any number of known runs."""
        return await self._reader.look(run_ids)

    async def find_by_marker(self, text: str, *, limit: int | None = None) -> Listing:
        """List the runs whose goal holds `text`; `limit` asks for that many rows and no more pages."""
        return await list_runs(self._looks, self._hide, text, limit)

    async def cancel(self, run_ids: Sequence[str]) -> None:
        """Ask that these runs be cancelled; what became of them the next look tells."""
        await self._canceller.cancel(run_ids)

    def _hide(self, message: str) -> str:
        """Blot out a key or password that the other side has echoed."""
        for secret in self._hidden:
            message = message.replace(secret, "[hidden]")
        return message
