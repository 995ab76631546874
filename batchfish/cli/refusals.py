"""Notifies the targets of a manifest of a start that was refused, of which no batch has a record."""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batchfish.cli.console import is_terminal
from batchfish.cli.failures import failure_of
from batchfish.cli.notifications import delivery_of, never_failing, print_result, surroundings
from batchfish.cli.system_clock import SystemClock
from batchfish.core.notifications import BatchEvent, cause_of, listed
from batchfish.errors import BatchfishError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from batchfish.cli.console import Console
    from batchfish.cli.failures import Failure
    from batchfish.core.notifications import Target


class Start(Struct, frozen=True, kw_only=True):
    """The start of a command that may be refused.

    `name` is that of the batch or of its manifest, `targets` those of the manifest, `folder` the manifest's,
    and `command` is what is to be typed once the reason is mended.
    """

    name: str
    targets: Sequence[Target]
    folder: Path
    is_local: bool
    command: str


@contextmanager
def notifying_of_refusals(start: Start, env: Mapping[str, str], console: Console) -> Iterator[None]:
    """Notify the targets of an error in the block, and raise it again.

    Not told are errors that pass by themselves (exit code 75), and those that a person sees at a terminal.
    Without a batch nothing records what was told: each start that is refused is told again, but nothing is
    sent later.
    """
    try:
        yield
    except BatchfishError as error:
        failure = failure_of(error)
        targets = [target for target in start.targets if BatchEvent.STOPPED in target.on]
        if targets and failure.exit_code != os.EX_TEMPFAIL and not is_terminal():
            with never_failing(console):
                asyncio.run(_notify(start, targets, failure, env, console))
        raise


async def _notify(
    start: Start, targets: Sequence[Target], failure: Failure, env: Mapping[str, str], console: Console
) -> None:
    from batchfish.notify.delivery import deliver
    from batchfish.notify.targets import send, unlogged

    around, body = surroundings(start.folder, env), _body_of(start, failure)
    deliveries = [
        delivery_of(number, f"refused-{secrets.token_hex(8)}", body, target)
        for number, target in enumerate({target.name: target for target in targets}.values())
    ]
    with unlogged():
        results = await deliver(
            deliveries,
            lambda target, message, within: send(target, message, around, within),
            _NoLog(),
            SystemClock(),
        )
    for result in results:
        print_result(console, result, is_tried_again=False)


class _NoLog:
    """Records no tries: there is no batch that they would belong to."""

    def begin_try(self, pk: int) -> None:
        """Record nothing."""

    def record_sent(self, pk: int, now: float) -> None:
        """Record nothing."""

    def record_failure(self, pk: int, error: str) -> None:
        """Record nothing."""


def _body_of(start: Start, failure: Failure) -> dict[str, Any]:
    """Return the body of a notification, as docs/schemas/notification.json describes it."""
    return {
        "batch": start.name,
        "local": start.is_local,
        "at": datetime.fromtimestamp(SystemClock().now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "event": BatchEvent.STOPPED,
        "reason": failure.kind,
        "message": cause_of(str(failure)),
        "exit_code": failure.exit_code,
        "counts": {},
        "changes": None,
        "spent_usd": None,
        "failed": listed([], 0),
        "held": listed([], 0),
        "messages": None,
        "resume": start.command,
        "see_failed": None,
        "decide": None,
    }
