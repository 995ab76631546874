"""Runs that stop before their items end, by signals, limits, cancels or another process, and go on."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from batchfish.journal.lock import owner_of
from tests.cli.shop import SETTLE, Shop, open_shop
from tests.endtoend.serving import serving, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command
    from tests.endtoend.serving import Server

pytestmark = pytest.mark.process

DETACHES_WITHIN = 45.0
"""Less than the 60 s that a create may wait for its answer."""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve runs that take a few seconds, from a server that these tests may stop for a while."""
    with serving(tmp_path_factory.mktemp("slow"), "duration=3") as server:
        yield server


@pytest.fixture
def slow_shop(command: Command, slow: Server, request: pytest.FixtureRequest) -> Shop:
    """Return a batch whose runs take a few seconds."""
    return open_shop(command, slow, request.node.nodeid)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGTERM, 143),
        (signal.SIGINT, 130),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
    ],
)
def test_a_signal_leaves_the_runs_alive_and_the_same_command_goes_on(
    slow_shop: Shop, number: signal.Signals, code: int
) -> None:
    slow_shop.write(1, 2, 3, 4)
    process = slow_shop.start("-j", "2")
    until(lambda: len(slow_shop.paid()) == 2)
    process.send_signal(number)
    _, said = process.communicate(timeout=DETACHES_WITHIN)
    assert process.returncode == code
    assert "runs are still alive" in said
    assert f"go on with: batchfish resume {slow_shop.name}" in said
    assert {run.status for run in slow_shop.runs()} <= {"PENDING", "RUNNING", "COMPLETED"}
    assert slow_shop.run("-j", "2").code == 0
    assert slow_shop.paid() == [1, 2, 3, 4]


def test_a_signal_detaches_while_the_api_does_not_answer(slow_shop: Shop) -> None:
    """The server is stopped: creates, polls and the search at the start get no answer."""
    slow_shop.write(1, 2, 3, 4)
    first = slow_shop.start("-j", "2")
    until(lambda: len(slow_shop.paid()) == 2)
    slow_shop.server.process.send_signal(signal.SIGSTOP)
    try:
        first.send_signal(signal.SIGTERM)
        first.communicate(timeout=DETACHES_WITHIN)
        assert first.returncode == 143
        opening = slow_shop.start("-j", "2")
        until(lambda: owner_of(slow_shop.journal.path) == opening.pid)
        assert opening.stderr is not None
        assert "runs at once" in opening.stderr.readline()
        opening.send_signal(signal.SIGTERM)
        opening.communicate(timeout=DETACHES_WITHIN)
        assert opening.returncode == 143
    finally:
        slow_shop.server.process.send_signal(signal.SIGCONT)
    assert slow_shop.run("-j", "4").code == 0
    assert slow_shop.paid() == [1, 2, 3, 4]


@pytest.mark.slow
def test_unanswered_creates_are_left_in_time_and_searched_for_later(slow_shop: Shop) -> None:
    items = range(1, 41)
    slow_shop.write(*items)
    process = slow_shop.start("-j", "20")
    until(lambda: len(slow_shop.paid()) >= 4)  # the first create of a batch goes alone
    slow_shop.server.process.send_signal(signal.SIGSTOP)
    try:
        # What was answered before makes room for more; the last of them reach no server.
        until(lambda: len(slow_shop.journal.read("SELECT k FROM attempts")) > len(slow_shop.paid()))
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=DETACHES_WITHIN)
        assert process.returncode == 143
        assert slow_shop.journal.count("submitting") > 0
    finally:
        slow_shop.server.process.send_signal(signal.SIGCONT)
    assert slow_shop.run("-j", "20").code == 0
    assert slow_shop.paid() == list(items)


def test_drain_follows_what_is_alive_and_submits_nothing(slow_shop: Shop) -> None:
    slow_shop.write(1, 2, 3, 4)
    process = slow_shop.start("-j", "2")
    until(lambda: len(slow_shop.paid()) == 2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=DETACHES_WITHIN)
    paid = slow_shop.paid()
    outcome = slow_shop.run("--drain")
    assert outcome.code == 3
    assert slow_shop.paid() == paid
    assert slow_shop.journal.statuses()["succeeded"] == len(paid)
    assert slow_shop.run().code == 0
    assert slow_shop.paid() == [1, 2, 3, 4]


def test_max_duration_leaves_and_says_how_to_go_on(patient_shop: Shop) -> None:
    patient_shop.write(1, 2)
    outcome = patient_shop.run(*patient_shop.up_to(2), "--json")
    assert outcome.code == 3
    assert outcome.summary["exit_code"] == 3
    assert outcome.summary["ok"] is False
    assert outcome.summary["resume"] == f"batchfish resume {patient_shop.name}"
    # Detached, not cancelled: the runs are alive, and the next run takes them up.
    assert {run.status for run in patient_shop.runs()} == {"RUNNING"}
    assert patient_shop.run("--max-duration", "500ms").code == 3
    assert patient_shop.paid() == [1, 2]


def test_a_second_run_leaves_or_waits(patient_shop: Shop) -> None:
    patient_shop.write(1, 2)
    first = patient_shop.start("-j", "1")
    until(patient_shop.paid)
    busy = patient_shop.run()
    assert busy.code == 75
    assert f"another process (pid {first.pid}) is working on it" in busy.err
    assert patient_shop.command("retry", patient_shop.name, "--failed").code == 75
    watched = patient_shop.command("status", patient_shop.name, "--json").summary
    assert watched["owner"] == first.pid
    second = patient_shop.start("--if-running", "wait")
    assert second.stderr is not None
    assert "waiting" in second.stderr.readline()
    patient_shop.command("cancel", patient_shop.name)
    first.communicate(timeout=DETACHES_WITHIN)
    _, said = second.communicate(timeout=DETACHES_WITHIN)
    assert (first.returncode, second.returncode) == (4, 4)
    assert "is finished" in said
    assert patient_shop.paid() == [1]


def test_a_cancel_while_a_run_is_active_is_carried_out_by_that_run(patient_shop: Shop) -> None:
    patient_shop.write(1, 2, 3)
    process = patient_shop.start("-j", "2")
    until(lambda: len(patient_shop.paid()) == 2)
    one = patient_shop.command("cancel", patient_shop.name, "i1")
    assert one.code == 0
    assert f"the process that works on it cancels 1 item of {patient_shop.name}" in one.err
    until(lambda: {run.url: run.status for run in patient_shop.runs()}[patient_shop.url(1)] == "CANCELLED")
    until(lambda: patient_shop.paid() == [1, 2, 3])  # its slot was given to the next
    everything = patient_shop.command("cancel", patient_shop.name)
    assert everything.code == 0
    process.communicate(timeout=DETACHES_WITHIN)
    assert process.returncode == 4
    assert [run.status for run in patient_shop.runs()] == ["CANCELLED"] * 3
    requests = patient_shop.journal.path.with_name(patient_shop.journal.path.name + ".requests")
    assert list(requests.iterdir()) == []
    assert patient_shop.run().code == 4, "a finished batch repeats its exit code"
    assert patient_shop.paid() == [1, 2, 3]


def test_a_cancel_alone_follows_the_runs_to_their_end(patient_shop: Shop) -> None:
    patient_shop.write(1, 2, 3)
    assert patient_shop.run("-j", "2", *patient_shop.up_to(2)).code == 3
    outcome = patient_shop.command("cancel", patient_shop.name)
    assert outcome.code == 0
    assert f"cancelling 3 items of {patient_shop.name}" in outcome.err
    assert [run.status for run in patient_shop.runs()] == ["CANCELLED"] * 2
    assert patient_shop.journal.statuses() == {"cancelled": 3}
    assert patient_shop.run().code == 4


def test_a_cancelled_item_can_be_retried_by_a_person(patient_shop: Shop) -> None:
    patient_shop.write(1)
    patient_shop.run(*patient_shop.up_to(1))
    patient_shop.command("cancel", patient_shop.name)
    again = patient_shop.up_to(2)
    outcome = patient_shop.command("retry", patient_shop.name, "--failed", *again, *SETTLE)
    assert outcome.code == 3
    assert patient_shop.paid() == [1, 1]
    patient_shop.command("cancel", patient_shop.name)
