"""The API as the local agent answers it: runs made, waited for, watched, listed, cancelled and refused."""

import asyncio
import json
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from batchfish.localagent.api.sse import run_events
from batchfish.localagent.engines.base import Emit, RunOutcome, RunRequest, Step
from tests.localagent.doubles import Clock, ManualEngine, create, settle, working_queue
from tests.pipeline.virtual_time import EPOCH, VirtualTimeLoop

URL = "http://a.example/"
BODY = {"url": URL, "goal": "Read the price"}
NUMBER = {"type": "number"}
SCHEMA = {"type": "object", "properties": {"price": NUMBER, "sku": NUMBER}, "required": ["price"]}
START, SECOND = "2027-01-15T08:00:00.000Z", "2027-01-15T08:00:01.000Z"


async def begin(api: httpx.AsyncClient, path: str, **fields: object) -> asyncio.Task[httpx.Response]:
    """Send a create that is answered only when its run is over."""
    answer = asyncio.create_task(api.post(f"/v1/automation/{path}", json={**BODY, **fields}))
    await settle()
    return answer


async def run_of(api: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    run: dict[str, Any] = (await api.get(f"/v1/runs/{run_id}")).json()
    return run


async def listed(api: httpx.AsyncClient, **query: str) -> list[str]:
    """Return the ids of a page of the listing, whose total agrees."""
    page = (await api.get("/v1/runs", params=query)).json()
    assert page["pagination"]["total"] == len(page["data"])
    return [run["run_id"] for run in page["data"]]


def events_in(answer: httpx.Response) -> list[dict[str, Any]]:
    frames = answer.text.split("\n\n")
    assert frames.pop() == ""
    return [json.loads(frame.removeprefix("data: ")) for frame in frames]


async def test_runs_take_turns_and_a_crash_frees_a_slot(api: httpx.AsyncClient, engine: ManualEngine) -> None:
    ids = [await create(api, f"{URL}{n}") for n in range(4)]
    waiting = await run_of(api, ids[2])
    assert (waiting["status"], waiting["started_at"], waiting["num_of_steps"]) == ("PENDING", None, None)
    await engine.end(f"{URL}0", RunOutcome(result={"price": 3}))
    engine.alive[f"{URL}1"].set_exception(ZeroDivisionError())
    await settle()
    runs = [await run_of(api, run_id) for run_id in ids]
    assert [run["status"] for run in runs] == ["COMPLETED", "FAILED", "RUNNING", "RUNNING"]
    assert (runs[1]["error"]["code"], runs[1]["error"]["category"]) == ("LOCAL_CRASH", "SYSTEM_FAILURE")
    assert engine.order == [f"{URL}{n}" for n in range(4)]


async def test_run_answers_at_its_end(api: httpx.AsyncClient, engine: ManualEngine, clock: Clock) -> None:
    waiting = await begin(api, "run", output_schema=SCHEMA)
    assert not waiting.done()
    (run_id,) = await listed(api)
    clock.now += 1
    await engine.end(URL, RunOutcome(result={"price": 3}))
    answer = await waiting
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    whole = await run_of(api, run_id)
    assert [step["action"] for step in whole["steps"]] == [f"opened {URL}"]
    assert answer.json() == {
        "run_id": run_id,
        "status": "COMPLETED",
        "started_at": START,
        "finished_at": SECOND,
        "num_of_steps": 1,
        "result": {"price": 3},
        "schema_validation": {"valid": True, "re_prompt_attempts": 0, "errors": []},
        "error": None,
        "streaming_url": whole["streaming_url"],
    }


async def test_the_run_of_run_cannot_be_cancelled(api: httpx.AsyncClient, engine: ManualEngine) -> None:
    waiting = await begin(api, "run")
    (run_id,) = await listed(api)
    one = f"/v1/runs/{run_id}/cancel"
    among = (await api.post("/v1/runs/batch/cancel", json={"run_ids": [run_id]})).json()
    assert among == {"results": [], "not_found": [run_id]}
    assert (await api.post(one)).status_code == 404  # its words are read in the client's tests
    await engine.end(URL, RunOutcome(result={}))
    assert (await waiting).json()["status"] == "COMPLETED"
    assert (await api.post(one)).json()["message"] == "Run already finished"


async def test_run_sse_tells_start_to_end(api: httpx.AsyncClient, engine: ManualEngine, clock: Clock) -> None:
    """A part of what the schema requires is told as it is; the run says which part is missing."""
    waiting = await begin(api, "run-sse", output_schema=SCHEMA)
    (run_id,) = await listed(api)
    clock.now += 1
    odd = "a\nb\r\n\u2028\x85data: {}\n\ud800"
    await engine.tell(URL, Step(action=odd))
    await engine.end(URL, RunOutcome(result={"price": None, "sku": 4}))
    answer, run = await waiting, await run_of(api, run_id)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert len(answer.text.splitlines()) == 2 * 5  # as Python's own readers of streams cut it
    of = {"run_id": run_id, "timestamp": START}
    end = {"status": "COMPLETED", "result": {"price": None, "sku": 4}, "error": None}
    assert events_in(answer) == [
        {"type": "STARTED", **of},
        {"type": "STREAMING_URL", **of, "streaming_url": run["streaming_url"]},
        {"type": "PROGRESS", **of, "purpose": f"opened {URL}"},
        {"type": "PROGRESS", **of, "purpose": odd, "timestamp": SECOND},
        {"type": "COMPLETE", **of, **end, "timestamp": SECOND},
    ]
    validation = run["schema_validation"]
    assert (validation["valid"], [one["path"] for one in validation["errors"]]) == (False, ["#/price"])


async def test_ids_come_in_the_order_of_the_request_and_one_schema_is_for_all(api: httpx.AsyncClient) -> None:
    rows = [{"url": f"{URL}{n}", "goal": f"goal {n}"} for n in range(100)]
    answer = await api.post("/v1/automation/run-batch", json={"runs": rows, "output_schema": SCHEMA})
    ids = answer.json()["run_ids"]
    assert (answer.status_code, answer.json()["error"]) == (200, None)
    found = (await api.post("/v1/runs/batch", json={"run_ids": ids})).json()
    runs = {run["run_id"]: run for run in found["data"]}
    assert [runs[run_id]["goal"] for run_id in ids] == [row["goal"] for row in rows]
    assert all(run["output_schema"] == SCHEMA for run in runs.values())
    assert [runs[run_id]["status"] for run_id in ids] == ["RUNNING"] * 2 + ["PENDING"] * 98


async def test_runs_by_id_come_once_and_unknown_ones_are_named_or_a_404(api: httpx.AsyncClient) -> None:
    run_id = await create(api)
    found = (await api.post("/v1/runs/batch", json={"run_ids": [run_id, run_id]})).json()
    assert [run["run_id"] for run in found["data"]] == [run_id]
    assert found["not_found"] is None
    ended = (await api.post("/v1/runs/batch/cancel", json={"run_ids": [run_id, "no-such"]})).json()
    assert [(one["run_id"], one["status"]) for one in ended["results"]] == [(run_id, "CANCELLED")]
    assert ended["not_found"] == ["no-such"]
    alone = await api.post("/v1/runs/no-such/cancel")
    assert (alone.status_code, alone.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_the_listing_pages_to_its_end_in_either_direction(api: httpx.AsyncClient) -> None:
    ids = [await create(api, f"{URL}{n}") for n in range(5)]
    for direction, expected in (("asc", ids), ("desc", ids[::-1])):
        seen: list[str] = []
        cursor: dict[str, str] | None = {}
        while cursor is not None:
            query = {"limit": "2", "sort_direction": direction, **cursor}
            page = (await api.get("/v1/runs", params=query)).json()
            seen += [run["run_id"] for run in page["data"]]
            following = page["pagination"]["next_cursor"]
            assert page["pagination"] == {
                "total": 5, "next_cursor": following, "has_more": following is not None,
            }  # fmt: skip
            cursor = {"cursor": following} if following else None
        assert seen == expected


async def test_goal_time_and_status_narrow_the_listing(api: httpx.AsyncClient, clock: Clock) -> None:
    """A goal is sought as a substring, whatever its case."""
    wanted = await create(api, goal="Read ÄPFEL 100% [ref bf-ab_c-1.]")
    clock.now += 10
    second = await create(api, goal="Read Äpfel [ref bf-abxc-1.]")
    clock.now += 10
    third = await create(api)
    for text in ("bf-AB_C-", "äpfel 100%"):
        assert await listed(api, goal=text) == [wanted]
    window = {"created_after": "2027-01-15T08:00:10Z", "created_before": "2027-01-15T09:00:20+01:00"}
    assert await listed(api, **window) == [second]
    assert await listed(api, status="PENDING") == [third]


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        (1_800_000_000.0, "2027-01-15T08:00:00.000Z"),
        (1_800_000_000.0429, "2027-01-15T08:00:00.042Z"),
        (1_800_000_000.999, "2027-01-15T08:00:00.999Z"),
        (1_800_000_000.9999999, "2027-01-15T08:00:01.000Z"),
    ],
)
async def test_times_are_shown_in_whole_milliseconds_of_utc(
    api: httpx.AsyncClient, clock: Clock, at: float, shown: str
) -> None:
    clock.now = at
    run = (await api.get(f"/v1/runs/{await create(api)}")).json()
    assert (run["created_at"], run["started_at"]) == (shown, shown)


REFUSED_BODIES: list[tuple[dict[str, Any], list[str]]] = [
    ({"url": None}, ["url"]),
    ({"url": "file:///etc/hostname"}, ["url"]),
    ({"url": "http://a.example:99999/"}, ["url"]),
    ({"goal": ""}, ["goal"]),
    ({"goal": "\ud800"}, ["goal"]),
    ({"agent_config": {"max_steps": "3"}}, ["agent_config", "max_steps"]),
    ({"agent_config": {"max_steps": 501}}, ["agent_config", "max_steps"]),
    ({"proxy_config": {}}, ["proxy_config", "enabled"]),
    ({"proxy_config": {"enabled": True, "type": "custom"}}, ["proxy_config"]),
    ({"webhook_url": "http://h.example/"}, ["webhook_url"]),
    ({"credential_item_ids": ["c"]}, []),
]


@pytest.mark.parametrize(("fields", "path"), REFUSED_BODIES)
@pytest.mark.parametrize("is_batch", [False, True])
async def test_a_bad_body_is_a_400_that_names_the_path_and_makes_no_run(
    api: httpx.AsyncClient, fields: dict[str, Any], path: list[str | int], *, is_batch: bool
) -> None:
    body: dict[str, Any] = {**BODY, **fields}
    if is_batch:
        body, path = {"runs": [BODY, body]}, ["runs", 1, *path]
    answer = await api.post(
        f"/v1/automation/{'run-batch' if is_batch else 'run-async'}",
        content=json.dumps(body),
        headers={"content-type": "application/json"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_INPUT")
    assert path in [issue["path"] for issue in answer.json()["error"]["details"]]
    assert await listed(api) == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *(("/v1/automation/run-batch", {"runs": [BODY] * count}) for count in (0, 101)),
        ("/v1/automation/run-batch", {"runs": [BODY], "output_schema": {"type": "array"}}),
        *(("/v1/runs/batch", {"run_ids": ids}) for ids in ([], ["x"] * 101, [1], "x")),
        *(("/v1/runs/batch/cancel", {"run_ids": ids}) for ids in ([], ["x"] * 101)),
        *((f"/v1/runs?limit={limit}", None) for limit in (0, 101)),
        (f"/v1/runs?goal={'x' * 501}", None),
        *((f"/v1/runs?{query}", None) for query in ("status=DONE", "sort_direction=up", "cursor=zz")),
        ("/v1/runs?created_after=yesterday", None),
    ],
)
async def test_bounds_are_named_by_a_400(
    api: httpx.AsyncClient, path: str, body: dict[str, Any] | None
) -> None:
    answer = await (api.get(path) if body is None else api.post(path, json=body))
    assert answer.status_code == 400
    named = list(body)[-1] if body else path.partition("?")[2].partition("=")[0]
    assert answer.json()["error"]["details"][0]["path"][0] == named


async def test_every_answer_is_in_the_envelope_and_dated(api: httpx.AsyncClient, clock: Clock) -> None:
    unknown, method = await api.get("/v1/nope"), await api.put("/v1/runs")
    assert (unknown.json()["error"]["code"], method.status_code) == ("NOT_FOUND", 405)
    for answer in (unknown, await api.get("/v1/runs")):
        assert parsedate_to_datetime(answer.headers["date"]).timestamp() == clock.now


class TimedEngine:
    """Takes a step at each of these times, in seconds, and ends with the last."""

    def __init__(self, *times: float) -> None:
        self.times = times

    async def run(self, request: RunRequest, emit: Emit) -> RunOutcome:
        for at in self.times:
            await asyncio.sleep(at - asyncio.get_running_loop().time())
            emit(Step(action=f"step at {at}"))
        return RunOutcome(result={})

    async def close(self) -> None:
        """There is nothing to release."""


def told_by(engine: TimedEngine, *, every: float) -> list[tuple[float, str]]:
    """Run once, and return the events with the times at which they were sent."""

    async def tell(clock: Callable[[], float]) -> list[tuple[float, str]]:
        async with working_queue(engine, clock) as queue:
            (run_id,) = queue.create([RunRequest(url="http://a.example/", goal="g")], origin="o")
            run = queue.get([run_id])[run_id]
            events = run_events(queue, run, watch_url="u", clock=clock, every=every)
            return [(clock() - EPOCH, json.loads(event[6:])["type"]) async for event in events]

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        loop = runner.get_loop()
        return runner.run(tell(lambda: EPOCH + loop.time()))


def test_a_heartbeat_comes_on_schedule_whatever_happens_in_between() -> None:
    told = told_by(TimedEngine(1.0, 29.0, 31.0, 70.0), every=15.0)
    assert told[:2] == [(0.0, "STARTED"), (0.0, "STREAMING_URL")]
    assert [at for at, kind in told if kind == "HEARTBEAT"] == [15.0, 30.0, 45.0, 60.0]
    assert told[-2:] == [(70.0, "PROGRESS"), (70.0, "COMPLETE")]
