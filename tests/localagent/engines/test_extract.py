"""Pages read without a browser: what a run tells on its way, lists over several pages, what ends a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from batchfish.localagent.egress.loader import Loaded, LoadFailed
from batchfish.localagent.engines.base import RunOutcome, RunRequest, Step
from batchfish.localagent.engines.extract import ExtractEngine
from batchfish.localagent.engines.worker import answer
from batchfish.localagent.page.goal import MOST_PAGES

if TYPE_CHECKING:
    from batchfish.localagent.egress.loader import Loader
    from batchfish.localagent.engines.frames import ReadAnswer, ReadJob
    from batchfish.localagent.engines.pool import WorkerPool

URL = "http://hats.example/1"
HATS = {
    "type": "object",
    "properties": {
        "hats": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "price": {"type": "number"}},
                "required": ["name", "price"],
            },
        }
    },
    "required": ["hats"],
}


def shelf(*hats: tuple[str, str], more: str = "") -> str:
    rows = "".join(f"<li><h3>{name}</h3><p>{price}</p></li>" for name, price in hats)
    link = f'<a href="{more}">Next page</a>' if more else ""
    return f"<html lang=en><body><h1>Hats</h1><ul class=hats>{rows}</ul>{link}</body></html>"


class Site:
    """Pages by address in place of the network, read in this process in place of another."""

    def __init__(self, pages: dict[str, str]) -> None:
        self.pages = pages
        self.asked: list[str] = []

    async def load(self, url: str) -> Loaded:
        self.asked.append(url)
        if url not in self.pages:
            raise LoadFailed("LOCAL_HTTP_STATUS", f"{url} answered 404.")
        return Loaded(url=url, content_type="text/html", body=self.pages[url].encode())

    async def read(self, job: ReadJob) -> ReadAnswer:
        return answer(job)


async def run(site: Site, goal: str, schema: Any = HATS) -> tuple[RunOutcome, list[Step]]:  # noqa: ANN401
    engine = ExtractEngine(cast("Loader", site), cast("WorkerPool", site))
    steps: list[Step] = []
    return await engine.run(RunRequest(url=URL, goal=goal, output_schema=schema), steps.append), steps


def names(outcome: RunOutcome) -> list[str]:
    assert outcome.failure is None, outcome.failure
    return [hat["name"] for hat in outcome.result["hats"]]


THREE = {
    URL: shelf(("Boater", "£9"), ("Derby", "£8"), more="/2"),
    "http://hats.example/2": shelf(("Fez", "£7"), ("Toque", "£6"), more="/3"),
    "http://hats.example/3": shelf(("Cloche", "£5")),
}


async def test_a_run_tells_where_each_value_stood() -> None:
    page = "<html><body><dl><dt>Price</dt><dd>£8.50</dd></dl></body></html>"
    price = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}
    outcome, steps = await run(Site({URL: page}), "x", price)
    assert outcome.result == {"price": 8.5}
    assert [step.action.split(":")[0] for step in steps] == ["opened http", "price ← label and value “Price”"]
    assert steps[1].matched is not None
    assert (steps[1].matched.name, steps[1].matched.where) == ("price", "label and value “Price”")


async def test_a_list_is_followed_over_pages_only_where_the_goal_says_so() -> None:
    site = Site(THREE)
    outcome, steps = await run(site, "List the hats of all pages")
    assert names(outcome) == ["Boater", "Derby", "Fez", "Toque", "Cloche"]
    assert sum(step.action.startswith("opened") for step in steps) == 3
    assert names((await run(Site(THREE), "List the hats"))[0]) == ["Boater", "Derby"]
    assert names((await run(Site(THREE), "List the top 3 hats"))[0]) == ["Boater", "Derby", "Fez"]
    assert names((await run(Site(THREE), "List the hats of the first 2 pages"))[0])[-1] == "Toque"


async def test_half_a_list_is_none() -> None:
    outcome, _ = await run(Site({URL: THREE[URL]}), "List the hats of all pages")
    assert outcome.failure is not None
    assert "http://hats.example/2 answered 404" in outcome.failure.message


async def test_pages_that_lead_in_circles_or_repeat_themselves_end_the_list() -> None:
    circle = {
        URL: shelf(("A", "£1"), ("B", "£2"), more="/2"),
        "http://hats.example/2": shelf(("C", "£3"), ("D", "£4"), more="/1"),
    }
    assert names((await run(Site(circle), "List the hats of all pages"))[0]) == ["A", "B", "C", "D"]
    same = {
        URL: shelf(("A", "£1"), ("B", "£2"), more="/2"),
        "http://hats.example/2": shelf(("A", "£1"), ("B", "£2"), more="/3"),
    }
    outcome, steps = await run(Site(same), "List the hats of all pages")
    assert names(outcome) == ["A", "B"]
    assert steps[-1].action == "hats ends here: this page has no more of it"


async def test_no_list_is_followed_for_ever() -> None:
    endless = {
        f"http://hats.example/{n}": shelf((f"A{n}", "£1"), (f"B{n}", "£2"), more=f"/{n + 1}")
        for n in range(1, 60)
    }
    site = Site(endless)
    outcome, steps = await run(site, "List the hats of all pages")
    assert len(site.asked) == MOST_PAGES
    assert len(names(outcome)) == 2 * MOST_PAGES
    assert steps[-1].action == f"hats ← stopped after {MOST_PAGES} pages, as far as is gone; there are more"


@pytest.mark.parametrize(
    ("page", "code"),
    [
        ("<html><body><p>Nothing to see</p></body></html>", "LOCAL_NOT_FOUND"),
        (
            "<html><title>Just a moment…</title><body><p>Verify you are human</p></body></html>",
            "LOCAL_HUMAN_CHECK",
        ),
        ("", "LOCAL_EMPTY_PAGE"),
    ],
)
async def test_a_page_without_an_answer_fails_the_run_by_its_own_fault(page: str, code: str) -> None:
    outcome, _ = await run(Site({URL: page}), "List the hats")
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.category) == (code, "AGENT_FAILURE")


async def test_a_goal_that_says_nothing_is_told_what_it_lacks() -> None:
    outcome, _ = await run(Site({URL: THREE[URL]}), "Please help", None)
    assert outcome.failure is not None
    assert outcome.failure.code == "LOCAL_GOAL_UNCLEAR"
    assert "output_schema" in outcome.failure.message
