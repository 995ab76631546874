"""Notifications: their targets, the ends of a batch that are worth one, and their words."""

from __future__ import annotations

import json
import shlex
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from msgspec import Struct

from batchfish.core.describe import cut, harmless, several
from batchfish.core.items import Status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

MOST_IDS = 20
"""The number of failed, and of held, items that a notification names."""

LONGEST_ID, LONGEST_MESSAGE, LONGEST_CAUSE = 100, 300, 600

CHANGES = frozenset({"added", "changed", "removed"})
"""The names in `only_if` for which the batch is compared with the one before."""

SPENT = "spent"
"""The name in `only_if` for what the batch has cost in US dollars, which needs a budget."""

CONDITION_NAMES = frozenset({*Status, *CHANGES, SPENT, "exit_code", "total"})
"""The names that `only_if` may use."""

ARGUMENT_NAMES = frozenset({"batch", "event", "subject"})
"""The variables that the arguments of a command may use."""

MESSAGES = "messages"
"""The word in `include` for the messages of failed and held items, which may quote pages and the API."""


class BatchEvent(StrEnum):
    """The ends of a process's work on a batch that are worth a notification."""

    FINISHED = "finished"
    HALTED = "halted"
    STOPPED = "stopped"
    HELD = "held"


class Channel(StrEnum):
    """The ways to send a notification."""

    WEBHOOK = "webhook"
    COMMAND = "command"
    APPRISE = "apprise"


class Target(Struct, frozen=True, kw_only=True):
    """An entry of `notify` in a manifest: where to send which notifications.

    `variable` is the name of the environment variable that holds the address of a webhook or of apprise,
    `url` is the address of a webhook that is no secret, and `argv` is a command with its arguments, which may
    be templates.
    """

    channel: Channel
    variable: str | None = None
    url: str | None = None
    argv: tuple[str, ...] = ()
    on: tuple[BatchEvent, ...] = tuple(BatchEvent)
    only_if: str | None = None
    include: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The channel and the address as the manifest has them, by which a journal knows the target."""
        if self.variable is not None:
            return f"{self.channel} ${self.variable}"
        return f"{self.channel} {self.url or shlex.join(self.argv)}"

    @property
    def label(self) -> str:
        """A short name for messages."""
        if self.url is not None:
            return f"{self.channel} {urlsplit(self.url).hostname}"
        return f"{self.channel} {cut(self.argv[0])}" if self.argv else self.name


class NotifiedState(NamedTuple):
    """The state (see `BatchEnd`) and the held attempts that a notification was about."""

    state: str
    held: frozenset[str]


class BatchEnd(Struct, frozen=True, kw_only=True):
    """The end of a process's work on a batch.

    `event` is how the batch ended, None where nothing needs to be told: items are left because the process
    was not asked to submit them, or a person interrupted it. `reason` is the kind of a stop or an error.
    `held` are the attempts that wait for a person.
    """

    event: BatchEvent | None
    reason: str | None = None
    exit_code: int
    counts: Mapping[str, int]
    held: frozenset[str] = frozenset()

    @property
    def state(self) -> str:
        """The event, the reason and the counts: an end like it tells nothing new."""
        counts = ", ".join(f"{number} {name}" for name, number in sorted(self.counts.items()) if number)
        return f"{self.event} {self.reason or ''}: {counts}"


def event_for(target: Target, end: BatchEnd, latest: NotifiedState | None) -> BatchEvent | None:
    """Return the event to notify a target of; None if it wants none of this end, or knows of it already.

    `latest` is what the latest notification to it about this batch was about. One notification tells of the
    end and of held attempts together.
    """
    is_new_end = end.event is not None and (latest is None or latest.state != end.state)
    if is_new_end and end.event in target.on:
        return end.event
    newly_held = end.held - (latest.held if latest is not None else frozenset())
    return BatchEvent.HELD if newly_held and BatchEvent.HELD in target.on else None


def notified_by(end: BatchEnd, latest: NotifiedState | None) -> NotifiedState:
    """Return what a target knows after a notification about an end; `latest` is what it knew before."""
    if end.event is None:
        return NotifiedState(state=latest.state if latest is not None else "", held=end.held)
    return NotifiedState(state=end.state, held=end.held)


def condition_values(end: BatchEnd, names: AbstractSet[str], more: Mapping[str, float]) -> dict[str, float]:
    """Return the values of the names that a condition uses; `more` are those that an end does not have."""
    known: dict[str, float] = {
        **{status.value: 0 for status in Status},
        **end.counts,
        "total": sum(end.counts.values()),
        "exit_code": end.exit_code,
        **more,
    }
    return {name: known[name] for name in names if name in known}


def cause_of(message: str | None) -> str | None:
    """Return the member of a notification that says why a batch stopped, on one line; None if it did not."""
    return None if message is None else cut(" ".join(message.split()), LONGEST_CAUSE)


def listed(ids: Sequence[str], total: int) -> dict[str, Any]:
    """Return the member of a notification that names items: at most MOST_IDS of `total`."""
    return {"total": total, "ids": [cut(one, LONGEST_ID) for one in ids[:MOST_IDS]]}


def messages_of(items: Sequence[tuple[str, str, str | None, str | None]]) -> list[dict[str, Any]]:
    """Return the member of a notification with messages, from id, status, reason and message of items."""
    return [
        {
            "id": cut(name, LONGEST_ID),
            "status": status,
            "reason": reason,
            "message": None if message is None else cut(" ".join(message.split()), LONGEST_MESSAGE),
        }
        for name, status, reason, message in items[:MOST_IDS]
    ]


def body_text(body: Mapping[str, Any]) -> str:
    """Return the JSON document of a notification with this body, in UTF-8 and not in escapes.

    It fits into an environment variable, which Linux bounds to 128 KiB.
    """
    members = {"type": "notification", "subject": subject_of(body), "text": text_of(body), **body}
    return json.dumps(members, ensure_ascii=False)


def subject_of(body: Mapping[str, Any]) -> str:
    """Return one line about a notification's body (see docs/schemas/notification.json)."""
    what = _spell_event(body)
    rehearsal = " (rehearsal)" if body["local"] else ""
    return _one_line(f"batchfish: {body['batch']} {what}: {_spell_counts(body['counts'])}{rehearsal}")


def text_of(body: Mapping[str, Any]) -> str:
    """Return the text of a notification with this body: what happened, the items, and the commands."""
    where = " in a rehearsal on the local agent" if body["local"] else ""
    counts = _spell_counts(body["counts"])
    at = body["at"].replace("T", " ")
    lines = [
        f"{body['batch']} {_spell_event(body)}{where} at {at} (exit code {body['exit_code']}): {counts}."
    ]
    if (cause := body.get("message")) is not None:  # a version before stored bodies without it
        lines.append(f"Why it stopped: {cause}")
    if (changes := body["changes"]) is not None:
        numbers = (f"{several(changes['changed'], 'item')} changed", f"{changes['added']:,} added")
        lines.append(f"Since the batch before: {', '.join(numbers)}, {changes['removed']:,} removed.")
    if body["spent_usd"] is not None:
        lines.append(f"Spent: ${body['spent_usd']:,.2f}.")
    lines += [
        f"{title}: {_spell_listed(body[name])}"
        for name, title in (("failed", "Failed"), ("held", "Held"))
        if body[name]["total"]
    ]
    lines += [_spell_message(one) for one in body["messages"] or ()]
    lines += [
        f"{title}: {body[name]}"
        for name, title in (
            ("see_failed", "To see what failed"),
            ("decide", "To decide about what is held"),
            ("resume", "To go on"),
        )
        if body[name] is not None
    ]
    return "\n".join(_one_line(line) for line in lines) + "\n"


def _spell_event(body: Mapping[str, Any]) -> str:
    reason = body["reason"]
    why = f" ({reason.replace('_', ' ')})" if reason is not None else ""
    match BatchEvent(body["event"]):
        case BatchEvent.FINISHED:
            return "finished"
        case BatchEvent.HALTED:
            return "halted, too many items failed"
        case BatchEvent.STOPPED:
            return f"stopped{why}"
        case BatchEvent.HELD:
            return "waits for a decision about held items"


def _spell_counts(counts: Mapping[str, int]) -> str:
    parts = [f"{counts[status]:,} {status}" for status in Status if counts.get(status)]
    return ", ".join(parts) or "nothing was submitted"


def _spell_listed(found: Mapping[str, Any]) -> str:
    ids: Sequence[str] = found["ids"]
    more = found["total"] - len(ids)
    return ", ".join(ids) + (f" and {more:,} more" if more else "")


def _spell_message(one: Mapping[str, Any]) -> str:
    reason = one["reason"] or one["status"]
    return f"- {one['id']}: {reason}" + (f": {one['message']}" if one["message"] else "")


def _one_line(text: str) -> str:
    """Return a text without ends of lines and control characters, for headers of mails and for terminals."""
    return harmless(" ".join(text.split()))
