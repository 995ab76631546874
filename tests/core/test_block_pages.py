"""Texts of block pages in results: which of them are found, and which pages only write about them."""

from __future__ import annotations

import pytest

from batchfish.core.block_pages import BlockSearch, find_block_page

BLOCKED = [
    {"title": "Access Denied"},
    {"title": "Just a moment..."},
    {"page": {"heading": "  Verify   you are\nhuman before you go on  "}},
    {"products": [{"name": "Attention Required! | Cloudflare", "price": None}]},
    "Pardon our interruption",
]
WRITES_ABOUT_IT = [
    {"headline": "Why so many shops show “Access denied”, and what they gain"},
    {"article": "Access denied is the title of a film by " + "a director of note, " * 9},
]
FINE = [{"title": "Walden", "price": 3.5}, {"title": "A Moment in Time"}, {}, None, 5, True, []]


@pytest.mark.parametrize("result", BLOCKED)
@pytest.mark.parametrize("search", [BlockSearch.STRICT, BlockSearch.LOOSE])
def test_a_block_page_is_found(result: object, search: BlockSearch) -> None:
    assert find_block_page(result, search) is not None


@pytest.mark.parametrize("result", WRITES_ABOUT_IT)
def test_only_a_loose_search_finds_a_page_that_writes_about_it(result: object) -> None:
    assert find_block_page(result, BlockSearch.STRICT) is None
    assert find_block_page(result, BlockSearch.LOOSE) is not None


@pytest.mark.parametrize("result", FINE)
def test_nothing_is_found_elsewhere(result: object) -> None:
    assert find_block_page(result, BlockSearch.LOOSE) is None


@pytest.mark.parametrize("result", BLOCKED)
def test_nothing_is_searched_unless_asked_for(result: object) -> None:
    assert find_block_page(result, BlockSearch.OFF) is None


def test_the_evidence_names_path_and_text_of_the_first_find() -> None:
    result = {"list": [{"a": 1}, {"b": "Access  denied\x1b[2J"}], "last": "Just a moment..."}
    assert find_block_page(result, BlockSearch.STRICT) == "result.list[1].b is 'Access denied\ufffd[2J'"
