"""The API as the local agent answers it: lives of runs, listings, cancels, refusals."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.localagent.engines.base import RunOutcome
from tests.localagent.doubles import create, settle

if TYPE_CHECKING:
    import httpx

    from tests.localagent.doubles import Clock, ManualEngine


async def run_of(api: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    answer = await api.get(f"/v1/runs/{run_id}")
    assert answer.status_code == 200
    run: dict[str, Any] = answer.json()
    return run


async def test_a_run_goes_from_pending_to_running_to_its_end(
    api: httpx.AsyncClient, engine: ManualEngine, clock: Clock
) -> None:
    ids = [await create(api, f"http://a.example/{n}") for n in range(3)]
    waiting = await run_of(api, ids[2])
    assert (waiting["status"], waiting["started_at"], waiting["num_of_steps"]) == ("PENDING", None, None)
    assert (await run_of(api, ids[0]))["status"] == "RUNNING"
    clock.now += 1.5
    await engine.end("http://a.example/0", RunOutcome(result={"price": 3}))
    ended = await run_of(api, ids[0])
    assert ended["status"] == "COMPLETED"
    assert ended["result"] == {"price": 3}
    assert ended["num_of_steps"] == 1
    assert [step["action"] for step in ended["steps"]] == ["opened http://a.example/0"]
    assert (ended["started_at"], ended["finished_at"]) == (
        "2027-01-15T08:00:00.000Z",
        "2027-01-15T08:00:01.500Z",
    )
    assert (await run_of(api, ids[2]))["status"] == "RUNNING"
    assert engine.order == [f"http://a.example/{n}" for n in range(3)]


async def test_a_crash_of_the_engine_ends_the_run_and_frees_its_slot(
    api: httpx.AsyncClient, engine: ManualEngine
) -> None:
    ids = [await create(api, f"http://a.example/{n}") for n in range(3)]
    engine.alive["http://a.example/0"].set_exception(ZeroDivisionError())
    await settle()
    run = await run_of(api, ids[0])
    assert (run["status"], run["error"]["code"]) == ("FAILED", "LOCAL_CRASH")
    assert run["error"]["category"] == "SYSTEM_FAILURE"
    assert (await run_of(api, ids[2]))["status"] == "RUNNING"


class TestCancel:
    async def test_a_running_run_is_stopped_and_its_slot_freed(
        self, api: httpx.AsyncClient, engine: ManualEngine, clock: Clock
    ) -> None:
        ids = [await create(api, f"http://a.example/{n}") for n in range(3)]
        clock.now += 60
        answer = await api.post(f"/v1/runs/{ids[0]}/cancel")
        assert answer.json() == {
            "run_id": ids[0],
            "status": "CANCELLED",
            "cancelled_at": "2027-01-15T08:01:00.000Z",
            "message": None,
        }
        await settle()
        assert engine.stopped == ["http://a.example/0"]
        assert (await run_of(api, ids[0]))["num_of_steps"] == 1
        assert (await run_of(api, ids[2]))["status"] == "RUNNING"

    async def test_what_is_unknown_is_named_or_a_404(self, api: httpx.AsyncClient) -> None:
        run_id = await create(api)
        answer = (await api.post("/v1/runs/batch/cancel", json={"run_ids": [run_id, "no-such"]})).json()
        assert [(found["run_id"], found["status"]) for found in answer["results"]] == [(run_id, "CANCELLED")]
        assert answer["not_found"] == ["no-such"]
        alone = await api.post("/v1/runs/no-such/cancel")
        assert (alone.status_code, alone.json()["error"]["code"]) == (404, "NOT_FOUND")


class TestReads:
    async def test_runs_by_id_come_without_repeats_and_null_for_no_missing_ones(
        self, api: httpx.AsyncClient
    ) -> None:
        run_id = await create(api)
        answer = (await api.post("/v1/runs/batch", json={"run_ids": [run_id, run_id]})).json()
        assert [run["run_id"] for run in answer["data"]] == [run_id]
        assert answer["not_found"] is None

    async def test_the_listing_pages_to_its_end_in_either_direction(self, api: httpx.AsyncClient) -> None:
        ids = [await create(api, f"http://a.example/{n}") for n in range(5)]
        for direction, expected in (("asc", ids), ("desc", ids[::-1])):
            seen: list[str] = []
            cursor: str | None = None
            while True:
                query = {"limit": "2", "sort_direction": direction} | ({"cursor": cursor} if cursor else {})
                page = (await api.get("/v1/runs", params=query)).json()
                assert page["pagination"]["total"] == 5
                seen += [run["run_id"] for run in page["data"]]
                cursor = page["pagination"]["next_cursor"]
                assert page["pagination"]["has_more"] is (cursor is not None)
                if cursor is None:
                    break
            assert seen == expected

    async def test_the_goal_filter_is_a_substring_whatever_its_case(self, api: httpx.AsyncClient) -> None:
        wanted = await create(api, goal="Read ÄPFEL 100% [ref bf-ab_c-1.]")
        await create(api, goal="Read Äpfel [ref bf-abxc-1.]")
        for text in ("bf-AB_C-", "äpfel 100%"):
            page = (await api.get("/v1/runs", params={"goal": text})).json()
            assert [run["run_id"] for run in page["data"]] == [wanted]

    async def test_status_and_time_filters_narrow_the_total_too(
        self, api: httpx.AsyncClient, clock: Clock
    ) -> None:
        await create(api)
        clock.now += 10
        second = await create(api)
        clock.now += 10
        await create(api)
        window = {"created_after": "2027-01-15T08:00:10Z", "created_before": "2027-01-15T09:00:20+01:00"}
        page = (await api.get("/v1/runs", params=window)).json()
        assert [run["run_id"] for run in page["data"]] == [second]
        assert page["pagination"]["total"] == 1
        assert (await api.get("/v1/runs", params={"status": "PENDING"})).json()["pagination"]["total"] == 1


GOOD = {"url": "http://a.example/", "goal": "x"}
REFUSED_BODIES: list[tuple[dict[str, Any], list[str]]] = [
    ({"url": None}, ["url"]),
    ({"url": "a.example"}, ["url"]),
    ({"url": "file:///etc/hostname"}, ["url"]),
    ({"url": "http://a.example:99999/"}, ["url"]),
    ({"goal": ""}, ["goal"]),
    ({"browser_profile": "fast"}, ["browser_profile"]),
    ({"agent_config": {"max_steps": "3"}}, ["agent_config", "max_steps"]),
    ({"agent_config": {"max_steps": 501}}, ["agent_config", "max_steps"]),
    ({"proxy_config": {}}, ["proxy_config", "enabled"]),
    ({"proxy_config": {"enabled": True, "type": "custom"}}, ["proxy_config"]),
    ({"webhook_url": "http://h.example/"}, ["webhook_url"]),
    ({"webhook_url": "h.example"}, ["webhook_url"]),
    ({"credential_item_ids": ["c"]}, []),
    ({"profile_id": "p"}, []),
]


class TestRefusals:
    @pytest.mark.parametrize(("body", "path"), REFUSED_BODIES)
    async def test_a_bad_body_is_a_400_that_names_the_path(
        self, api: httpx.AsyncClient, body: dict[str, Any], path: list[str]
    ) -> None:
        answer = await api.post("/v1/automation/run-async", json={**GOOD, **body})
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert error["code"] == "INVALID_INPUT"
        assert path in [issue["path"] for issue in error["details"]]
        assert (await api.get("/v1/runs")).json()["pagination"]["total"] == 0

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            *(("limit", text) for text in ("0", "101")),
            *(("goal", "x" * 501), ("status", "DONE"), ("sort_direction", "up"), ("cursor", "zz")),
            ("created_after", "yesterday"),
        ],
    )
    async def test_a_bad_filter_is_a_400_that_names_it(
        self, api: httpx.AsyncClient, name: str, text: str
    ) -> None:
        answer = await api.get("/v1/runs", params={name: text})
        assert answer.status_code == 400
        assert answer.json()["error"]["details"][0]["path"] == [name]

    @pytest.mark.parametrize("ids", [[], ["x"] * 101, [1], "x"])
    async def test_ids_come_in_a_list_of_1_to_100(self, api: httpx.AsyncClient, ids: object) -> None:
        for path in ("/v1/runs/batch", "/v1/runs/batch/cancel"):
            assert (await api.post(path, json={"run_ids": ids})).status_code == 400

    async def test_a_schema_beyond_the_subset_is_refused_with_its_path(self, api: httpx.AsyncClient) -> None:
        schema = {"type": "object", "properties": {"price": {"oneOf": [{"type": "number"}]}}}
        answer = await api.post("/v1/automation/run-async", json={**GOOD, "output_schema": schema})
        assert answer.status_code == 400
        (issue,) = answer.json()["error"]["details"]
        assert issue["path"] == ["output_schema", "properties", "price", "oneOf"]
        assert "#/properties/price/oneOf" in issue["message"]
        assert "anyOf" in issue["message"]

    async def test_half_a_character_is_refused(self, api: httpx.AsyncClient) -> None:
        body = b'{"url": "http://a.example/", "goal": "\\ud800"}'
        headers = {"content-type": "application/json"}
        answer = await api.post("/v1/automation/run-async", content=body, headers=headers)
        assert (answer.status_code, answer.json()["error"]["details"][0]["path"]) == (400, ["goal"])

    async def test_what_is_no_json_is_refused_in_the_envelope(self, api: httpx.AsyncClient) -> None:
        json_type = {"content-type": "application/json"}
        broken = await api.post("/v1/automation/run-async", content=b"{", headers=json_type)
        assert (broken.status_code, broken.json()["error"]["code"]) == (400, "INVALID_INPUT")
        form = await api.post("/v1/automation/run-async", data={"url": "http://a.example/"})
        assert form.status_code == 415

    async def test_unknown_paths_and_methods_have_the_envelope_too(self, api: httpx.AsyncClient) -> None:
        assert (await api.get("/v1/nope")).json()["error"]["code"] == "NOT_FOUND"
        assert (await api.put("/v1/runs")).status_code == 405

    async def test_every_answer_is_dated_by_the_agents_clock(
        self, api: httpx.AsyncClient, clock: Clock
    ) -> None:
        for path in ("/v1/runs", "/v1/nope"):
            date = (await api.get(path)).headers["date"]
            assert parsedate_to_datetime(date).timestamp() == clock.now
