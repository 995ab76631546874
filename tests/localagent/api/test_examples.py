"""The documented examples, on a product page with structured data and on one without, in every way."""

import contextlib
import json
import time

import pytest
import yaml

from batchfish.localagent.engines.extract import ExtractEngine
from tests.localagent.acceptance.score import FOLDER
from tests.localagent.doubles import Pages, client_of, working_queue

TITLE = {"page_title": "Heron desk lamp – Brassmoor"}


@pytest.mark.parametrize("page", ["product-data-json-ld", "product-data-plain"])
@pytest.mark.parametrize("goal", ["Extract the page title", "Extract all product data"])
async def test_a_documented_example_is_completed_by_run_queue_and_stream(page: str, goal: str) -> None:
    case = yaml.safe_load((FOLDER / "kinds" / f"{page}.yaml").read_text("utf-8"))
    pages = Pages({case["url"]: (FOLDER / "kinds" / f"{page}.html").read_bytes()})
    body = {"url": case["url"], "goal": goal}
    async with contextlib.AsyncExitStack() as stack:
        engine = ExtractEngine(pages.loader, pages.pool)
        queue = await stack.enter_async_context(working_queue(engine, time.time))
        api = await stack.enter_async_context(client_of(queue, time.time))
        run = (await api.post("/v1/automation/run", json=body)).json()
        run_id = (await api.post("/v1/automation/run-async", json=body)).json()["run_id"]
        await queue.end_of(run_id)
        queued = (await api.get(f"/v1/runs/{run_id}")).json()
        stream = await api.post("/v1/automation/run-sse", json=body)
    event = json.loads(stream.text.strip().rpartition("data: ")[2])
    expected = TITLE if "title" in goal else case["expected"]
    assert event["type"] == "COMPLETE"
    for end in (run, queued, event):
        assert (end["status"], end["error"], end["result"]) == ("COMPLETED", None, expected)
