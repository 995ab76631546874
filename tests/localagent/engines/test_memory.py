"""What a page that needs more memory than a reading process may have does to its run, and to the next."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.egress.dialer import Dialer
from batchfish.localagent.egress.loader import Loader
from batchfish.localagent.egress.proxy import Egress
from batchfish.localagent.egress.sample_site import SampleSite
from batchfish.localagent.engines.extract import ExtractEngine
from batchfish.localagent.engines.pool import WorkerPool
from batchfish.webagent.wire import RUN
from tests.localagent.doubles import client_of, working_queue

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

SCHEMA = {"type": "object", "properties": {"price": {"type": "number"}}}
LARGE = "<p><b>Price:</b> $3</p>" * 250_000


async def test_it_fails_its_run_in_words_and_the_next_page_is_read(tmp_path: Path) -> None:
    site = tmp_path / "shop.example"
    site.mkdir()
    (site / "large.html").write_text(LARGE)
    (site / "small.html").write_text("<p><b>Price:</b> $3</p>")
    pool = WorkerPool(most_memory=120 << 20)
    asked = {"goal": "Read the price", "output_schema": SCHEMA}
    async with (
        Egress(Dialer(), SampleSite(tmp_path)) as egress,
        working_queue(ExtractEngine(Loader(egress), pool), time.time) as queue,
        client_of(queue, time.time) as client,
    ):
        large, small = [
            (await client.post(RUN, json={"url": f"http://shop.example/{name}", **asked})).json()
            for name in ("large", "small")
        ]
    await pool.close()
    assert (large["status"], large["error"]["code"]) == ("FAILED", "LOCAL_TOO_LARGE")
    assert large["error"]["category"] == "AGENT_FAILURE"
    assert "more memory than it may have" in large["error"]["message"]
    assert small["result"] == {"price": 3.0}
