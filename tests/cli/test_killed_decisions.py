"""A process that dies between any two writes of a decision leaves the batch as before it, or as after it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from tests.cli.shop import SETTLE
from tests.cli.test_held import hold, live, make_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.shop import Shop

pytestmark = pytest.mark.process

WRITES = ("BEGIN", "COMMIT", "INSERT", "UPDATE", "DELETE")
SECOND_FAILS = "checks:\n  - {expr: \"id != 'i2'\", reason: wrong_book}\n"


class Killed(KeyboardInterrupt):
    """The process is dead; a BaseException, so that no handler catches it."""


class Mortal(sqlite3.Connection):
    """Dies before its n-th write; with it dies every connection of the process."""

    writes = 0
    dies_at = 0
    opened: ClassVar[list[Mortal]] = []

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - sqlite3's own
        super().__init__(*arguments, **options)
        Mortal.opened.append(self)

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401 - sqlite3's own
        if statement.lstrip().upper().startswith(WRITES):
            Mortal.writes += 1
        if Mortal.writes >= Mortal.dies_at > 0:
            raise Killed
        return super().execute(statement, *values)


@pytest.fixture(autouse=True)
def _mortal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Mortal))
    yield
    Mortal.dies_at = 0
    bury()


def bury() -> None:
    """Close what the dead process had open, as the system does; what it had not committed is gone."""
    while Mortal.opened:
        Mortal.opened.pop().close()


def is_decided_at_each_death(shop: Shop, *words: str, moved: str) -> set[bool]:
    """Repeat a decision from one state, dying at one write after another; return what was seen then.

    An exit code and an item that is left, or neither: all else would say "finished" for ever.
    """
    path, seen = shop.journal.path, set()
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE batches SET exit_code = 1, ended_at = 1")
        db.commit()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    for at in range(1, 200):
        for file in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            file.unlink(missing_ok=True)
        path.write_bytes(before)
        Mortal.writes, Mortal.dies_at = 0, at
        try:
            outcome = shop.command(*words)
        except Killed:
            outcome = None
        Mortal.dies_at = 0
        bury()
        ((exit_code,),) = shop.journal.read("SELECT exit_code FROM batches")
        ((status,),) = shop.journal.read("SELECT status FROM items WHERE id = 'i2'")
        is_decided = status == moved
        assert (exit_code is None) == is_decided, f"write {at}: exit code {exit_code}, item {status}"
        seen.add(is_decided)
        if outcome is not None:
            assert is_decided, outcome
            return seen
    raise AssertionError("it never came to its end")


def test_retry(shop: Shop) -> None:
    shop.command("run", shop.write_manifest(1, 2, 3, rules=SECOND_FAILS), *SETTLE)
    words = ("retry", shop.name, "--failed", "--drain", *SETTLE)
    assert is_decided_at_each_death(shop, *words, moved="queued") == {False, True}
    assert shop.paid() == [1, 2, 3]
    assert shop.command("resume", shop.name, *SETTLE).code == 1
    assert shop.paid() == [1, 2, 2, 3]


@pytest.mark.parametrize(
    ("decision", "moved"),
    [(("drop", "i2"), "cancelled"), (("resubmit", "i2", "-y"), "queued"), (("adopt", "i2"), "running")],
)
def test_decisions_about_what_is_held(shop: Shop, decision: tuple[str, ...], moved: str) -> None:
    shop.write(1, 2)
    shop.run("--item", "i1")
    live(shop, "i2", hold)
    run_id = [make_run(shop, 2)] if decision[0] == "adopt" else []
    seen = is_decided_at_each_death(shop, "held", *decision, *run_id, moved=moved)
    assert seen == {False, True}


def test_a_batch_that_was_left_finished_with_items_queued_goes_on(shop: Shop) -> None:
    """As an earlier version left it when it was killed between two commits."""
    manifest = shop.write_manifest(1, 2, 3)
    shop.command("run", manifest, "--limit", "1", *SETTLE)
    with closing(sqlite3.connect(shop.journal.path)) as db:
        db.execute("UPDATE batches SET exit_code = 1, ended_at = 1")
        db.commit()
    assert shop.command("status", "--json").summary["exit_code"] is None
    assert shop.command("ls", "--json").summary["batches"][0]["exit_code"] is None
    assert shop.command("resume", shop.name, "--limit", "2", *SETTLE).code == 0
    assert shop.paid() == [1, 2]
    assert shop.command("run", manifest, *SETTLE).code == 0
    assert shop.paid() == [1, 2, 3]
    assert "is finished" in shop.command("run", manifest, *SETTLE).err
