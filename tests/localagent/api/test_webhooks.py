"""Webhooks, from the request that names one to what a listener on this machine receives."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.localagent.api import webhooks
from batchfish.localagent.api.webhooks import Webhooks
from batchfish.localagent.egress.addresses import parse_origin
from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.engines.base import RunFailure, RunOutcome, Step
from batchfish.localagent.serve_settings import ServeSettings
from tests.localagent.doubles import LINKS, ManualEngine, client_of, create, working_queue
from tests.localagent.listeners import Listener

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

    from tests.localagent.doubles import Clock

URL = "http://a.example/"


LOST = b""  # the connection is closed without an answer
HELD = None


def status(code: int) -> bytes:
    return b"HTTP/1.1 %d x\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n" % code


async def received(listener: Listener) -> tuple[str, dict[str, Any]]:
    """Wait for a webhook and return its head and its document."""
    async with asyncio.timeout(10):
        head, body = await listener.requests.get()
    return head.decode().lower(), json.loads(body)


@dataclass(frozen=True, kw_only=True)
class Agent:
    """The application with webhooks whose waits pass at once."""

    client: httpx.AsyncClient
    webhooks: Webhooks
    engine: ManualEngine
    waits: list[float]

    async def end(self, outcome: RunOutcome) -> None:
        await self.engine.end(URL, outcome)


@contextlib.asynccontextmanager
async def agent(clock: Clock, *allowed: str) -> AsyncIterator[Agent]:
    """Serve in this process; `allowed` are the values of --allow-origin."""
    engine, waits = ManualEngine(), list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with (
        Egress(Dialer(map(parse_origin, allowed))) as egress,
        Webhooks(egress, LINKS.url, sleep=sleep) as sender,
        working_queue(engine, clock, on_end=sender.announce) as queue,
        client_of(queue, clock, ServeSettings(allow_origins=allowed)) as client,
    ):
        yield Agent(client=client, webhooks=sender, engine=engine, waits=waits)


async def delivered(agent: Agent) -> None:
    """Wait for the end of all deliveries."""
    await agent.webhooks.__aexit__()


async def test_a_completed_run_is_reported_as_it_can_be_fetched(clock: Clock) -> None:
    async with Listener(status(200)) as listener, agent(clock, listener.origin) as served:
        run_id = await create(served.client, webhook_url=f"{listener.origin}/hook")
        await served.engine.tell(URL, Step(action="took a picture", screenshot=b"jpeg"))
        await served.end(RunOutcome(result={"price": 3}))
        head, document = await received(listener)
        assert head.startswith("post /hook http/1.1")
        assert "content-type: application/json" in head
        run = (await served.client.get(f"/v1/runs/{run_id}")).json()
        assert document == {"event": "run.completed", "run_id": run_id, "status": "COMPLETED", "data": run}
        assert [step["screenshot"] for step in document["data"]["steps"]] == [None, None]
        await delivered(served)
        assert (listener.requests.empty(), served.waits) == (True, [])


async def test_a_failed_and_a_cancelled_run_are_reported_too(clock: Clock) -> None:
    async with Listener(status(200)) as listener, agent(clock, listener.origin) as served:
        rows = [{"url": URL, "goal": "x", "webhook_url": f"{listener.origin}/hook"}] * 3
        answer = await served.client.post("/v1/automation/run-batch", json={"runs": rows})
        _, _, pending = answer.json()["run_ids"]
        await served.client.post(f"/v1/runs/{pending}/cancel")
        _, document = await received(listener)
        assert (document["event"], document["run_id"]) == ("run.cancelled", pending)
        assert document["data"]["started_at"] is None
        await served.end(RunOutcome(failure=RunFailure(code="LOCAL_NOT_FOUND", message="No price.")))
        _, document = await received(listener)
        assert (document["event"], document["status"]) == ("run.failed", "FAILED")
        assert document["data"]["error"]["message"] == "No price."


@pytest.mark.parametrize(
    ("answers", "waits", "is_delivered"),
    [
        ([status(500), status(503), LOST, status(200)], [1.0, 2.0, 4.0], True),
        ([status(500)], [1.0, 2.0, 4.0], False),
        ([status(502), status(204)], [1.0], True),
        ([status(404)], [], False),
        ([status(302)], [], False),
    ],
    ids=["the fourth attempt", "no fifth attempt", "the second attempt", "4xx is final", "a redirect too"],
)
async def test_errors_of_the_server_and_the_network_are_tried_again(
    clock: Clock,
    answers: list[bytes],
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
    *,
    is_delivered: bool,
) -> None:
    async with Listener(*answers) as listener, agent(clock, listener.origin) as served:
        run_id = await create(served.client, webhook_url=f"{listener.origin}/hook")
        await served.end(RunOutcome(result={}))
        documents = [(await received(listener))[1] for _ in (*waits, 0)]
        await delivered(served)
        assert (listener.requests.empty(), served.waits) == (True, waits)
        assert all(document == documents[0] for document in documents)
    assert (f"run {run_id}: its webhook" in caplog.text) is not is_delivered


async def test_an_attempt_has_a_time_limit(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIME_LIMIT", 0.02)
    async with Listener(HELD) as listener, agent(clock, listener.origin) as served:
        await create(served.client, webhook_url=f"{listener.origin}/hook")
        await served.end(RunOutcome(result={}))
        await delivered(served)
        assert served.waits == [1.0, 2.0, 4.0]


async def test_a_listener_that_is_not_there_blocks_no_run(clock: Clock) -> None:
    async with Listener(status(200)) as gone:
        pass
    async with agent(clock, gone.origin) as served:
        run_id = await create(served.client, webhook_url=gone.origin)
        await served.end(RunOutcome(result={"a": 1}))
        assert (await served.client.get(f"/v1/runs/{run_id}")).json()["status"] == "COMPLETED"
        await delivered(served)
        assert served.waits == [1.0, 2.0, 4.0]


async def test_an_address_that_is_not_opened_gets_no_webhook(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with Listener(status(200)) as listener, agent(clock) as served:
        secure = f"{listener.origin}/hook".replace("http://", "https://")
        await create(served.client, webhook_url=secure)
        await served.end(RunOutcome(result={}))
        await delivered(served)
        assert (listener.requests.empty(), served.waits) == (True, [])
    assert "belongs to this machine: it is not opened" in caplog.text


@pytest.mark.parametrize("path", ["run", "run-async", "run-sse", "run-batch"])
async def test_plain_http_is_taken_for_allowed_origins_only(clock: Clock, path: str) -> None:
    async with agent(clock, "http://127.0.0.1:3000") as served:
        body: dict[str, Any] = {"url": URL, "goal": "x", "webhook_url": "http://127.0.0.1:3001/"}
        at: list[str | int] = ["webhook_url"]
        if path == "run-batch":
            body, at = {"runs": [{"url": URL, "goal": "x"}, body]}, ["runs", 1, "webhook_url"]
        answer = await served.client.post(f"/v1/automation/{path}", json=body)
        assert answer.status_code == 400
        (issue,) = answer.json()["error"]["details"]
        assert issue["path"] == at
        assert "--allow-origin http://127.0.0.1:3001" in issue["message"]
        assert (await served.client.get("/v1/runs")).json()["pagination"]["total"] == 0
