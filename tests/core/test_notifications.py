"""Notifications: which end of a batch is told to whom, once, and in which words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batchfish.core.expressions import compile_condition
from batchfish.core.notifications import (
    MOST_IDS,
    BatchEnd,
    BatchEvent,
    Channel,
    NotifiedState,
    Target,
    body_text,
    cause_of,
    condition_values,
    event_for,
    listed,
    messages_of,
    notified_by,
    subject_of,
    text_of,
)

HOOK = Target(channel=Channel.WEBHOOK, variable="SHOP_HOOK")
BODY: dict[str, Any] = {
    "batch": "shop@2026-11-30",
    "local": False,
    "at": "2026-11-30T06:00:00Z",
    "event": "finished",
    "reason": None,
    "exit_code": 1,
    "counts": {"succeeded": 1198, "failed": 2},
    "changes": None,
    "spent_usd": None,
    "failed": {"total": 2, "ids": ["a", "b"]},
    "held": {"total": 0, "ids": []},
    "messages": None,
    "resume": None,
    "see_failed": "batchfish results shop --failed -o failed.csv",
    "decide": None,
}


def ended(event: BatchEvent | None, *held: str, reason: str | None = None, **counts: int) -> BatchEnd:
    return BatchEnd(event=event, reason=reason, exit_code=1, counts=counts, held=frozenset(held))


def on(*events: BatchEvent) -> Target:
    return Target(channel=Channel.WEBHOOK, variable="SHOP_HOOK", on=events)


class TestEvents:
    def test_an_end_is_told_once(self) -> None:
        end = ended(BatchEvent.FINISHED, succeeded=2)
        assert event_for(HOOK, end, None) is BatchEvent.FINISHED
        assert event_for(HOOK, end, notified_by(end, None)) is None

    def test_an_end_with_other_counts_or_another_reason_is_told_again(self) -> None:
        end = ended(BatchEvent.STOPPED, reason="no_credits", queued=5)
        latest = notified_by(end, None)
        assert event_for(HOOK, ended(BatchEvent.STOPPED, reason="no_credits", queued=5), latest) is None
        assert (
            event_for(HOOK, ended(BatchEvent.STOPPED, reason="unreachable", queued=5), latest)
            is BatchEvent.STOPPED
        )
        assert (
            event_for(HOOK, ended(BatchEvent.STOPPED, reason="no_credits", queued=4), latest)
            is BatchEvent.STOPPED
        )

    def test_a_target_is_told_what_it_is_for(self) -> None:
        end = ended(BatchEvent.HALTED, failed=10)
        assert event_for(on(BatchEvent.FINISHED, BatchEvent.HELD), end, None) is None
        assert event_for(on(BatchEvent.HALTED), end, None) is BatchEvent.HALTED

    def test_nothing_is_told_of_a_batch_that_a_person_left(self) -> None:
        assert event_for(HOOK, ended(None, queued=5), None) is None

    def test_held_attempts_are_told_once_each(self) -> None:
        first = ended(None, "1.1", "2.1", held=2)
        assert event_for(HOOK, first, None) is BatchEvent.HELD
        latest = notified_by(first, None)
        assert event_for(HOOK, ended(None, "2.1", held=1), latest) is None
        assert event_for(HOOK, ended(None, "2.1", "2.2", held=1), latest) is BatchEvent.HELD
        assert event_for(on(BatchEvent.FINISHED), first, None) is None

    def test_one_notification_tells_of_an_end_and_of_held_attempts(self) -> None:
        end = ended(BatchEvent.STOPPED, "1.1", reason="slots_held", held=1, queued=3)
        assert event_for(HOOK, end, None) is BatchEvent.STOPPED
        assert event_for(HOOK, end, notified_by(end, None)) is None
        assert event_for(on(BatchEvent.HELD), end, None) is BatchEvent.HELD

    def test_what_was_told_of_an_end_is_remembered_while_held_attempts_are_told(self) -> None:
        stopped = ended(BatchEvent.STOPPED, reason="unreachable", queued=3)
        latest = notified_by(ended(None, "1.1", held=1), notified_by(stopped, None))
        assert latest == NotifiedState(state=stopped.state, held=frozenset({"1.1"}))


class TestConditions:
    @pytest.mark.parametrize(
        ("condition", "holds"),
        [
            ("failed > 0", True),
            ("failed > 2 or changed > 0", False),
            ("held + cancelled", False),
            ("failed / total > 0.001", True),
            ("exit_code == 1 and spent < 0.5", True),
        ],
    )
    def test_counts_and_changes_can_be_compared(self, condition: str, holds: bool) -> None:  # noqa: FBT001 - a case
        compiled = compile_condition(condition)
        end = ended(BatchEvent.FINISHED, succeeded=1198, failed=2)
        more = {"added": 0, "changed": 0, "removed": 3, "spent": 0.25}
        assert compiled.holds(condition_values(end, compiled.variables, more)) == holds


class TestNames:
    def test_a_journal_knows_a_target_by_what_the_manifest_says(self) -> None:
        mail = Target(channel=Channel.COMMAND, argv=("mail", "-s", "{{ subject }}", "ann@example.org"))
        assert HOOK.name == "webhook $SHOP_HOOK"
        assert mail.name == "command mail -s '{{ subject }}' ann@example.org"

    def test_messages_name_it_briefly(self) -> None:
        mail = Target(channel=Channel.COMMAND, argv=("mail", "-s", "{{ subject }}"))
        plain = Target(channel=Channel.WEBHOOK, url="https://hooks.example/services/T0/B1")
        assert (HOOK.label, mail.label, plain.label) == (
            "webhook $SHOP_HOOK",
            "command mail",
            "webhook hooks.example",
        )


class TestWords:
    def test_a_text_says_what_happened_and_what_to_do(self) -> None:
        assert text_of(BODY) == (
            "shop@2026-11-30 finished at 2026-11-30 06:00:00Z (exit code 1): 1,198 succeeded, 2 failed.\n"
            "Failed: a, b\n"
            "To see what failed: batchfish results shop --failed -o failed.csv\n"
        )
        assert subject_of(BODY) == "batchfish: shop@2026-11-30 finished: 1,198 succeeded, 2 failed"

    def test_a_stop_with_everything(self) -> None:
        body = BODY | {
            "batch": "shop",
            "local": True,
            "event": "stopped",
            "reason": "no_credits",
            "message": cause_of("the account is\nout of credits. Add some."),
            "exit_code": 3,
            "counts": {"failed": 30},
            "changes": {"added": 1, "changed": 1, "removed": 0},
            "spent_usd": 12.5,
            "failed": {"total": 30, "ids": ["a"]},
            "held": {"total": 1, "ids": ["h"]},
            "messages": [{"id": "a", "status": "failed", "reason": "no_price", "message": "gone"}],
            "resume": "batchfish resume shop --local",
            "decide": "batchfish held list --batch shop --local",
        }
        first, *others = text_of(body).splitlines()
        where = "in a rehearsal on the local agent at 2026-11-30 06:00:00Z"
        assert first == f"shop stopped (no credits) {where} (exit code 3): 30 failed."
        assert others == [
            "Why it stopped: the account is out of credits. Add some.",
            "Since the batch before: 1 item changed, 1 added, 0 removed.",
            "Spent: $12.50.",
            "Failed: a and 29 more",
            "Held: h",
            "- a: no_price: gone",
            "To see what failed: batchfish results shop --failed -o failed.csv",
            "To decide about what is held: batchfish held list --batch shop --local",
            "To go on: batchfish resume shop --local",
        ]
        assert subject_of(body).endswith("30 failed (rehearsal)")

    def test_the_cause_of_a_stop_is_not_that_of_held_items(self) -> None:
        body = BODY | {"event": "held", "reason": "max_duration", "message": "its time of 1h is over"}
        first, second, *_ = text_of(body).splitlines()
        assert "waits for a decision about held items" in first
        assert second == "Why it stopped: its time of 1h is over"

    def test_ids_are_bounded_and_control_nothing(self) -> None:
        ids = [f"i{number}" for number in range(1000)]
        assert listed(ids, 1000) == {"total": 1000, "ids": ids[:MOST_IDS]}
        body = BODY | {"failed": listed(["a\r\nBcc: eve@example.org", "\x1b[31m", "x" * 500], 3)}
        text = text_of(body)
        assert "\r" not in text
        assert "\x1b" not in text
        assert max(map(len, text.splitlines())) < 300

    def test_a_subject_is_one_line(self) -> None:
        assert "\n" not in subject_of(BODY | {"batch": "shop\nBcc: eve@example.org"})

    def test_the_longest_body_fits_into_an_environment_variable(self) -> None:
        fish = "\U0001f41f" * 1000
        named = listed([fish] * 100, 100)
        messages = messages_of([(fish, "failed", "r" * 60, fish)] * 100)
        text = body_text(BODY | {"failed": named, "held": named, "messages": messages})
        assert len(text.encode()) < 128 * 1024 - len("BATCHFISH_NOTIFICATION=") - 1
        assert json.loads(text)["type"] == "notification"
