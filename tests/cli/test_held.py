"""Held attempts: each takes a slot until a person decides about it, even if its item has ended."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish.core.events import Adopted, CannotTell, ProvenAbsent, RunLost
from batchfish.journal.sqlite import SqliteJournal
from tests.endtoend.commands import KEY
from tests.journal.building import Driver, commit, connection_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.shop import Shop

pytestmark = pytest.mark.process

OUR_KEY_ID = "SELECT DISTINCT key_id FROM attempts"


def live(shop: Shop, item_id: str, history: Callable[[Driver, int], None]) -> None:
    """Record events for an item of the shop's newest batch, as the stages would."""
    with closing(SqliteJournal(shop.journal.path)) as journal:
        batch = journal.reader.newest_batch()
        assert batch is not None
        ((key_id,),) = connection_of(journal).execute(OUR_KEY_ID).fetchall()
        item = journal.reader.find_item(batch.pk, item_id)
        assert item is not None
        history(Driver(journal=journal, key_id=key_id), item.pk)
        commit(journal)


def make_run(shop: Shop, number: int) -> str:
    """Create a run of an item's URL without a marker, as a person or another program would; return its id."""
    answer = httpx.post(
        f"{shop.server.base_url}/v1/automation/run-async",
        json={"url": shop.url(number), "goal": "Read it."},
        headers={"X-API-Key": KEY},
        trust_env=False,
    )
    run_id: str = answer.json()["run_id"]
    return run_id


def hold(driver: Driver, item: int) -> None:
    """Send a create whose answer is lost, and hold it."""
    driver.record(item, driver.lose_answer(item), CannotTell(message="the listing is down"))


def send_again_and_find_the_first(driver: Driver, item: int) -> int:
    """Hold, resubmit as a person would, and find the run of the first create; return the second's k."""
    hold(driver, item)
    driver.record(item, 1, ProvenAbsent())
    second = driver.lose_answer(item)
    first = driver.journal.attempt(item, 1)
    assert first is not None
    driver.record(item, 1, Adopted(run_id=f"run-{item}", k=1, marker=first.marker, key_id=driver.key_id))
    return second


def succeed_and_hold(driver: Driver, item: int) -> None:
    """Record that the first create's run succeeded, and hold the second create."""
    second = send_again_and_find_the_first(driver, item)
    driver.finish(item)
    driver.record(item, second, CannotTell(message="the listing is down"))


def hold_two(driver: Driver, item: int) -> None:
    """Hold the second create, and lose the run of the first."""
    second = send_again_and_find_the_first(driver, item)
    driver.record(item, second, CannotTell(message="the listing is down"))
    driver.record(item, 1, RunLost())


@pytest.fixture
def begun(shop: Shop) -> Shop:
    """Return a batch of four items, the first of which has succeeded."""
    shop.write(1, 2, 3, 4)
    assert shop.run("--item", "i1").code == 0
    return shop


def waiting(shop: Shop, *flags: str) -> list[tuple[str, int, str]]:
    listed = shop.command("held", "list", "--json", *flags).summary["items"]
    return [(one["id"], one["attempt"], one["status"]) for one in listed]


def test_a_held_attempt_of_a_succeeded_item_can_be_dropped_so_that_the_batch_goes_on(begun: Shop) -> None:
    """Held, sent again, the first run found after all and succeeded, and then the second create held."""
    live(begun, "i2", succeed_and_hold)
    stuck = begun.run("-j", "1")
    assert stuck.code == 3
    assert "every slot is held by a create that waits for a person" in stuck.err
    assert begun.paid() == [1]
    assert waiting(begun) == [("i2", 2, "succeeded")]
    assert "i2  attempt 2  unanswered  (the item is succeeded)" in begun.command("held").out
    assert "attempt 2 takes a slot" in begun.command("explain", "i2").out
    refused = begun.command("held", "resubmit", "i2", "-y")
    assert refused.code == 2
    assert "i2 is succeeded: it is not sent again" in refused.err
    assert begun.command("held", "drop", "i2").code == 0
    assert waiting(begun) == []
    ended = begun.run("-j", "1")
    assert ended.code == 0
    assert begun.paid() == [1, 3, 4]
    assert begun.journal.statuses() == {"succeeded": 4}


def test_a_batch_whose_items_are_done_says_that_a_slot_is_still_taken(begun: Shop) -> None:
    live(begun, "i2", succeed_and_hold)
    outcome = begun.run("-j", "2")
    assert outcome.code == 0
    assert "1 held attempt is waiting for your decision and takes a slot: batchfish held list" in outcome.err
    assert begun.command("held", "drop", "i2").code == 0
    assert "is finished" not in begun.run().err, "what it ended with is only told once nothing is open"
    assert "is finished" in begun.run().err


def test_the_held_attempts_of_an_earlier_batch_are_listed_and_decided_too(begun: Shop) -> None:
    live(begun, "i2", succeed_and_hold)
    assert begun.run("--new", "--accept", "unfinished-batch", "--item", "i1").code == 0
    assert waiting(begun) == [("i2", 2, "succeeded")]
    assert f"--batch {begun.name}.1" in begun.command("held").out
    assert waiting(begun, "--batch", f"{begun.name}.2") == []
    assert begun.command("held", "drop", "i2").code == 2
    assert begun.command("held", "drop", "i2", "--batch", f"{begun.name}.1").code == 0
    assert waiting(begun) == []


def test_of_several_held_attempts_one_must_be_named(begun: Shop) -> None:
    live(begun, "i2", hold_two)
    assert waiting(begun) == [("i2", 1, "held"), ("i2", 2, "held")]
    for flags in ((), ("--attempt", "3")):
        refused = begun.command("held", "drop", "i2", *flags)
        assert refused.code == 2
        assert "i2 has 2 held attempts" in refused.err
        assert "attempt 1: lost_remote  run run-" in refused.err
        assert "attempt 2: unanswered" in refused.err
        assert "--attempt K" in refused.err
    assert len(waiting(begun)) == 2
    assert begun.command("held", "drop", "i2", "--attempt", "1").code == 0
    assert waiting(begun) == [("i2", 2, "held")], "the item still waits for the other one"
    assert begun.command("held", "drop", "i2").code == 0
    assert begun.journal.read("SELECT status FROM items WHERE id = 'i2'") == [("cancelled",)]


def test_retry_of_a_held_item_frees_all_its_held_attempts(begun: Shop) -> None:
    live(begun, "i2", hold_two)
    outcome = begun.command("retry", begun.name, "--held", "--accept", "resubmit-held", "--settle", "2s")
    assert outcome.code == 0
    assert begun.paid() == [1, 2, 3, 4]


def test_items_of_one_id_are_told_apart_by_their_keys(begun: Shop) -> None:
    """An edited goal makes another item of the same id, and both may wait for a person."""
    live(begun, "i2", hold)
    begun.write(1, 2, 3, 4, goals={2: "Read all of it."})
    assert begun.run("--item", "i1", "--accept", "changes", goal=None).code == 0
    live(begun, "i2", hold)
    refused = begun.command("held", "drop", "i2")
    assert (refused.code, "its item by its key" in refused.err) == (2, True)
    listed = begun.command("held", "--json").summary["items"]
    for one in listed:
        assert begun.command("held", "drop", one["key"]).code == 0
    assert len(listed) == 2
    assert waiting(begun) == []


def test_a_run_that_a_person_found_is_adopted_by_an_item_that_was_not_sent(begun: Shop) -> None:
    """As when the listing shows runs that nobody can tell the item of."""
    adopted = begun.command("held", "adopt", "i2", make_run(begun, 2), "--json")
    assert adopted.code == 0
    assert json.loads(adopted.out)["status"] == "running"
    assert begun.run().code == 0
    assert begun.paid() == [1, 2, 3, 4]
