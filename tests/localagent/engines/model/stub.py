"""A small OpenAI-compatible API on this machine that says what a test tells it to."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, TypeAlias

from batchfish.localagent.engines.model.endpoint import ModelEndpoint
from tests.webagent.servers import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.webagent.servers import Connection, Server

Reply: TypeAlias = dict[str, Any] | int | bytes
KEY = "sk-model-never-to-be-seen"
REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 429: "Too Many", 500: "Error"}


def says(text: str) -> dict[str, Any]:
    """Make an answer of a text."""
    return _completion({"role": "assistant", "content": text}, "stop")


def answers(answer: object = None, problem: str | None = None) -> dict[str, Any]:
    """Make an answer of a text that holds the envelope."""
    return says(json.dumps({"answer": answer, "problem": problem}))


def calls(name: str, **arguments: object) -> dict[str, Any]:
    """Make an answer that calls a tool."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    call = {"id": f"call_{name}", "type": "function", "function": function}
    return _completion({"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls")


def _completion(message: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_800_000_000,
        "model": "stub",
        "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }


class Stub:
    """Answers each request with the next of its replies, and the last one from then on.

    A reply is a completion, a status, or bytes that are sent as they are.
    """

    def __init__(self, *replies: Reply) -> None:
        self.port = 0
        self.restart(*replies)

    def restart(self, *replies: Reply) -> None:
        """Use these replies from now on, and forget what was asked before."""
        self._replies = list(replies)
        self.bodies: list[dict[str, Any]] = []
        self.heads: list[str] = []

    @property
    def endpoint(self) -> ModelEndpoint:
        """Return what leads to it."""
        return ModelEndpoint(url=f"http://127.0.0.1:{self.port}/v1", model="stub", key=KEY)

    def seen(self, number: int = -1) -> str:
        """Return all the text of one request, which the model would have read."""
        return json.dumps(self.bodies[number]["messages"], ensure_ascii=False)

    def tools(self, number: int = -1) -> list[str]:
        """Return the names of the tools that one request offered."""
        return [tool["function"]["name"] for tool in self.bodies[number].get("tools", [])]

    async def answer(self, server: Server, connection: Connection) -> None:
        """Read one request and send the reply to it."""
        head = await connection.read_request()
        self.heads.append(head.decode())
        self.bodies.append(json.loads(server.requests[-1][len(head) :]))
        reply = self._replies.pop(0) if len(self._replies) > 1 else self._replies[0]
        if isinstance(reply, bytes):
            await connection.say(reply)
            return
        status, body = (
            (reply, {"error": {"message": f"no, {KEY}"}}) if isinstance(reply, int) else (200, reply)
        )
        text = json.dumps(body).encode()
        start = f"HTTP/1.1 {status} {REASONS[status]}\r\ncontent-type: application/json\r\nretry-after: 0\r\n"
        more = f"location: http://127.0.0.1:{self.port}/elsewhere\r\nconnection: close\r\n"
        await connection.say(f"{start}{more}content-length: {len(text)}\r\n\r\n".encode() + text)


@contextlib.asynccontextmanager
async def stub(*replies: Reply) -> AsyncIterator[Stub]:
    """Run an API that gives these replies for the time of the block."""
    made = Stub(*replies)
    async with serving(made.answer) as server:
        made.port = server.port
        yield made
