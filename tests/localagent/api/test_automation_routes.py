"""The ways to make runs: waiting for one, watching one, many at once, all or none."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.localagent.engines.base import RunOutcome, Step
from tests.localagent.doubles import create, settle

if TYPE_CHECKING:
    import httpx

    from tests.localagent.doubles import Clock, ManualEngine

URL = "http://a.example/"
BODY = {"url": URL, "goal": "Read the price"}
SCHEMA = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}


async def begin(api: httpx.AsyncClient, path: str, **fields: object) -> asyncio.Task[httpx.Response]:
    """Send a create that is answered only when its run is over."""
    answer = asyncio.create_task(api.post(f"/v1/automation/{path}", json={**BODY, **fields}))
    await settle()
    return answer


async def only_run(api: httpx.AsyncClient) -> dict[str, Any]:
    (run,) = (await api.get("/v1/runs")).json()["data"]
    shown: dict[str, Any] = run
    return shown


def events_in(answer: httpx.Response) -> list[dict[str, Any]]:
    frames = answer.text.split("\n\n")
    assert frames.pop() == ""
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


class TestRun:
    async def test_it_answers_when_the_run_is_over_and_not_before(
        self, api: httpx.AsyncClient, engine: ManualEngine, clock: Clock
    ) -> None:
        waiting = await begin(api, "run", output_schema=SCHEMA)
        assert not waiting.done()
        run_id = (await only_run(api))["run_id"]
        clock.now += 2
        await engine.end(URL, RunOutcome(result={"price": 3}))
        answer = await waiting
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
        whole = (await api.get(f"/v1/runs/{run_id}")).json()
        assert answer.json() == {
            "run_id": run_id,
            "status": "COMPLETED",
            "started_at": "2027-01-15T08:00:00.000Z",
            "finished_at": "2027-01-15T08:00:02.000Z",
            "num_of_steps": 1,
            "result": {"price": 3},
            "schema_validation": {"valid": True, "re_prompt_attempts": 0, "errors": []},
            "error": None,
            "streaming_url": whole["streaming_url"],
        }

    @pytest.mark.parametrize("path", ["/v1/runs/{id}/cancel", "/v1/runs/batch/cancel"])
    async def test_its_run_cannot_be_cancelled_until_it_has_ended(
        self, api: httpx.AsyncClient, engine: ManualEngine, path: str
    ) -> None:
        for n in range(2):
            await create(api, f"http://other.example/{n}")
        waiting = await begin(api, "run")
        (run,) = (await api.get("/v1/runs", params={"status": "PENDING"})).json()["data"]
        run_id = run["run_id"]
        for status in ("PENDING", "RUNNING"):
            assert (await api.get(f"/v1/runs/{run_id}")).json()["status"] == status
            answer = await api.post(path.format(id=run_id), json={"run_ids": [run_id]})
            if "batch" in path:
                assert answer.json() == {"results": [], "not_found": [run_id]}
            else:
                assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
                assert "cannot be cancelled" in answer.json()["error"]["message"]
            await engine.end(next(iter(engine.alive)), RunOutcome())
        await engine.end(URL, RunOutcome(result={}))
        assert (await waiting).json()["status"] == "COMPLETED"
        after = (await api.post(path.format(id=run_id), json={"run_ids": [run_id]})).json()
        (found,) = after.get("results", [after])
        assert found == {
            "run_id": run_id,
            "status": "COMPLETED",
            "cancelled_at": None,
            "message": "Run already finished",
        }


class TestRunSse:
    async def test_it_tells_the_run_from_start_to_end(
        self, api: httpx.AsyncClient, engine: ManualEngine, clock: Clock
    ) -> None:
        waiting = await begin(api, "run-sse")
        run = await only_run(api)
        clock.now += 1
        await engine.tell(URL, Step(action="clicked “Load more”"))
        await engine.end(URL, RunOutcome(result={"price": 3}))
        answer = await waiting
        assert answer.headers["content-type"].startswith("text/event-stream")
        first, second = "2027-01-15T08:00:00.000Z", "2027-01-15T08:00:01.000Z"
        run_id = run["run_id"]
        assert events_in(answer) == [
            {"type": "STARTED", "run_id": run_id, "timestamp": first},
            {
                "type": "STREAMING_URL",
                "run_id": run_id,
                "streaming_url": run["streaming_url"],
                "timestamp": first,
            },
            {"type": "PROGRESS", "run_id": run_id, "purpose": f"opened {URL}", "timestamp": first},
            {"type": "PROGRESS", "run_id": run_id, "purpose": "clicked “Load more”", "timestamp": second},
            {
                "type": "COMPLETE",
                "run_id": run_id,
                "status": "COMPLETED",
                "result": {"price": 3},
                "error": None,
                "timestamp": second,
            },
        ]

    async def test_words_that_end_lines_elsewhere_stay_in_their_line(
        self, api: httpx.AsyncClient, engine: ManualEngine
    ) -> None:
        waiting = await begin(api, "run-sse")
        odd = "a\nb\r\n\u2028\x85data: {}\n\ud800"
        await engine.tell(URL, Step(action=odd))
        await engine.end(URL, RunOutcome())
        answer = await waiting
        assert [event.get("purpose") for event in events_in(answer)][3] == odd
        assert len(answer.text.splitlines()) == 2 * 5  # as Python's own readers of streams cut it

    @pytest.mark.parametrize("path", ["run", "run-sse"])
    async def test_a_client_that_goes_away_leaves_its_run_running(
        self, api: httpx.AsyncClient, engine: ManualEngine, path: str
    ) -> None:
        waiting = await begin(api, path)
        waiting.cancel()
        await settle()
        assert (await only_run(api))["status"] == "RUNNING"
        await engine.end(URL, RunOutcome(result={"a": 1}))
        assert (await only_run(api))["result"] == {"a": 1}

    async def test_a_bad_body_is_an_ordinary_refusal(self, api: httpx.AsyncClient) -> None:
        answer = await api.post("/v1/automation/run-sse", json={"goal": "x"})
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json")


class TestRunBatch:
    async def test_ids_come_in_the_order_of_the_request_and_one_schema_is_for_all(
        self, api: httpx.AsyncClient, engine: ManualEngine
    ) -> None:
        rows = [{"url": f"http://a.example/{n}", "goal": f"goal {n}"} for n in range(100)]
        answer = await api.post("/v1/automation/run-batch", json={"runs": rows, "output_schema": SCHEMA})
        assert answer.status_code == 200
        assert answer.json()["error"] is None
        ids = answer.json()["run_ids"]
        found = (await api.post("/v1/runs/batch", json={"run_ids": ids})).json()
        runs = {run["run_id"]: run for run in found["data"]}
        assert [runs[run_id]["goal"] for run_id in ids] == [row["goal"] for row in rows]
        assert all(run["output_schema"] == SCHEMA for run in runs.values())
        assert [runs[run_id]["status"] for run_id in ids] == ["RUNNING"] * 2 + ["PENDING"] * 98
        await settle()
        assert engine.order == ["http://a.example/0", "http://a.example/1"]

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({"runs": [BODY, {"url": URL, "goal": ""}]}, ["runs", 1, "goal"]),
            ({"runs": [BODY, {**BODY, "url": "a.example"}]}, ["runs", 1, "url"]),
            ({"runs": [BODY, {**BODY, "credential_item_ids": ["c"]}]}, ["runs", 1]),
            ({"runs": []}, ["runs"]),
            ({"runs": [BODY] * 101}, ["runs"]),
            ({}, ["runs"]),
            ({"runs": [BODY], "output_schema": {"type": "array"}}, ["output_schema", "type"]),
        ],
    )
    async def test_one_bad_row_and_none_is_made(
        self, api: httpx.AsyncClient, body: dict[str, Any], path: list[str | int]
    ) -> None:
        answer = await api.post("/v1/automation/run-batch", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_INPUT")
        assert path in [issue["path"] for issue in answer.json()["error"]["details"]]
        assert (await api.get("/v1/runs")).json()["pagination"]["total"] == 0


async def test_every_way_to_see_a_run_gives_the_same_address_to_watch_it(
    api: httpx.AsyncClient, engine: ManualEngine
) -> None:
    """In the listing, by id, among many, in the events, in the answer of run."""
    streaming, blocking = await begin(api, "run-sse"), await begin(api, "run", url="http://b.example/")
    listed = {run["run_id"]: run["streaming_url"] for run in (await api.get("/v1/runs")).json()["data"]}
    found = (await api.post("/v1/runs/batch", json={"run_ids": list(listed)})).json()["data"]
    assert {run["run_id"]: run["streaming_url"] for run in found} == listed
    for run_id, address in listed.items():
        assert (await api.get(f"/v1/runs/{run_id}")).json()["streaming_url"] == address
        assert (await api.get(address)).status_code == 200
    assert len(set(listed.values())) == 2
    await engine.end(URL, RunOutcome())
    await engine.end("http://b.example/", RunOutcome())
    event, answer = events_in(await streaming)[1], (await blocking).json()
    assert {event["run_id"]: event["streaming_url"], answer["run_id"]: answer["streaming_url"]} == listed


async def test_the_time_limit_of_a_run_is_its_clients_own_fault(api: httpx.AsyncClient) -> None:
    """The shortest limit there is, one second, is waited for; the longest is no bug."""
    answers = await asyncio.gather(
        api.post("/v1/automation/run", json={**BODY, "agent_config": {"max_duration_seconds": 1}}),
        api.post("/v1/automation/run-async", json={**BODY, "agent_config": {"max_duration_seconds": 2**53}}),
    )
    ended = answers[0].json()
    assert (ended["status"], ended["error"]["code"]) == ("FAILED", "TIMEOUT")
    assert (ended["error"]["category"], ended["error"]["retry_after"]) == ("AGENT_FAILURE", None)
    run_id = answers[1].json()["run_id"]
    assert (await api.get(f"/v1/runs/{run_id}")).json()["status"] == "RUNNING"
