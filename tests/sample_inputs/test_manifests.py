"""The manifests in sample_inputs/ and jobs/: each is valid, and its items succeed on the sample site."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.core.runs import RunSnapshot
from batchfish.core.verdict import compile_checks, judge_run
from batchfish.localagent.egress.sample_site import SampleSite
from batchfish.localagent.page.read import read_page as read
from batchfish.manifest.load import ManifestOptions, load_manifest
from tests.sample_inputs import score

if TYPE_CHECKING:
    from batchfish.core.items import ItemSpec
    from batchfish.localagent.page.read import Reading

ROOT = Path(__file__).parents[2]
SITE = SampleSite(ROOT / "sample_inputs" / "site")
SCHEMAS = ROOT / "sample_inputs" / "schemas"

# As README.md has them run: each with its number of items and what is said on the command line.
MANIFESTS = [
    ("sample_inputs/books.yaml", 10, ManifestOptions()),
    ("sample_inputs/inline.yaml", 3, ManifestOptions()),
    ("sample_inputs/museums.jsonl", 3, ManifestOptions()),
    ("sample_inputs/cities.tsv", 3, ManifestOptions(schema=SCHEMAS / "city.json")),
    ("sample_inputs/urls.csv", 12, ManifestOptions(schema=SCHEMAS / "element.json", goal="Read the symbol")),
    (
        "sample_inputs/moons.csv",
        4,
        ManifestOptions(schema=SCHEMAS / "moon.json", goal="Who found {{ name }}?"),
    ),
    ("jobs/price-watch.yaml", 6, ManifestOptions()),
    ("jobs/contact-sweep.yaml", 12, ManifestOptions()),
    ("jobs/city-figures.yaml", 3, ManifestOptions()),
]


def read_page(item: ItemSpec) -> Reading | None:
    """Read an item's page as the local agent would; None where there is no page."""
    page = SITE.read(item.url)
    if page is None:
        return None
    schema = item.request["output_schema"]
    return read(page.body, url=item.url, goal=item.goal, schema=schema, content_type=page.content_type)


@pytest.mark.parametrize(("name", "count", "options"), MANIFESTS)
def test_every_item_of_samples_and_jobs_succeeds(name: str, count: int, options: ManifestOptions) -> None:
    manifest = load_manifest(ROOT / name, options)
    assert manifest.check().items == count
    checks = compile_checks(manifest.rules.checks)
    for item in manifest.items():
        reading = read_page(item)
        assert reading is not None, item.url
        assert reading.code is None, f"{item.url}: {reading.message}"
        run = RunSnapshot(run_id="r", status="COMPLETED", result=json.dumps(reading.result).encode())
        values = {**manifest.variables, **item.inputs, "url": item.url, "id": item.id}
        verdict = judge_run(run, item.request["output_schema"], checks, values)
        assert verdict.reason is None, f"{item.url}: {verdict.reason}: {verdict.message}"


def test_the_price_watch_names_a_wrong_book_and_a_wrong_price() -> None:
    manifest = load_manifest(ROOT / "jobs" / "price-watch.yaml")
    checks = compile_checks(manifest.rules.checks)
    values = {"title": "Walden", "ceiling": "20"}

    def judge(result: dict[str, Any]) -> str | None:
        run = RunSnapshot(run_id="r", status="COMPLETED", result=json.dumps(result).encode())
        return judge_run(run, None, checks, values).reason

    assert judge({"title": "WALDEN", "price": 9.99, "in_stock": True}) is None
    assert judge({"title": "Walden Two", "price": 21, "in_stock": True}) == "price_too_high"
    assert judge({"title": "Emma", "price": 9.99, "in_stock": True}) == "wrong_book"
    assert judge({"title": "Walden", "price": 0, "in_stock": True}) == "no_price"


def test_the_demo_asks_for_every_page_of_the_answer_key() -> None:
    manifest = load_manifest(ROOT / "sample_inputs" / "demo.yaml")
    answers = json.loads(score.KEY.read_text("utf-8"))
    assert manifest.name == "demo"
    assert [item.id for item in manifest.items()] == list(answers)


def test_the_local_agent_s_reader_gets_the_demo_right() -> None:
    """What the demo says of itself: nearly every value, no wrong one, and a reason where there is nothing."""
    rows: dict[str, Any] = {}
    for item in load_manifest(ROOT / "sample_inputs" / "demo.yaml").items():
        reading = read_page(item)
        result = json.dumps(None if reading is None else reading.result)
        reason: str | None = "agent_failure"
        message = "404" if reading is None else reading.message
        if reading is not None and reading.code is None:  # a required value may be missing all the same
            run = RunSnapshot(run_id="r", status="COMPLETED", result=result.encode())
            verdict = judge_run(run, item.request["output_schema"], (), {})
            reason, message = verdict.reason, verdict.message
        rows[str(item.id)] = {
            "status": "succeeded" if reason is None else "failed",
            "reason": reason,
            "error_message": message,
            "result": result,
        }
    findings = list(score.compare(json.loads(score.KEY.read_text("utf-8")), rows))
    assert score.is_good(findings), "\n".join(score.describe(findings))
