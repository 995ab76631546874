"""Pages of a search that found nothing: what they recommend instead is no answer."""

from __future__ import annotations

import pytest

from tests.localagent.page.pages import look, records

CARD = '<article class="card"><h3><a href="/{0}">{0}</a></h3><p>from <b>${1}</b> / night</p></article>'
CARDS = "".join(
    CARD.format(name, price) for name, price in (("Miramonte", 112), ("Dockside", 89), ("Pomelo", 140))
)


@pytest.mark.parametrize(
    "notice",
    [
        "0 results",
        "No stays match your search",
        "Sorry, no results found for “kettle”.",
        "Your search did not match any stays.",
        "Keine Treffer",
        "Aucun résultat pour cette recherche",
        "No se encontraron resultados",
    ],
)
def test_what_is_listed_where_nothing_was_found_is_no_answer(notice: str) -> None:
    body = f"<main><h1>Stays</h1><h2>{notice}</h2><section><h2>Elsewhere</h2>{CARDS}</section></main>"
    reading = look(
        body,
        stays={
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "price": {"type": "number"}},
                "required": ["name", "price"],
            },
        },
    )
    assert reading.code == "LOCAL_NOT_FOUND"
    assert notice in (reading.message or "")


@pytest.mark.parametrize(
    "line",
    ["10 results", "No more results", "No fees", "No results yet", "Found no faster way to cook rice?"],
)
def test_other_lines_say_no_such_thing(line: str) -> None:
    body = f"<main><h1>Stays</h1><p>{line}</p><section>{CARDS}</section></main>"
    assert len(records(body, name="string", price="number")) == len(("Miramonte", "Dockside", "Pomelo"))


def test_what_stands_before_such_a_line_is_not_meant_by_it() -> None:
    body = f"<main><h1>Stays</h1><div>{CARDS}</div><p>No results found</p></main>"
    assert len(records(body, name="string", price="number")) == len(("Miramonte", "Dockside", "Pomelo"))


def test_what_the_margin_says_of_its_own_is_not_said_of_the_page() -> None:
    body = f"<main><h1>Stays</h1>{CARDS}</main><footer><p>No results found</p></footer>"
    assert records(body, name="string", price="number")[0] == {"name": "Miramonte", "price": 112}
