"""The manifest to start from: whatever URLs or rows it is made of, it is valid and asks for those pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.errors import ManifestError
from batchfish.manifest.json_schema import manifest_schema
from batchfish.manifest.load import load_manifest
from batchfish.manifest.problems import Refused
from batchfish.manifest.starter import EXAMPLE, inspect_rows, manifest_for_rows, manifest_for_urls
from batchfish.manifest.text_files import inspect_file, open_text
from batchfish.manifest.yaml_events import read_document

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = ".batchfish/manifest.schema.json"
VALIDATOR = jsonschema_rs.Draft202012Validator(manifest_schema())


def asked(folder: Path, text: str) -> list[tuple[str, str]]:
    """Return ids and URLs of the items of a manifest, which must be valid; also for editors."""
    path = folder / "pages.yaml"
    path.write_text(text, encoding="utf-8")
    with open_text(inspect_file(path)) as stream:
        VALIDATOR.validate(read_document(stream).value)
    manifest = load_manifest(path)
    manifest.check()
    return [(item.id or "", item.url) for item in manifest.items()]


def for_rows(folder: Path, name: str, rows: str) -> str:
    (folder / name).write_text(rows)
    return manifest_for_rows(inspect_rows(folder / name, name), schema=SCHEMA)


X = ["x", "x-2", "x-2-2"]


@pytest.mark.parametrize(
    ("urls", "ids"),
    [
        (["https://shop.example/books/walden"], ["walden"]),
        (["https://shop.example/a/x.html", "https://shop.example/b/x.html"], ["x", "x-2"]),
        (["https://shop.example/"], ["shop.example"]),
        (["https://shop.example", "https://shop.example/?page=2"], ["shop.example", "shop.example-2"]),
        (["https://shop.example/b%C3%BCcher/%22%3A%20%23"], ["page"]),
        (["https://shop.example/true", "https://shop.example/010"], ["true", "010"]),
        (["https://shop.example/x", "https://shop.example/y/x", "https://shop.example/x-2"], X),
        (["https://shop.example/{{x}}/{id}"], ["id"]),
        ([EXAMPLE], ["www.example.com"]),
    ],
)
def test_each_url_is_an_item_named_after_its_page(tmp_path: Path, urls: list[str], ids: list[str]) -> None:
    assert asked(tmp_path, manifest_for_urls(urls, schema=SCHEMA)) == list(zip(ids, urls, strict=True))


PATHS = st.text(
    st.characters(min_codepoint=33, exclude_characters="\\", exclude_categories=["C", "Z"]), max_size=20
)


@given(paths=st.lists(PATHS, min_size=1, max_size=6, unique=True))
def test_any_urls_stay_what_they_are(tmp_path_factory: pytest.TempPathFactory, paths: list[str]) -> None:
    urls = [f"https://shop.example/{path}" for path in paths]
    found = asked(tmp_path_factory.mktemp("pages"), manifest_for_urls(urls, schema=SCHEMA))
    assert [url for _, url in found] == urls
    assert len({name for name, _ in found}) == len(urls)


def test_a_text_that_is_no_url_is_refused() -> None:
    with pytest.raises(Refused, match="is not absolute"):
        manifest_for_urls(["https://shop.example/1", "shop.example/2"], schema=SCHEMA)


def test_rows_with_a_column_url_need_nothing_else(tmp_path: Path) -> None:
    text = for_rows(tmp_path, "rows.csv", "id,url,title\na,https://shop.example/1,One\n")
    assert "#   id:" not in text
    assert "{{ title }}" in text
    assert asked(tmp_path, text) == [("a", "https://shop.example/1")]


def test_a_column_that_holds_urls_is_found_whatever_its_name(tmp_path: Path) -> None:
    text = for_rows(
        tmp_path, "rows.csv", "title;link;@browser_profile\nOne;https://shop.example/1?a={b}&c;lite\n"
    )
    assert 'url: "{{ link }}"' in text
    assert "# id: title" in text
    assert [url for _, url in asked(tmp_path, text)] == ["https://shop.example/1?a={b}&c"]


def test_rows_of_json_are_read_too(tmp_path: Path) -> None:
    text = for_rows(tmp_path, "rows.jsonl", '{"url": "https://shop.example/1", "goal": "Read it."}\n')
    assert "Rows that have a goal keep it." in text
    assert [url for _, url in asked(tmp_path, text)] == ["https://shop.example/1"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("id,title\na,One\n", "no column holds URLs"),
        ("id,the link\na,https://shop.example/1\n", "Rename it to `url`"),
        ("url\n", "there are no rows in it"),
        ("", "the file is empty"),
        ("https://shop.example/1\n", "the header is missing"),
        ("url,title\nhttps://shop.example/1\n", "1 cell where the header has 2 columns"),
    ],
)
def test_rows_that_no_manifest_can_use_are_refused(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        for_rows(tmp_path, "rows.csv", rows)
