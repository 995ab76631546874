"""Notifications: who is told of which end, once, and that they change nothing else."""

from __future__ import annotations

import json
import signal
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from batchfish.cli.system_clock import SystemClock
from batchfish.core.notifications import BatchEvent
from batchfish.errors import StorageFailed
from batchfish.journal.notifications import Notifications
from batchfish.notify import delivery
from tests.cli.conftest import KEY
from tests.cli.test_held import hold, live
from tests.documents import check_document
from tests.endtoend.commands import Desk
from tests.endtoend.serving import PATIENCE, until
from tests.notify.listener import Listener, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Command, Outcome
    from tests.cli.shop import Shop

pytestmark = pytest.mark.process

SECRET = "T0-canary-B1"
HOOK = "notify:\n  - webhook: {url_env: SHOP_HOOK}\n"
FAILING = "checks: ['false']\n"
ROWS = "SELECT event, target, tries, sent_at IS NOT NULL, error FROM notifications ORDER BY pk"


@pytest.fixture
def listener(command: Command) -> Iterator[Listener]:
    with listening() as listener:
        command.monkeypatch.setenv("SHOP_HOOK", f"{listener.url}/{SECRET}")
        yield listener


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait long for answers, so that no try is repeated on a slow machine, and shortly between tries."""
    monkeypatch.setattr(delivery, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(delivery, "TRY_WITHIN", PATIENCE)
    monkeypatch.setattr(delivery, "deliver", partial(delivery.deliver, within=PATIENCE))


def run(shop: Shop, *items: int, rules: str = HOOK, flags: tuple[str, ...] = ()) -> Outcome:
    """Run a manifest with these items and rules."""
    name = shop.write_manifest(*items, rules=rules)
    outcome = shop.command("run", name, "--settle", "2s", *flags)
    assert SECRET not in outcome.err + outcome.out
    return outcome


def desk_of(shop: Shop) -> Desk:
    """Return a desk to start the command in processes of their own."""
    return Desk(folder=shop.command.folder, base_url=shop.server.base_url, started=shop.command.started)


def rows(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.journal.read(ROWS)


class TestFinished:
    def test_a_finished_batch_is_told_once(self, shop: Shop, listener: Listener) -> None:
        first = run(shop, 1, 2)
        assert first.code == 0
        assert "notified webhook $SHOP_HOOK: finished" in first.err
        (body,) = listener.bodies
        check_document(body)
        assert (body["type"], body["batch"]) == ("notification", shop.name)
        assert (body["event"], body["exit_code"]) == ("finished", 0)
        assert body["counts"] == {"succeeded": 2}
        assert body["text"].startswith(f"{shop.name} finished at 20")
        assert body["text"].endswith("Z (exit code 0): 2 succeeded.\n")
        assert body["messages"] is body["changes"] is body["resume"] is body["reason"] is None
        for again in (run(shop, 1, 2), shop.command("resume", shop.name), run(shop, 1, 2, flags=("-q",))):
            assert again.code == 0
            assert "notif" not in again.err
        assert len(listener.requests) == 1

    def test_quiet_prints_nothing_if_it_was_sent(self, shop: Shop, listener: Listener) -> None:
        assert run(shop, 1, flags=("-q",)) == (0, "", "")
        assert listener.events == ["finished"]

    def test_failed_items_are_named_and_their_messages_only_where_asked_for(
        self, shop: Shop, listener: Listener
    ) -> None:
        named = HOOK + "  - webhook: {url_env: OTHER_HOOK}\n    include: [messages]\n"
        with listening() as other:
            shop.command.monkeypatch.setenv("OTHER_HOOK", other.url)
            assert run(shop, 1, 2, rules=FAILING + named).code == 1
        (plain,), (detailed,) = listener.bodies, other.bodies
        assert plain["failed"] == {"total": 2, "ids": ["i1", "i2"]}
        assert plain["messages"] is None
        assert [one["id"] for one in detailed["messages"]] == ["i1", "i2"]
        assert detailed["messages"][0]["reason"] == "check_failed"
        check_document(detailed)
        # The command in it is one that works.
        words = plain["see_failed"].split()
        assert words[0] == "batchfish"
        assert shop.command(*words[1:]).code == 0

    def test_only_what_a_condition_wants_is_told(self, shop: Shop, listener: Listener) -> None:
        rules = HOOK + '    only_if: "failed > 0 or changed > 0"\n'
        assert run(shop, 1, rules=rules).code == 0
        assert run(shop, 1, rules=rules + FAILING, flags=("--new",)).code == 1
        assert [body["counts"] for body in listener.bodies] == [{"failed": 1}]
        assert listener.bodies[0]["changes"] == {"added": 0, "changed": 0, "removed": 0}

    def test_a_condition_that_fails_keeps_nothing_back(self, shop: Shop, listener: Listener) -> None:
        outcome = run(shop, 1, rules=HOOK + '    only_if: "failed / failed > 1"\n')
        assert outcome.code == 0
        assert "`only_if` of webhook $SHOP_HOOK cannot be evaluated" in outcome.err
        assert listener.events == ["finished"]

    def test_an_added_item_makes_another_end(self, shop: Shop, listener: Listener) -> None:
        run(shop, 1)
        run(shop, 1, 2)
        assert [body["counts"] for body in listener.bodies] == [{"succeeded": 1}, {"succeeded": 2}]


class TestOtherEnds:
    def test_a_halt(self, shop: Shop, listener: Listener) -> None:
        rules = f"{HOOK}{FAILING}limits: {{halt: 5, concurrency: 1}}\n"
        assert run(shop, *range(1, 20), rules=rules).code == 3
        (body,) = listener.bodies
        assert (body["event"], body["reason"], body["exit_code"]) == ("halted", "halted", 3)
        assert body["resume"] == f"batchfish resume {shop.name}"
        assert body["failed"]["total"] == body["counts"]["failed"] >= 10

    def test_a_stop_is_told_again_only_if_something_has_changed(
        self, patient_shop: Shop, listener: Listener
    ) -> None:
        assert run(patient_shop, 1, 2, flags=patient_shop.up_to(2)).code == 3
        for _ in range(2):
            assert run(patient_shop, 1, 2, flags=("--max-duration", "500ms")).code == 3
        (body,) = listener.bodies
        assert (body["event"], body["reason"], body["exit_code"]) == ("stopped", "max_duration", 3)
        assert body["message"].startswith("its time of ")
        assert run(patient_shop, 1, 2, 3, flags=patient_shop.up_to(3)).code == 3
        assert listener.events == ["stopped", "stopped"]

    def test_an_error(self, shop: Shop, listener: Listener) -> None:
        run(shop, 1)
        shop.command.use(shop.server.base_url, key="sk-canary-other")
        outcome = run(shop, 1, 2)
        assert outcome.code == 77
        body = listener.bodies[-1]
        check_document(body)
        assert (body["event"], body["exit_code"]) == ("stopped", 77)
        assert "refused" in body["reason"] or body["reason"] == "not_permitted"

    def test_a_table_that_cannot_be_written(self, shop: Shop, listener: Listener) -> None:
        def refuse(*_: object) -> None:
            raise StorageFailed("results is full")

        with shop.command.monkeypatch.context() as patch:
            patch.setattr("batchfish.cli.summary.write_batch", refuse)
            assert run(shop, 1).code == 74
        assert [(body["event"], body["exit_code"]) for body in listener.bodies] == [
            ("finished", 0),
            ("stopped", 74),
        ]
        assert listener.bodies[1]["reason"] == "storage_failed"
        assert run(shop, 1).code == 0
        assert len(listener.requests) == 2

    def test_held_items_are_told_once_and_can_be_decided(self, shop: Shop, listener: Listener) -> None:
        run(shop, 1, 2, flags=("--item", "i1"))
        assert listener.events == []
        live(shop, "i2", hold)
        for _ in range(2):
            assert run(shop, 1, 2, flags=("--drain",)).code == 1
        (body,) = listener.bodies
        check_document(body)
        assert (body["event"], body["held"]) == ("held", {"total": 1, "ids": ["i2"]})
        assert body["decide"] == f"batchfish held list --batch {shop.name}"
        assert "i2" in shop.command(*body["decide"].split()[1:]).out
        shop.command("held", "drop", "i2", "--batch", shop.name)
        assert run(shop, 1, 2).code == 4
        assert listener.events == ["held", "finished"]

    def test_an_interruption_tells_nothing_and_a_cancelled_batch_is_finished(
        self, patient_shop: Shop, listener: Listener
    ) -> None:
        name = patient_shop.write_manifest(1, 2, rules=HOOK)
        process = desk_of(patient_shop).start("run", name, "--settle", "2s")
        until(lambda: len(patient_shop.paid()) == 2)
        process.send_signal(signal.SIGTERM)
        assert process.communicate()[0] == ""
        assert process.returncode == 143
        assert rows(patient_shop) == []
        assert patient_shop.command("cancel", patient_shop.name).code == 0
        assert patient_shop.command("run", name).code == 4
        assert [body["counts"] for body in listener.bodies] == [{"cancelled": 2}]

    def test_a_target_is_told_of_the_events_that_it_names(self, shop: Shop, listener: Listener) -> None:
        run(shop, 1, rules=HOOK + "    on: [halted, stopped, held]\n")
        assert listener.requests == []


class TestFailures:
    def test_what_nobody_took_is_sent_by_the_next_run_and_never_again(
        self, shop: Shop, command: Command
    ) -> None:
        with listening(lambda _: (503, {})) as busy:
            command.monkeypatch.setenv("SHOP_HOOK", f"{busy.url}/{SECRET}")
            outcome = run(shop, 1)
        assert outcome.code == 0
        assert len(busy.requests) == 3
        assert (
            "notify: nothing was sent to webhook $SHOP_HOOK: it answered with status 503; `run` tries again"
            in outcome.err
        )
        assert rows(shop) == [("finished", "webhook $SHOP_HOOK", 3, 0, "it answered with status 503")]
        with listening() as listener:
            command.monkeypatch.setenv("SHOP_HOOK", f"{listener.url}/{SECRET}")
            assert run(shop, 1).code == 0
            assert command("resume", shop.name).code == 0
        assert rows(shop) == [("finished", "webhook $SHOP_HOOK", 4, 1, None)]
        assert listener.bodies == busy.bodies[:1]
        keys = {headers["Idempotency-Key"] for _, headers, _ in busy.requests + listener.requests}
        assert len(keys) == 1

    def test_it_is_given_up_at_last(self, shop: Shop) -> None:
        rules = 'notify: [{command: [sh, -c, "exit 3"]}]\n'
        said = [run(shop, 1, rules=rules).err for _ in range(4)]
        assert ["`run` tries again" in one for one in said] == [True, True, False, False]
        assert "it ended with exit code 3; it was the last try" in said[2]
        assert "notif" not in said[3]

    def test_a_target_that_left_the_manifest_gets_nothing(self, shop: Shop, listener: Listener) -> None:
        run(shop, 1, rules=HOOK.replace("SHOP_HOOK", "NO_HOOK"))
        run(shop, 1, rules=HOOK)
        assert [row[:2] for row in rows(shop)] == [
            ("finished", "webhook $NO_HOOK"),
            ("finished", "webhook $SHOP_HOOK"),
        ]
        assert listener.events == ["finished"]

    def test_what_is_wrong_with_a_target_is_said_before_anything_is_paid_for(self, shop: Shop) -> None:
        rules = "notify:\n  - webhook: {url_env: NO_HOOK}\n  - command: [no-such-program]\n"
        outcome = run(shop, 1, rules=rules, flags=("-q",))
        assert outcome.code == 0
        lines = outcome.err.splitlines()
        assert lines[:2] == [
            "notify: webhook $NO_HOOK gets no notifications: the environment variable NO_HOOK is not set",
            "notify: command no-such-program gets no notifications: there is no program no-such-program",
        ]
        assert len(lines) == 4

    def test_a_kill_while_it_is_sent_loses_nothing(self, shop: Shop, listener: Listener) -> None:
        kill = "test -e killed || { touch killed; kill -9 $PPID; }"
        name = shop.write_manifest(1, rules=f"{HOOK}  - command: [sh, -c, '{kill}']\n")
        assert desk_of(shop).run("run", name, expect=None).returncode == -signal.SIGKILL
        assert shop.command("run", name).code == 0
        assert shop.command("run", name).code == 0
        assert {row[:2] + row[3:] for row in rows(shop)} == {
            ("finished", f"command sh -c '{kill}'", 1, None),
            ("finished", "webhook $SHOP_HOOK", 1, None),
        }
        assert {body["event"] for body in listener.bodies} == {"finished"}


@pytest.mark.parametrize("method", ["record_sent", "latest"])
def test_a_journal_that_forgets_what_was_told_is_caught(
    patient_shop: Shop, listener: Listener, method: str
) -> None:
    """The bugs that are to be caught: what was sent is sent again, or an end is told again."""
    patient_shop.command.monkeypatch.setattr(Notifications, method, lambda *_: None)
    for _ in range(2):
        run(patient_shop, 1, flags=("--max-duration", "500ms"))
    assert len(listener.requests) > 1


def test_all_targets_are_told_the_same_time(shop: Shop, listener: Listener) -> None:
    class Later(SystemClock):
        """A clock that is read a second later each time."""

        seconds = count()

        def now(self) -> float:
            return super().now() + next(self.seconds)

    shop.command.monkeypatch.setattr("batchfish.cli.notifications.SystemClock", Later)
    assert run(shop, 1, rules=f"{HOOK}  - command: [sh, -c, 'env > env.txt']\n").code == 0
    env = (shop.command.folder / "env.txt").read_text()
    (body,) = [line for line in env.splitlines() if line.startswith("BATCHFISH_NOTIFICATION=")]
    assert json.loads(body.partition("=")[2]) == listener.bodies[0]


class TestSecrets:
    def test_no_command_gets_the_api_key_and_nothing_keeps_an_address(
        self, shop: Shop, listener: Listener
    ) -> None:
        rules = HOOK + "  - command: [sh, -c, 'env > env.txt; cat > text.txt']\n"
        outcome = run(shop, 1, rules=rules, flags=("-v",))
        assert outcome.code == 0
        env = (shop.command.folder / "env.txt").read_text()
        assert KEY not in env
        line = next(line for line in env.splitlines() if line.startswith("BATCHFISH_NOTIFICATION="))
        body = json.loads(line.partition("=")[2])
        check_document(body)
        assert body == listener.bodies[0]
        assert (shop.command.folder / "text.txt").read_text() == body["text"]
        kept = b"".join(path.read_bytes() for path in shop.journal.path.parent.iterdir() if path.is_file())
        assert SECRET.encode() not in kept


def test_the_events_are_those_of_the_schema() -> None:
    from tests.documents import schema_of

    assert schema_of("notification")["properties"]["event"]["enum"] == list(BatchEvent)
