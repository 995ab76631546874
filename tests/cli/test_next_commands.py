"""Every early end names the command that goes on, and that command can be typed as it is."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import pytest

from tests.cli.shop import SETTLE
from tests.cli.test_held import hold, live
from tests.endtoend.serving import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Command, Outcome
    from tests.cli.shop import Shop

LOCAL = ("--local", "--engine", "simulate", "--simulate", "duration=0")
# A check that no result meets.
WRONG = 'checks:\n  - {expr: "false", reason: wrong_book}\n'
NAMED = re.compile(r"batchfish (\w+ [^`\n]+?)$", re.MULTILINE)


def next_of(done: Outcome) -> list[list[str]]:
    """Return the commands that the messages of a command name, as words."""
    return [shlex.split(found) for found in NAMED.findall(done.err)]


@pytest.fixture
def manifest(command: Command) -> Path:
    """Return a manifest whose path needs quotes on a command line."""
    command("init", "https://shop.example/1", "https://shop.example/2", "-o", "my list.yaml")
    return command.folder / "my list.yaml"


def test_a_valid_manifest_names_the_plan(command: Command, manifest: Path) -> None:
    (named,) = next_of(command("validate", manifest.name))
    assert named == ["plan", "--local", "my list.yaml"]
    assert command(*named).code == 0


@pytest.mark.process
def test_a_try_that_succeeds_names_the_plan(command: Command, manifest: Path) -> None:
    done = command("try", manifest.name, *LOCAL)
    assert (done.code, next_of(done)) == (0, [["plan", "--local", "my list.yaml"]])


def test_a_plan_names_the_run_with_the_same_options(offline: Command) -> None:
    (offline.folder / "shop.csv").write_text("id,url\na,https://shop.example/1\nb,https://shop.example/2\n")
    options = ["--goal", "Read {{ what }}, it's new", "--var", "what=a title", "--limit", "1"]
    (named,) = next_of(offline("plan", "shop.csv", *options))
    assert named[:2] == ["run", "shop.csv"]
    again = offline("plan", *named[1:])
    assert next_of(again) == [named]
    assert "submit 1 item," in again.out


@pytest.mark.process
def test_a_try_that_fails_names_itself_for_after_the_change(command: Command, manifest: Path) -> None:
    with manifest.open("a") as file:
        file.write('checks:\n  - {expr: "false", reason: wrong}\n')
    done = command("try", manifest.name, *LOCAL, "--item", "2")
    assert done.code == 1
    (again,) = next_of(done)
    assert again[0] == "try"
    assert command(*again).code == 1


@pytest.mark.process
@pytest.mark.parametrize("words", [("resume",), ("cancel",), ("retry", "--failed")])
def test_a_selection_of_nothing_names_what_shows_the_items(shop: Shop, words: tuple[str, ...]) -> None:
    shop.write(1, 2)
    shop.run("--limit", "1")
    done = shop.command(*words, shop.name, "--where", "false", *SETTLE)
    assert done.code == 5
    (named,) = next_of(done)
    assert shop.command(*named).code == 0


@pytest.mark.process
def test_a_run_that_selects_nothing_names_the_plan(shop: Shop) -> None:
    shop.write(1)
    done = shop.run("--where", "false")
    assert done.code == 5
    (named,) = next_of(done)
    assert shop.command(*named).code == 0


@pytest.mark.process
def test_a_run_that_stops_by_its_rule_names_resume(shop: Shop) -> None:
    shop.write_manifest(1, 2, 3)
    stopped = shop.command("run", f"{shop.name}.yaml", *SETTLE, "--drain")
    assert stopped.code == 3
    (named,) = next_of(stopped)
    assert named[:2] == ["resume", shop.name]
    assert shop.command(*named, *SETTLE).code == 0


@pytest.mark.process
def test_a_cancelled_batch_names_the_retry(patient_shop: Shop) -> None:
    patient_shop.write(1)
    process = patient_shop.start()
    until(lambda: len(patient_shop.paid()) == 1)
    patient_shop.command("cancel", patient_shop.name)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 4
    assert f"batchfish retry {patient_shop.name} --failed" in said


@pytest.mark.process
def test_results_of_a_batch_without_a_process_name_resume(shop: Shop) -> None:
    shop.write(1, 2)
    shop.run("--limit", "1")
    (named,) = next_of(shop.command("results", shop.name))
    assert named == ["resume", shop.name]


@pytest.mark.process
def test_explain_names_what_makes_something_happen(shop: Shop) -> None:
    shop.command("run", shop.write_manifest(1, 2, 3, rules=WRONG), "--limit", "1", *SETTLE)

    def following(item: str) -> list[str]:
        text: str = shop.command("explain", item, "--batch", shop.name, "--json").summary["next"]
        return shlex.split(text.partition("batchfish ")[2])

    assert following("i1") == ["retry", shop.name, "--failed", "--item", "i1"]
    assert following("i2") == ["resume", shop.name]
    live(shop, "i2", hold)
    assert following("i2") == ["held", "list", "--batch", shop.name]
    assert shop.command(*following("i2")).code == 0
    shop.command("pause", shop.name)
    assert following("i3") == ["unpause", shop.name]
