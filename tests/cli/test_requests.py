"""Requests to the process that owns a journal: files that it takes in and removes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.serving import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.shop import Shop

pytestmark = pytest.mark.process


def leave(shop: Shop, folder: str, text: str) -> Path:
    """Write a file into a folder beside the shop's journal, as another process would."""
    path = shop.journal.path.with_name(shop.journal.path.name + folder)
    path.mkdir(exist_ok=True)
    file = path / "request.json"
    file.write_text(text)
    return file


def cancel_of(shop: Shop, item: str) -> str:
    keys = {name: (batch, key) for name, batch, key in shop.journal.read("SELECT id, batch, pk FROM items")}
    batch, key = keys[item]
    return json.dumps({"cancel": [key], "batch": batch})


@pytest.mark.parametrize("folder", [".requests", ".wishes"])
def test_a_request_of_this_or_an_earlier_version_is_taken_in(patient_shop: Shop, folder: str) -> None:
    patient_shop.write(1, 2)
    process = patient_shop.start()
    until(lambda: len(patient_shop.paid()) == 2)
    file = leave(patient_shop, folder, cancel_of(patient_shop, "i1"))
    until(lambda: not file.exists())
    until(lambda: patient_shop.journal.statuses().get("cancelled") == 1)
    patient_shop.command("cancel", patient_shop.name)
    process.communicate(timeout=PATIENCE)


@pytest.mark.parametrize("text", ["", "[]", "{}", "no JSON"])
def test_a_file_that_is_no_request_is_reported_and_removed(patient_shop: Shop, text: str) -> None:
    patient_shop.write(1)
    process = patient_shop.start()
    until(patient_shop.paid)
    file = leave(patient_shop, ".requests", text)
    until(lambda: not file.exists())
    patient_shop.command("cancel", patient_shop.name)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4
    assert f"{file}: not a request of batchfish" in said


def test_results_leave_what_they_wrote_to_the_owner(patient_shop: Shop) -> None:
    """The table is recognised when it is written again, before and after an owner has recorded it."""
    patient_shop.write(1, 2)
    process = patient_shop.start()
    until(patient_shop.paid)
    folder = patient_shop.journal.path.with_name(patient_shop.journal.path.name + ".requests")
    for _ in range(2):
        assert patient_shop.command("results", patient_shop.name, "-o", "early.csv").code == 0
    until(lambda: not list(folder.glob("*.json")))
    (recorded,) = patient_shop.journal.read("SELECT path FROM outputs")
    assert recorded == (str(patient_shop.command.folder / "early.csv"),)
    patient_shop.command("cancel", patient_shop.name)
    process.communicate(timeout=PATIENCE)

    def outputs() -> list[tuple[str, float]]:
        return patient_shop.journal.read("SELECT path, at FROM outputs ORDER BY path")

    before = outputs()
    for _ in range(2):
        assert patient_shop.command("results", patient_shop.name, "-o", "late.csv").code == 0
    assert outputs() == before
    (request,) = folder.glob("*.json")
    assert json.loads(request.read_text())["output"].endswith("late.csv")
