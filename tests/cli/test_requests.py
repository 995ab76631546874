"""Requests to the process that owns a journal: files that it takes in and removes."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from batchfish.cli import requests
from batchfish.cli.agreement import agreement_of
from batchfish.cli.factory import owned_journal
from batchfish.cli.options import Questions
from tests.endtoend.serving import PATIENCE, until

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.journal.sqlite import SqliteJournal
    from tests.cli.shop import Shop

pytestmark = pytest.mark.process


def leave(shop: Shop, folder: str, text: str) -> Path:
    """Write a file into a folder beside the shop's journal, as another process would."""
    path = shop.journal.path.with_name(shop.journal.path.name + folder)
    path.mkdir(exist_ok=True)
    draft, file = path / "request.draft", path / "request.json"
    draft.write_text(text)
    draft.rename(file)
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


@pytest.mark.parametrize(
    "request_left",
    [
        {"cancel": [1], "batch": 1, "batch8": "aaaabbbb"},
        {"cancel": None, "batch": 9},
        {"settings": {"paused": True}, "batch": 9},
    ],
)
def test_a_request_that_a_deleted_journal_left_behind_changes_nothing(
    shop: Shop, request_left: dict[str, object]
) -> None:
    shop.write(1, 2)
    shop.run("--limit", "1")
    file = leave(shop, ".requests", json.dumps(request_left))
    outcome = shop.run()
    assert outcome.code == 0
    assert f"{file}: a request for a batch that is not in {shop.journal.path}" in outcome.err
    assert not file.exists()
    assert shop.paid() == [1, 2]


def test_what_an_owner_has_recorded_is_not_done_again(tmp_path: Path) -> None:
    """Done after the owner's end, it would undo what another command asked for meanwhile."""
    path, agreement = tmp_path / "j.db", agreement_of(Questions())
    request = tmp_path / "request.json"
    with ExitStack() as owner:
        owner.enter_context(owned_journal(path, agreement))

        def leave_one() -> Path:
            owner.close()  # it took the request in, removed it, and ended
            return request

        def here(_journal: SqliteJournal, _stack: ExitStack) -> int:
            pytest.fail("done again")

        assert requests.carry_out(path, agreement, here=here, leave=leave_one) is None
