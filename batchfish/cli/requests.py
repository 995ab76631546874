"""A person's wish reaches a process at work: a fsynced file in the journal's mailbox, gone once heeded."""

from __future__ import annotations

import json
import os
import secrets
from typing import TYPE_CHECKING

from batchfish.core.events import CancelRequested
from batchfish.errors import StorageFailed
from batchfish.journal import queries
from batchfish.pipeline.context import StopKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Context

LOOK_EVERY = 0.3


def mailbox(journal: Path) -> Path:
    """Give the folder that wishes for a journal's owner are left in."""
    return journal.with_name(journal.name + ".wishes")


def leave(journal: Path, batch: int, items: Sequence[int] | None) -> Path:
    """Leave a wish to cancel items (None: all) of a batch; its file goes once the journal has it."""
    box = mailbox(journal)
    try:
        return _write(box, {"cancel": items, "batch": batch})
    except OSError as error:
        raise StorageFailed(f"{box}: the request to cancel cannot be left there: {error.strerror}") from error


def _write(box: Path, wish: Mapping[str, object]) -> Path:
    """Write a wish, durably: whole or not at all."""
    box.mkdir(mode=0o700, exist_ok=True)
    draft = box / f".{secrets.token_hex(8)}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(wish, file)
        file.flush()
        os.fsync(file.fileno())
    left = draft.with_name(f"{draft.name[1:]}.json")
    draft.rename(left)
    folder = os.open(box, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    return left


async def heed(ctx: Context, journal: SqliteJournal) -> None:
    """Heed wishes beside the stages of a run, until it is over."""
    while True:
        await heed_once(ctx, journal)
        await ctx.clock.sleep(LOOK_EVERY)


async def heed_once(ctx: Context, journal: SqliteJournal) -> None:
    """Take up what lies in the mailbox now."""
    box = mailbox(journal.path)
    for path in sorted(box.glob("*.json")) if box.exists() else ():
        try:
            wish = json.loads(path.read_text())
        except FileNotFoundError:  # whoever left it has gone and taken it back
            continue
        await cancel_items(ctx, journal, wish["batch"], wish["cancel"])
        path.unlink(missing_ok=True)


async def cancel_items(ctx: Context, journal: SqliteJournal, batch: int, items: Sequence[int] | None) -> int:
    """Record the wish to cancel, durably; give the number of items it meets."""
    chosen = queries.not_ended(journal.connection, batch) if items is None else list(items)
    for start in range(0, len(chosen), 500):
        for item in chosen[start : start + 500]:
            ctx.record(item, None, CancelRequested())
        await journal.commit()
    if items is None and batch == ctx.batch.pk:
        ctx.stop(StopKind.CANCELLED, "cancelled on request")
    ctx.wakeup.wake()
    return len(chosen)
