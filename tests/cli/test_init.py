"""`init` and `schema`: a manifest to start from, which replaces nothing, and the schema that it names."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cli.conftest import Command

URLS = ("https://shop.example/walden", "https://shop.example/kim")


def test_a_manifest_of_urls_is_written_with_the_command_that_tries_it(command: Command) -> None:
    done = command("init", *URLS)
    assert (done.code, done.out) == (0, "pages.yaml\n")
    assert "to try one item: batchfish try --local pages.yaml" in done.err
    assert command("validate", "pages.yaml", "--json").summary["items"] == 2
    assert stat.S_IMODE((command.folder / "pages.yaml").stat().st_mode) == 0o600


def test_with_a_key_the_next_command_is_the_real_one(offline: Command) -> None:
    done = offline("init", *URLS, "-o", "my list.yaml", "--json")
    assert done.summary == {
        "type": "manifest",
        "path": "my list.yaml",
        "items": 2,
        "next": "batchfish try 'my list.yaml'",
    }


def test_a_manifest_for_a_file_of_rows_lies_beside_it(command: Command) -> None:
    (command.folder / "lists").mkdir()
    (command.folder / "lists" / "shop.csv").write_text("url\nhttps://shop.example/1\n")
    assert command("init", "lists/shop.csv").out == "lists/shop.yaml\n"
    assert command("init", "lists/shop.csv", "-o", "other.yaml").code == 0
    for manifest in ("lists/shop.yaml", "other.yaml"):
        assert command("validate", manifest, "--json").summary["items"] == 1


def test_a_url_that_is_given_twice_is_one_item(command: Command) -> None:
    done = command("init", *URLS, URLS[0])
    assert "1 repeated URL is left out" in done.err
    assert command("plan", "pages.yaml", "--json").summary["new"] == 2


def test_without_arguments_the_manifest_is_an_example(command: Command) -> None:
    assert command("init").code == 0
    assert command("plan", "pages.yaml", "--json").summary["new"] == 1


def test_the_manifest_names_the_schema_that_the_program_prints(command: Command) -> None:
    command("init", *URLS)
    first = (command.folder / "pages.yaml").read_text().splitlines()[0]
    named = command.folder / first.removeprefix("# yaml-language-server: $schema=")
    assert json.loads(named.read_text()) == json.loads(command("schema").out)


def test_a_file_is_replaced_only_by_agreement(command: Command) -> None:
    (command.folder / "pages.yaml").write_text("mine")
    refused = command("init", *URLS)
    assert (refused.code, "--accept replace-output" in refused.err) == (6, True)
    assert (command.folder / "pages.yaml").read_text() == "mine"
    assert command("init", *URLS, "-y").code == 0
    assert "walden" in (command.folder / "pages.yaml").read_text()


def test_rows_that_are_wrong_are_shown_beside_the_manifest(command: Command) -> None:
    rows = "".join(f"https://shop.example/{number}\n" for number in range(150))
    (command.folder / "shop.csv").write_text(f"url\n{rows}shop.example/151\n")
    done = command("init", "shop.csv")
    assert (done.code, "shop.csv:152: " in done.err) == (2, True)
    assert "wrote shop.yaml, and some of its rows are wrong" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("shop.example/1",), "Did you mean 'https://shop.example/1'?"),
        (("nosuch.csv",), "there is no file nosuch.csv"),
        (("shop.csv", "https://shop.example/1"), "Name it alone"),
        ((*URLS, "-o", "list.csv"), "End it with .yaml"),
        ((*URLS, "-o", "nosuch/list.yaml"), "there is no folder nosuch"),
        ((*URLS, "-o", "link.yaml"), "not a regular file"),
    ],
)
def test_what_makes_no_manifest_is_refused(command: Command, words: tuple[str, ...], said: str) -> None:
    (command.folder / "link.yaml").symlink_to("elsewhere.yaml")
    done = command("init", *words)
    assert (done.code, said in done.err) == (2, True), done.err
