"""Webhooks, from the request that names one to what a listener on this machine receives."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from batchfish.localagent.api import webhooks
from batchfish.localagent.api.webhooks import Webhooks
from batchfish.localagent.egress.addresses import parse_origin
from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.engines.base import RunFailure, RunOutcome, Step
from batchfish.localagent.serve_settings import ServeSettings
from tests.localagent.doubles import LINKS, Clock, Listener, ManualEngine, client_of, create, working_queue

URL = "http://a.example/"
LOST, HELD = b"", None  # the connection is closed without an answer; it is kept open


def status(code: int) -> bytes:
    return b"HTTP/1.1 %d x\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n" % code


@dataclass(frozen=True, kw_only=True)
class Agent:
    """The application with webhooks whose waits pass at once, and a listener on this machine."""

    client: httpx.AsyncClient
    webhooks: Webhooks
    engine: ManualEngine
    waits: list[float]
    listener: Listener

    async def received(self) -> tuple[str, dict[str, Any]]:
        """Wait for a webhook and return its head and its document."""
        async with asyncio.timeout(60):
            head, body = await self.listener.requests.get()
        return head.decode().lower(), json.loads(body)

    async def attempts(self) -> list[float]:
        """Wait for the end of all deliveries, and return the waits between attempts."""
        await self.webhooks.__aexit__()
        assert self.listener.requests.empty()
        return self.waits


@contextlib.asynccontextmanager
async def agent(clock: Clock, *answers: bytes | None, is_allowed: bool = True) -> AsyncIterator[Agent]:
    """Serve in this process, with a listener that gives these answers."""
    engine, waits = ManualEngine(), list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with contextlib.AsyncExitStack() as stack:
        listener = await stack.enter_async_context(Listener(*answers))
        allowed = [listener.origin] if is_allowed else []
        egress = await stack.enter_async_context(Egress(Dialer(map(parse_origin, allowed))))
        sender = await stack.enter_async_context(Webhooks(egress, LINKS.url, sleep=sleep))
        queue = await stack.enter_async_context(working_queue(engine, clock, on_end=sender.announce))
        settings = ServeSettings(allow_origins=tuple(allowed))
        client = await stack.enter_async_context(client_of(queue, clock, settings))
        yield Agent(client=client, webhooks=sender, engine=engine, waits=waits, listener=listener)


async def test_a_completed_run_is_reported_as_it_can_be_fetched(clock: Clock) -> None:
    """A part of what its schema requires, and which part is missing, as well."""
    price = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}
    async with agent(clock, status(200)) as served:
        hook = f"{served.listener.origin}/hook"
        run_id = await create(served.client, webhook_url=hook, output_schema=price)
        await served.engine.tell(URL, Step(action="took a picture", screenshot=b"jpeg"))
        await served.engine.end(URL, RunOutcome(result={"sku": "A"}))
        head, document = await served.received()
        assert head.startswith("post /hook http/1.1")
        assert "content-type: application/json" in head
        run = (await served.client.get(f"/v1/runs/{run_id}")).json()
        assert document == {"event": "run.completed", "run_id": run_id, "status": "COMPLETED", "data": run}
        assert [step["screenshot"] for step in document["data"]["steps"]] == [None, None]
        validation = run["schema_validation"]
        assert not validation["valid"]
        assert [error["path"] for error in validation["errors"]] == ["#/price"]
        assert await served.attempts() == []


async def test_a_failed_and_a_cancelled_run_are_reported_too(clock: Clock) -> None:
    async with agent(clock, status(200)) as served:
        rows = [{"url": URL, "goal": "x", "webhook_url": f"{served.listener.origin}/hook"}] * 3
        answer = await served.client.post("/v1/automation/run-batch", json={"runs": rows})
        _, _, pending = answer.json()["run_ids"]
        await served.client.post(f"/v1/runs/{pending}/cancel")
        _, document = await served.received()
        assert (document["event"], document["run_id"]) == ("run.cancelled", pending)
        assert document["data"]["started_at"] is None
        await served.engine.end(
            URL, RunOutcome(failure=RunFailure(code="LOCAL_NOT_FOUND", message="No price."))
        )
        _, document = await served.received()
        assert (document["event"], document["status"]) == ("run.failed", "FAILED")
        assert document["data"]["error"]["message"] == "No price."


@pytest.mark.parametrize(
    ("answers", "waits"),
    [
        ([status(500), status(503), LOST, status(200)], [1.0, 2.0, 4.0]),
        ([status(500)], [1.0, 2.0, 4.0]),
        ([status(404)], []),
        ([status(302)], []),
    ],
    ids=["the fourth attempt", "no fifth attempt", "4xx is final", "a redirect too"],
)
async def test_errors_of_the_server_and_the_network_are_tried_again(
    clock: Clock, answers: list[bytes], waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    async with agent(clock, *answers) as served:
        run_id = await create(served.client, webhook_url=f"{served.listener.origin}/hook")
        await served.engine.end(URL, RunOutcome(result={}))
        assert (await served.client.get(f"/v1/runs/{run_id}")).json()["status"] == "COMPLETED"
        documents = [(await served.received())[1] for _ in (*waits, 0)]
        assert await served.attempts() == waits
        assert all(document == documents[0] for document in documents)
    assert (f"run {run_id}: its webhook" in caplog.text) is (answers[-1] != status(200))


async def test_an_attempt_has_a_time_limit(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIME_LIMIT", 0.02)
    async with agent(clock, HELD) as served:
        await create(served.client, webhook_url=f"{served.listener.origin}/hook")
        await served.engine.end(URL, RunOutcome(result={}))
        await served.webhooks.__aexit__()
        assert served.waits == [1.0, 2.0, 4.0]


async def test_a_closed_address_gets_no_webhook(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    async with agent(clock, status(200), is_allowed=False) as served:
        secure = f"{served.listener.origin}/hook".replace("http://", "https://")
        await create(served.client, webhook_url=secure)
        await served.engine.end(URL, RunOutcome(result={}))
        assert await served.attempts() == []
    assert "belongs to this machine: it is not opened" in caplog.text


@pytest.mark.parametrize("path", ["run", "run-async", "run-sse", "run-batch"])
async def test_plain_http_is_taken_for_allowed_origins_only(clock: Clock, path: str) -> None:
    async with agent(clock, status(200)) as served:
        body: dict[str, Any] = {"url": URL, "goal": "x", "webhook_url": "http://127.0.0.1:1/"}
        at: list[str | int] = ["webhook_url"]
        if path == "run-batch":
            body, at = {"runs": [{"url": URL, "goal": "x"}, body]}, ["runs", 1, "webhook_url"]
        answer = await served.client.post(f"/v1/automation/{path}", json=body)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")
        (issue,) = answer.json()["error"]["details"]
        assert issue["path"] == at
        assert "--allow-origin http://127.0.0.1:1" in issue["message"]
        assert (await served.client.get("/v1/runs")).json()["pagination"]["total"] == 0
