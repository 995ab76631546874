"""Bad manifests, options and files: exit code 2 and a message, before anything is written or sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.manifest.test_bad_manifests import BAD, CASES, NEEDS_TITLE, Bad

if TYPE_CHECKING:
    from tests.cli.conftest import Command

GOAL = ("--goal", "Read.")


@pytest.mark.parametrize("subcommand", ["validate", "run"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_a_bad_manifest_is_refused_with_a_message(offline: Command, subcommand: str, case: Bad) -> None:
    goal = ("--goal", "Read {{ title }}." if case.kind in NEEDS_TITLE else "Read.")
    outcome = offline(subcommand, BAD / case.file, *(() if case.file.endswith(".yaml") else goal))
    assert outcome.code == 2
    assert outcome.out == ""
    place = f"{case.file}:{case.line}: " if case.line else f"{case.file}: "
    told = [line for line in outcome.err.splitlines() if place in line]
    assert [line for line in told if case.message in line and case.remedy in line], outcome.err
    assert list(offline.folder.iterdir()) == []


def test_the_bad_manifests_are_many() -> None:
    assert len(CASES) >= 30
    assert len({case.kind for case in CASES}) >= 15


RUN = ("run", "rows.csv", *GOAL)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rum", "rows.csv"), "there is no command 'rum' (did you mean run?)"),
        (("run",), "FILE"),
        (("run", "missing.csv", *GOAL), "missing.csv"),
        (("run", "missing.yaml"), "missing.yaml"),
        (("run", ".", *GOAL), "."),
        (("validate", "rows.txt", *GOAL), "rows.txt"),
        (("run", "rows.csv"), "goal"),
        ((*RUN, "--concurency", "3"), "--concurency"),
        ((*RUN, "-j", "0"), "-j"),
        ((*RUN, "-j", "many"), "'many'"),
        ((*RUN, "-j", "-1"), "-j"),
        ((*RUN, "--limit", "0"), "--limit"),
        ((*RUN, "--settle", "soon"), "'soon'"),
        ((*RUN, "--settle", "30"), "--settle"),
        ((*RUN, "--max-duration", "-5s"), "--max-duration"),
        ((*RUN, "--max-outage", "1 fortnight"), "--max-outage"),
        ((*RUN, "--halt", "101%"), "--halt"),
        ((*RUN, "--fail-on-error", "some"), "--fail-on-error"),
        ((*RUN, "--if-running", "kill"), "--if-running"),
        ((*RUN, "--progress", "loud"), "--progress"),
        ((*RUN, "--var", "title"), "'title' is not of the form name=value"),
        ((*RUN, "--goal-file", "missing.txt"), "missing.txt"),
        ((*RUN, "--schema", "missing.json"), "missing.json"),
        ((*RUN, "--schema", "broken.json"), "broken.json"),
        ((*RUN, "--api-key-file", "missing.key"), "missing.key: the API key cannot be read"),
        ((*RUN, "--api-key-file", "open.key"), "chmod 600 open.key"),
        ((*RUN, "--api-key-file", "binary.key"), "binary.key: the API key cannot be read"),
        ((*RUN, "--api-key-file", "empty.key"), "key"),
        ((*RUN, "--base-url", "http://api.example"), "https"),
        ((*RUN, "--base-url", "ftp://127.0.0.1"), "ftp"),
        ((*RUN, "--base-url", "not an address"), "not an address"),
        ((*RUN, "--item", "nobody"), "no item is called nobody"),
        ((*RUN, "--where", "price >"), "--where"),
        ((*RUN, "--where", "nobody == 1"), "--where"),
        ((*RUN, "--where", ""), "--where"),
        ((*RUN, "--item", ""), "no item is called"),
        ((*RUN, "--base-url", ""), "https"),
        ((*RUN, "-o", "table.xlsx"), "table.xlsx"),
        ((*RUN, "-o", "folder.csv"), "folder.csv"),
        (("status",), "no batch is known"),
        (("status", "rows.csv"), "rows.csv has no batch yet"),
        (("status", "nobody"), "no batch 'nobody' is known"),
        (("status", "--journal", "missing.db"), "there is no journal missing.db"),
        (("resume", "nobody"), "no batch 'nobody' is known"),
        (("results", "nobody"), "no batch 'nobody' is known"),
        (("explain", "x"), "no batch is known"),
        (("cancel",), "no batch is known"),
        (("retry", "--failed"), "no batch is known"),
        (("retry",), "--failed"),
        (("retry", "--failed", "--held"), "not allowed with"),
        (("held", "burn", "x"), "there is no choice 'burn'"),
        ((), ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_bad_options_and_missing_files_are_refused_with_a_message(
    offline: Command, arguments: tuple[str, ...], words: str
) -> None:
    write = offline.folder
    (write / "rows.csv").write_text("url\nhttps://shop.example/1\n")
    (write / "rows.txt").write_text("url\nhttps://shop.example/1\n")
    (write / "folder.csv").mkdir()
    (write / "broken.json").write_text("{")
    for name, mode, content in (
        ("open.key", 0o644, b"sk-other"),
        ("binary.key", 0o600, b"\xff\xfe"),
        ("empty.key", 0o600, b""),
    ):
        (write / name).write_bytes(content)
        (write / name).chmod(mode)
    outcome = offline(*arguments)
    assert outcome.code == 2, outcome
    assert words in outcome.err
    assert "sk-" not in outcome.err


def test_a_table_without_its_folder_is_refused_before_anything_begins(offline: Command) -> None:
    (offline.folder / "rows.csv").write_text("url\nhttps://shop.example/1\n")
    outcome = offline(*RUN, "-o", "missing/table.csv")
    assert outcome.code == 74
    assert "Make that folder first, or name another file" in outcome.err


@pytest.mark.parametrize(
    "arguments",
    [
        RUN,
        ("try", "rows.csv", *GOAL),
        ("run", "-", *GOAL),
        (*RUN, "--local"),
        (*RUN, "--journal", "rows.csv/j.db"),
    ],
)
def test_a_folder_that_cannot_be_made_is_a_storage_error(
    offline: Command, arguments: tuple[str, ...]
) -> None:
    rows = "url\nhttps://shop.example/1\n"
    (offline.folder / "rows.csv").write_text(rows)
    (offline.folder / ".batchfish").write_text("in the way")
    outcome = offline(*arguments, stdin=rows)
    assert outcome.code == 74
    assert str(offline.folder) in outcome.err or "rows.csv: " in outcome.err
    assert "File exists" in outcome.err or "Not a directory" in outcome.err


def test_a_run_without_a_key_says_how_to_give_one(offline: Command) -> None:
    offline.monkeypatch.delenv("TINYFISH_API_KEY")
    (offline.folder / "rows.csv").write_text("url\nhttps://shop.example/1\n")
    outcome = offline(*RUN)
    assert outcome.code == 2
    assert "Set TINYFISH_API_KEY" in outcome.err
    assert "--local" in outcome.err


def test_no_option_takes_a_key(offline: Command) -> None:
    """Every user of the machine can read a key on a command line."""
    outcome = offline("run", "rows.csv", "--api-key", "sk-given-as-a-flag")
    assert outcome.code == 2
    assert "sk-given-as-a-flag" not in outcome.err
