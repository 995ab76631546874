"""Local agents as processes of their own, and what tests ask of them."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from batchfish.localagent.attach import local_agent
from tests.endtoend.serving import until

SAMPLES = Path(__file__).parents[2] / "sample_inputs"
SITE = ("--site", str(SAMPLES / "site"))


@contextmanager
def served(folder: Path, *options: str, env: Mapping[str, str] = os.environ) -> Iterator[httpx.Client]:
    """Serve with an agent of its own for the length of the block, and return a client."""
    with local_agent(folder, options, env=env) as endpoint:
        key = {"X-API-Key": endpoint.token}
        with httpx.Client(base_url=endpoint.base_url, headers=key, trust_env=False) as client:
            yield client


def wait_for_end(client: httpx.Client, run_ids: list[str]) -> dict[str, dict[str, Any]]:
    runs: dict[str, dict[str, Any]] = {}

    def have_ended() -> bool:
        answer = client.post("/v1/runs/batch", json={"run_ids": run_ids}).json()
        runs.update({run["run_id"]: run for run in answer["data"]})
        return all(run["finished_at"] for run in runs.values())

    until(have_ended)
    return runs


def create(client: httpx.Client, **body: object) -> str:
    run_id: str = client.post("/v1/automation/run-async", json=body).json()["run_id"]
    return run_id


def sample(identity: str) -> dict[str, Any]:
    rows = map(json.loads, (SAMPLES / "pages.jsonl").read_text().splitlines())
    row: dict[str, Any] = next(row for row in rows if row["id"] == identity)
    return {name: row[name] for name in ("url", "goal", "output_schema")}
