"""Batches that a person pauses, or whose limits are changed, with and without a process that runs them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.serving import PATIENCE, until

if TYPE_CHECKING:
    from tests.cli.shop import Shop

ITEMS = range(1, 9)


def interrupted(shop: Shop, *items: int) -> None:
    """Run the first item only, so that the others wait."""
    shop.write(*items)
    assert shop.run("--limit", "1").code == 0


def test_a_paused_batch_started_afresh_submits_nothing_and_names_unpause(shop: Shop) -> None:
    interrupted(shop, 1, 2, 3)
    said = shop.command("pause", shop.name).err
    assert said == f"{shop.name}: paused; to let it submit again: batchfish unpause {shop.name}\n"
    outcome = shop.run()
    assert outcome.code == 3
    assert f"{shop.name} is paused; to let it submit again: batchfish unpause {shop.name}" in outcome.err
    assert len(shop.paid()) == 1
    assert "; paused; no process is working on it" in shop.command("status", shop.name).out
    assert "batchfish unpause" in shop.command("explain", "i2", "--batch", shop.name).out
    shop.command("unpause", shop.name)
    assert shop.run().code == 0
    assert shop.paid() == [1, 2, 3]


def test_settings_hold_for_the_next_process_until_they_are_taken_back(shop: Shop) -> None:
    interrupted(shop, 1, 2)
    said = shop.command("set", shop.name, "concurrency=2-4-9", "halt=10%").err
    assert said == (
        f"{shop.name}: concurrency 2-4-9, halt 10%; go on with: batchfish resume {shop.name}\n"
    )  # fmt: skip
    document = json.loads(shop.command("status", shop.name, "--json").out)
    assert document["settings"] == {
        "budget": None, "concurrency": "2-4-9", "halt": "10%", "paused": False
    }  # fmt: skip
    shop.command("set", shop.name, "concurrency=manifest", "halt=none")
    assert json.loads(shop.command("status", shop.name, "--json").out)["settings"] == {
        "budget": None, "concurrency": None, "halt": "none", "paused": False
    }  # fmt: skip
    changed = json.loads(shop.command("set", shop.name, "concurrency=7", "--json").out)
    assert changed["settings"] == {
        "budget": None, "concurrency": "7", "halt": "none", "paused": False
    }  # fmt: skip
    assert "up to 7 runs at once" in shop.run().err


def test_an_option_of_the_command_line_beats_what_was_set(shop: Shop) -> None:
    interrupted(shop, 1, 2)
    shop.command("set", shop.name, "concurrency=7")
    assert "up to 3 runs at once" in shop.run("-j", "3").err


def test_a_finished_batch_keeps_its_settings(shop: Shop) -> None:
    shop.write(1)
    shop.run()
    for words in (["pause"], ["set", "concurrency=2"]):
        outcome = shop.command(words[0], shop.name, *words[1:])
        assert (outcome.code, outcome.err) == (0, f"{shop.name} is finished already: nothing was changed\n")
    assert json.loads(shop.command("status", shop.name, "--json").out)["settings"]["paused"] is False


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "expected KEY=VALUE. The keys are: budget, concurrency, halt"),
        (["speed=2"], "'speed=2' is not of the form KEY=VALUE. The keys are: budget, concurrency, halt"),
        (["concurrency=many"], "concurrency: expected a whole number"),
        (["halt=120%"], "halt: '120%' is neither a share of at most 100% nor a whole number"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused(shop: Shop, words: list[str], says: str) -> None:
    interrupted(shop, 1, 2)
    outcome = shop.command("set", shop.name, *words)
    assert outcome.code == 2
    assert says in outcome.err


@pytest.mark.process
def test_a_running_process_obeys(patient_shop: Shop) -> None:
    """Its runs end only when they are cancelled, so a run beyond a bound shows that the bound has moved."""
    patient_shop.write(*ITEMS)
    process = patient_shop.start("-j", "2")
    until(lambda: len(patient_shop.paid()) == 2)
    said = patient_shop.command("set", f"{patient_shop.name}", "concurrency=4").err
    assert said == f"{patient_shop.name}: concurrency 4; process {process.pid} obeys\n"
    until(lambda: len(patient_shop.paid()) == 4)
    patient_shop.command("pause", patient_shop.name)
    patient_shop.command("set", patient_shop.name, "concurrency=6")
    assert (
        f"paused, concurrency 6; process {process.pid}"
        in patient_shop.command("status", patient_shop.name).out
    )
    # A cancel frees a slot; the pause keeps it free, also beneath the higher bound.
    for item in ("i1", "i2"):
        patient_shop.command("cancel", patient_shop.name, item)
    until(lambda: patient_shop.journal.statuses().get("cancelled") == 2)
    assert len(patient_shop.paid()) == 4
    patient_shop.command("unpause", patient_shop.name)
    until(lambda: len(patient_shop.paid()) == 8)
    patient_shop.command("cancel", patient_shop.name)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 4


@pytest.mark.process
@pytest.mark.parametrize(
    "settings", ["{}", '{"concurrency": 5}', '{"halt": {"value": 1, "of": 2}}', '{"speed": 1}', "[]"]
)
def test_a_request_that_sets_nothing_known_is_reported(patient_shop: Shop, settings: str) -> None:
    patient_shop.write(1)
    process = patient_shop.start()
    until(patient_shop.paid)
    folder = patient_shop.journal.path.with_name(patient_shop.journal.path.name + ".requests")
    folder.mkdir(exist_ok=True)
    file = folder / "request.json"
    file.write_text(f'{{"settings": {settings}, "batch": 1}}')
    until(lambda: not file.exists())
    patient_shop.command("cancel", patient_shop.name)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4
    assert ("not a request of batchfish" in said) == (settings != "{}")


def test_the_plan_of_a_paused_batch_submits_nothing(shop: Shop) -> None:
    name = shop.write_manifest(1, 2)
    shop.command("run", name, "--limit", "1")
    shop.command("pause", shop.name)
    said = shop.command("plan", name).out
    assert "would submit 0 items" in said
    assert "pay for at most 0 runs" in said
    assert f"{shop.name} is paused" in said
    shop.command("unpause", shop.name)
    assert "would submit 1 item" in shop.command("plan", name).out
