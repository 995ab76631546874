"""Pages read without a browser: what a run tells on its way, what its goal sends it to do, and long lists."""

import pytest

from batchfish.localagent.engines.base import RunOutcome, RunRequest, Step
from batchfish.localagent.engines.errand import errand_of
from batchfish.localagent.engines.extract import ExtractEngine
from batchfish.localagent.page.goal import MOST_PAGES
from tests.localagent.browsing import PRICE, actions, failure_of, read
from tests.localagent.doubles import Pages
from tests.localagent.page.pages import NUMBER, TEXT, several

SITE = "http://hats.example"
HATS = several("hats", name=TEXT, price=NUMBER)
ALL = "List the hats of all pages"


def shelf(names: str, more: int | None = None) -> str:
    rows = "".join(f"<li><h3>{name}</h3><p>£9</p></li>" for name in names.split())
    link = f'<a href="/{more}">Next page</a>' if more else ""
    return f"<html lang=en><body><h1>Hats</h1><ul class=hats>{rows}</ul>{link}</body></html>"


async def run(pages: Pages, goal: str) -> tuple[RunOutcome, list[Step]]:
    engine = ExtractEngine(pages.loader, pages.pool)
    return await read(engine, RunRequest(url=f"{SITE}/1", goal=goal, output_schema=HATS))


async def names(pages: Pages, goal: str = ALL) -> str:
    outcome, _ = await run(pages, goal)
    assert outcome.failure is None, outcome.failure
    return " ".join(hat["name"] for hat in outcome.result["hats"])


def site(*shelves: str) -> Pages:
    return Pages({f"{SITE}/{number}": page for number, page in enumerate(shelves, 1)})


THREE = shelf("Boater Derby", 2), shelf("Fez Toque", 3), shelf("Cloche")


async def test_a_run_tells_where_each_value_stood() -> None:
    pages = Pages({f"{SITE}/1": "<html><body><dl><dt>Price</dt><dd>£8.50</dd></dl></body></html>"})
    engine = ExtractEngine(pages.loader, pages.pool)
    outcome, steps = await read(engine, RunRequest(url=f"{SITE}/1", goal="x", output_schema=PRICE))
    assert outcome.result == {"price": 8.5}
    assert actions(steps)[1] == "price ← label and value “Price”: “£8.50”"
    assert steps[1].matched is not None
    assert (steps[1].matched.name, steps[1].matched.where) == ("price", "label and value “Price”")


async def test_a_list_is_followed_over_pages_only_where_the_goal_says_so() -> None:
    assert await names(site(*THREE)) == "Boater Derby Fez Toque Cloche"
    assert await names(site(*THREE), "List the hats") == "Boater Derby"
    assert await names(site(*THREE), "List the top 3 hats") == "Boater Derby Fez"
    assert await names(site(*THREE), "List the hats of the first 2 pages") == "Boater Derby Fez Toque"


async def test_half_a_list_is_none() -> None:
    outcome, _ = await run(site(THREE[0]), ALL)
    assert "http://hats.example/2 answered 404" in failure_of(outcome).message


async def test_pages_that_lead_in_circles_or_repeat_themselves_end_the_list() -> None:
    assert await names(site(shelf("A B", 2), shelf("C D", 1))) == "A B C D"
    outcome, steps = await run(site(shelf("A B", 2), shelf("A B", 3)), ALL)
    assert len(outcome.result["hats"]) == 2
    assert steps[-1].action == "hats ends here: this page has no more of it"


async def test_no_list_is_followed_for_ever() -> None:
    endless = site(*(shelf(f"A{n} B{n}", n + 1) for n in range(1, 60)))
    outcome, steps = await run(endless, ALL)
    assert len(endless.asked) == MOST_PAGES
    assert len(outcome.result["hats"]) == 2 * MOST_PAGES
    assert steps[-1].action == f"hats ← stopped after {MOST_PAGES} pages, as far as is gone; there are more"


@pytest.mark.parametrize(
    ("goal", "term"),
    [
        ("Search for 'wireless headphones', filter under $50, extract top 5 as JSON", "wireless headphones"),
        ('Search the shop for "tea" and list the results', "tea"),
        ("Suche nach „Wanderschuhe“ und lies die Preise", "Wanderschuhe"),
        ("Type “lamp” into the search box", "lamp"),
        ("Extract the price of the product named 'Tea'", None),
        ("Read the search engine's name. The title is 'Home'", None),
    ],
)
def test_a_search_names_its_term_in_quotes(goal: str, term: str | None) -> None:
    assert errand_of(goal, None).search == term


@pytest.mark.parametrize(
    ("goal", "bounds", "further", "enough"),
    [
        ("Extract all product data", {}, (1000, 9), None),
        ("List the jobs, going through all pages until there are no more", {}, (1000, 9), None),
        ("Alle Bücher mit Preis", {}, (1000, 9), None),
        ("Extract all headlines on this page", {}, None, (1, 1)),
        ("Extract the top 30 jobs", {"maxItems": 50}, (29, 2), (30, 2)),
        ("Extract jobs", {"minItems": 20}, (19, 1), (20, 1)),
        ("Extract all jobs", {"maxItems": 20}, (19, 1), (20, 1)),
        ("Extract the jobs of the first 3 pages", {}, (1000, 2), (1, 3)),
    ],
)
def test_a_list_is_followed_as_far_as_goal_and_schema_want_it(
    goal: str, bounds: dict[str, int], further: tuple[int, int] | None, enough: tuple[int, int] | None
) -> None:
    """`further` and `enough`: so many members from so many pages."""
    errand = errand_of(goal, {"type": "object", "properties": {"jobs": {"type": "array", **bounds}}})
    assert further is None or errand.wants_more_than(*further)
    assert enough is None or not errand.wants_more_than(*enough)
