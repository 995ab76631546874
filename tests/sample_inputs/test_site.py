"""The sample site is what make_site.py writes, and its pages contain the values of the answer key."""

from __future__ import annotations

import json
import re
from collections import Counter
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from batchfish.core.schema import check_schema, find_violations
from tests.sample_inputs import make_site

if TYPE_CHECKING:
    from pathlib import Path

SITE = make_site.SAMPLES / "site"
ROWS = [json.loads(line) for line in (make_site.SAMPLES / "pages.jsonl").read_text("utf-8").splitlines()]
ANSWERS: dict[str, dict[str, Any]] = json.loads(make_site.ANSWERS.read_text("utf-8"))
READABLE = [row for row in ROWS if "result" in ANSWERS[row["id"]]]
ENCODINGS = {kind.name: kind.encoding for kind in make_site.read_kinds()}

# What the pages of each kind are built around.
LAYOUTS = {
    "book": r'<script type="application/ld\+json">',
    "element": r"<dt>Symbol</dt><dd>",
    "city": r'<tr><th scope="row">',
    "moon": r"<p><b>Orbits:</b> ",
    "article": r'itemprop="headline"',
    "contact": r'href="tel:',
    "stadt": r'<tr><td class="l">',
    "livre": r"<li>Auteur&nbsp;: ",
    "shelf": r'<div class="card">',
    "peaks": r"<thead><tr><th>#</th>",
}


def find_file(url: str) -> Path:
    """Find the page of an address, as sample_inputs/README.md tells it."""
    parts = urlsplit(url)
    return SITE / f"{parts.hostname}{parts.path}.html"


def read_source(row: dict[str, Any]) -> str:
    return find_file(row["url"]).read_bytes().decode(ENCODINGS[row["vars"]["kind"]])


def read_text(source: str) -> str:
    """Read what a person sees of a page: scripts, styles and tags left out, white space made plain."""
    seen = re.sub(r"(?s)<(script|style)\b.*?</\1>|<[^>]*>", " ", source)
    return re.sub(r"\s+", " ", unescape(seen))


def spell(value: object) -> list[str]:
    """List the ways in which a page may write a value."""
    match value:
        case str():
            return [" ".join(value.split())]
        case bool():
            return ["In stock", "oui, expédié"] if value else ["Out of stock", "non, épuisé"]
        case int() | float():
            number = f"{value:,}".removesuffix(".0").replace("-", "\N{MINUS SIGN}")
            pence = f"{value:,.2f}"
            return [number, str(value), pence, number.replace(",", "."), pence.replace(".", ",")]
        case _:
            raise AssertionError(value)


def list_values(value: object) -> list[object]:
    match value:
        case dict():
            return [each for part in value.values() for each in list_values(part)]
        case list():
            return [each for part in value for each in list_values(part)]
        case None:
            return []
        case _:
            return [value]


def test_committed_files_are_what_the_script_makes_of_the_facts() -> None:
    made = make_site.build()
    committed = {
        path.relative_to(make_site.ROOT).as_posix(): path.read_bytes()
        for path in [*SITE.rglob("*"), make_site.SAMPLES / "pages.jsonl", make_site.ANSWERS]
        if path.is_file()
    }
    different = [name for name in made.keys() | committed.keys() if made.get(name) != committed.get(name)]
    assert different == [], "run `python -m tests.sample_inputs.make_site`, and commit what it writes"


def test_the_site_has_many_readable_pages_in_different_layouts() -> None:
    kinds = Counter(row["vars"]["kind"] for row in READABLE)
    assert kinds.total() >= 120
    assert kinds.keys() == LAYOUTS.keys()
    for kind, pattern in LAYOUTS.items():
        holders = {row["vars"]["kind"] for row in READABLE if re.search(pattern, read_source(row))}
        assert holders == {kind}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_each_page_says_every_value_of_its_answer(kind: str) -> None:
    for row in READABLE:
        if row["vars"]["kind"] == kind:
            text = read_text(read_source(row))
            if kind == "article":  # the day in the answer is that of the time element
                text += " ".join(re.findall(r'datetime="([^"]*)"', read_source(row)))
            if kind == "contact":  # an address of several lines is one value
                text = re.sub(r"\W+", " ", text)
            for value in list_values(ANSWERS[row["id"]]["result"]):
                spellings = [
                    re.sub(r"\W+", " ", each) if kind == "contact" else each for each in spell(value)
                ]
                assert any(each in text for each in spellings), f"{row['url']} does not say {value!r}"


def test_the_answer_key_covers_the_demo_and_nothing_else() -> None:
    assert [row["id"] for row in ROWS] == list(ANSWERS)
    assert [row["url"] for row in ROWS] == [answer["url"] for answer in ANSWERS.values()]
    assert all(("result" in answer) != ("failure" in answer) for answer in ANSWERS.values())


@pytest.mark.parametrize("kind", LAYOUTS)
def test_schemas_are_in_the_apis_subset_and_answers_meet_them(kind: str) -> None:
    schema = make_site.read_schema(kind)
    assert check_schema(schema) == []
    for row in READABLE:
        if row["vars"]["kind"] == kind:
            assert row["output_schema"] == schema
            assert find_violations(ANSWERS[row["id"]]["result"], schema) == []


def test_a_property_has_one_type_whatever_the_kind_of_page() -> None:
    """So that the demo's table can hold all kinds in one column each."""
    types: dict[str, set[str]] = {}
    for kind in LAYOUTS:
        for name, part in make_site.read_schema(kind)["properties"].items():
            types.setdefault(name, set()).add(f"{part['type']} {part.get('format')}")
    assert {name: found for name, found in types.items() if len(found) > 1} == {}


def test_pages_that_must_fail_exist_and_one_is_missing() -> None:
    failing = {item: answer for item, answer in ANSWERS.items() if "failure" in answer}
    assert len({answer["failure"] for answer in failing.values()}) >= 6
    missing = [answer["failure"] for answer in failing.values() if not find_file(answer["url"]).is_file()]
    assert missing == ["not_found"]
    assert find_file(ANSWERS["empty-file"]["url"]).read_bytes() == b""
    assert not read_text(
        find_file(ANSWERS["empty-body"]["url"]).read_text("utf-8").partition("<body>")[2]
    ).strip()


def test_a_page_built_by_javascript_is_empty_without_it() -> None:
    page = find_file(ANSWERS["built-by-javascript"]["url"]).read_text("utf-8")
    assert "Saturn" not in page
    home = SITE / "skyviewer.example"
    assert 'src="/assets/app.js"' in page
    assert "/data/${name}.json" in (home / "assets" / "app.js").read_text("utf-8")
    assert json.loads((home / "data" / "titan.json").read_text("utf-8"))["Orbits"] == "Saturn"


def test_two_sites_are_not_in_utf_8() -> None:
    german = find_file(ANSWERS["stadt-muenchen"]["url"]).read_bytes()
    assert b"charset=iso-8859-1" in german
    assert "<h1>München</h1>".encode("iso-8859-1") in german
    french = find_file(ANSWERS["livre-candide"]["url"]).read_bytes()
    assert b'charset="iso-8859-1"' in french
    assert "l’Optimisme".encode("windows-1252") in french
