"""When two labels mean the same."""

from __future__ import annotations

import pytest

from batchfish.localagent.page.match import SURE
from batchfish.localagent.page.similarity import similarity
from batchfish.localagent.page.words import label
from tests.localagent.page.pages import look

SAME = [
    ("first_published", "First published:"),
    ("discovered_year", "Year of discovery"),
    ("flaeche", "Fläche"),
    ("premiere_edition", "Première édition"),
    ("pages", "numberOfPages"),
    ("population", "Population (2011 census)"),
    ("founded_year", "Founded"),
    ("name", "Titel"),
    ("atomic_weight", "Standard atomic weight"),
    ("mean_depth", "Average depth"),
    ("max_load", "Max. load"),
    ("altitude", "Alt."),
    ("bagni", "bagno"),
    ("reviews", "Bewertungen"),
    ("height", "Schulterhöhe"),
    ("price", "Vraagprijs"),
    ("ph", "pH"),
    ("prerelease", "Pre-release"),
    ("pages", "Nº de páginas"),
    ("updated_at", "Last updated"),
]
OTHER = [
    ("price", "Old price"),
    ("country", "County"),
    ("melting_point", "Boiling point"),
    ("name", "Symbol"),
    ("discovered_by", "Discovered"),
    ("first_name", "Last name"),
    ("weight", "Height"),
    ("price", "Next price"),
    ("price", "Versandpreis"),
    ("price", "Grundpreis"),
    ("posts", "Posted on"),
    ("depth", "Max. depth"),
]


@pytest.mark.parametrize(("wanted", "found"), SAME)
def test_the_same_thing_in_other_words_is_surely_the_same(wanted: str, found: str) -> None:
    assert similarity(label(wanted), label(found)) >= SURE


@pytest.mark.parametrize(("wanted", "found"), OTHER)
def test_another_thing_in_like_words_is_not(wanted: str, found: str) -> None:
    assert similarity(label(wanted), label(found)) < SURE


def test_the_same_words_are_surer_than_a_synonym() -> None:
    wanted = label("price")
    assert similarity(wanted, label("Price")) > similarity(wanted, label("Cost"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("home team", "away team"),
        ("home score", "away score"),
        ("goals for", "goals against"),
        ("points for", "points against"),
        ("won", "lost"),
        ("yellow cards", "red cards"),
        ("from club", "to club"),
        ("download speed", "upload speed"),
        ("assignee", "reporter"),
    ],
)
def test_what_stands_side_by_side_is_kept_apart(one: str, other: str) -> None:
    assert similarity(label(one), label(other)) < SURE
    assert similarity(label(other), label(one)) < SURE


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("venue", "Address"),
        ("brand", "Company"),
        ("rooms", "Bedrooms"),
        ("duration", "Runtime"),
        ("phone", "Mobile"),
    ],
)
def test_a_related_notion_will_do(wanted: str, found: str) -> None:
    assert SURE <= similarity(label(wanted), label(found)) < similarity(label(wanted), label(wanted))


def test_a_related_notion_with_all_words_of_the_wanted_one_is_surer() -> None:
    published = similarity(label("date"), label("Date published"))
    assert (
        similarity(label("date"), label("Published")) < published < similarity(label("date"), label("Date"))
    )
    page = '<h1>Heron returns</h1><p>By Clara Ives</p><time datetime="2026-02-19">19 February 2026</time>'
    date = {"type": "string", "format": "date"}
    assert look(f"<article>{page}</article>", title="string", date=date).result == {
        "title": "Heron returns",
        "date": "2026-02-19",
    }


def test_but_only_where_there_is_nothing_nearer() -> None:
    kin = "<dl><dt>Address</dt><dd>1 Mill Lane</dd></dl>"
    both = "<dl><dt>Venue</dt><dd>The Loft</dd><dt>Address</dt><dd>1 Mill Lane</dd></dl>"
    assert look(kin, venue="string").result == {"venue": "1 Mill Lane"}
    assert look(both, venue="string").result == {"venue": "The Loft"}


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("price", "Wurble cost"),  # a part says of what it is
        ("subsidy_price", "Vorzugspreis"),  # both are prices, each with another word
    ],
)
def test_parts_of_labels_mean_the_same(wanted: str, found: str) -> None:
    assert similarity(label(wanted), label(found)) >= SURE


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("price", "Maximum cost"), ("depth", "Snow price"), ("make", "Vehicle colour")],
)
def test_and_not_where_the_other_part_changes_them(wanted: str, found: str) -> None:
    assert similarity(label(wanted), label(found)) < SURE


def test_a_word_of_the_same_and_one_that_means_the_same_are_surely_the_same() -> None:
    assert similarity(label("wurble price"), label("wurble cost")) == 0.9
    assert similarity(label("wurble price"), label("wurble height")) < SURE


def test_what_is_known_by_its_name_is_what_says_that() -> None:
    assert similarity(label("journal"), label("Journal title")) == 0.92
