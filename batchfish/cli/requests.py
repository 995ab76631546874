"""Requests to the process that owns a journal: files beside it, which the owner takes in and removes.

No process but the owner writes to a journal. Another one leaves a request, to cancel items, to change a
batch's settings or to record a table file; the file appears whole and durably, and is removed once the
journal has recorded the request.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from contextlib import ExitStack, suppress
from functools import cache
from typing import TYPE_CHECKING

from msgspec.structs import replace

from batchfish.cli.factory import owned_journal
from batchfish.core.events import CancelRequested
from batchfish.core.rules import rules_from
from batchfish.core.settings import BUDGET, CONCURRENCY, HALT, settings_from
from batchfish.errors import BatchBusy, StorageFailed
from batchfish.pipeline.context import StopKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from batchfish.cli.agreement import Agreement
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.pipeline.context import Context

INTERVAL = 0.3
"""Seconds between two checks of the folder by the owner."""

CHECK_INTERVAL = 0.2
"""Seconds between two checks whether the owner has recorded a request."""

FOLDER, EARLIER_FOLDER = ".requests", ".wishes"
"""Suffixes of the journal's name: the folder of requests, and the one that earlier versions used."""

COMMIT_SIZE = 500


def carry_out(
    journal: Path,
    agreement: Agreement,
    *,
    here: Callable[[SqliteJournal, ExitStack], int],
    leave: Callable[[], Path],
) -> int | None:
    """Return what `here` makes of the journal if no process owns it; else leave a request to the owner.

    None once the owner has recorded the request that `leave` wrote. If the owner ends without doing so, the
    request is withdrawn and carried out here.
    """
    request: Path | None = None
    try:
        while True:
            try:
                with ExitStack() as stack:
                    owned = stack.enter_context(owned_journal(journal, agreement))
                    if request is not None and not request.exists():
                        return None  # done again here, it would undo what was asked for since
                    return here(owned, stack)
            except BatchBusy:
                if request is None:
                    request = leave()
                elif not request.exists():
                    return None
            time.sleep(CHECK_INTERVAL)
    finally:
        if request is not None:
            request.unlink(missing_ok=True)


def leave_settings(journal: Path, batch: Batch, changes: Mapping[str, object]) -> Path:
    """Write a request to change settings of a batch, by name; return its file, which the owner removes."""
    return _leave(journal, {"settings": changes, **_naming(batch)}, secrets.token_hex(8))


def leave_cancel(journal: Path, batch: Batch, items: Sequence[int] | None) -> Path:
    """Write a request to cancel items (None: all) of a batch; return its file, which the owner removes."""
    return _leave(journal, {"cancel": items, **_naming(batch)}, secrets.token_hex(8))


def _naming(batch: Batch) -> Mapping[str, object]:
    """Return the members of a request that name its batch.

    The key alone may name a batch of another journal: one that was deleted while its request waited.
    """
    return {"batch": batch.pk, "batch8": batch.batch8}


def leave_output(journal: Path, path: str, mark: str, now: float) -> None:
    """Write a request to record the mark (JSON) of a table file; an earlier one for this path is replaced."""
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    _leave(journal, {"output": path, "mark": mark, "at": now}, name)


def waiting_marks(journal: Path) -> list[str]:
    """Return the marks (JSON) of table files that no owner has recorded yet."""
    marks = []
    for path in _waiting(journal):
        with suppress(OSError, ValueError):  # an owner has just taken it in, or it is no request
            match json.loads(path.read_text(encoding="utf-8")):
                case {"output": str(), "mark": str(mark)}:
                    marks.append(mark)
    return marks


def _leave(journal: Path, request: Mapping[str, object], name: str) -> Path:
    folder = journal.with_name(journal.name + FOLDER)
    try:
        return _write(folder, request, name)
    except OSError as error:
        raise StorageFailed(f"{folder}: the request cannot be written there: {error.strerror}") from error


def _write(folder: Path, request: Mapping[str, object], name: str) -> Path:
    """Write a request durably; its file appears whole or not at all."""
    folder.mkdir(mode=0o700, exist_ok=True)
    draft = folder / f".{secrets.token_hex(8)}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(request, file)
        file.flush()
        os.fsync(file.fileno())
    path = folder / f"{name}.json"
    draft.rename(path)
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)
    return path


async def take_requests(ctx: Context, journal: SqliteJournal) -> None:
    """Carry out requests while the stages of a run work, until this task is cancelled."""
    while True:
        await take_waiting_requests(ctx, journal)
        await ctx.clock.sleep(INTERVAL)


async def take_waiting_requests(ctx: Context, journal: SqliteJournal) -> None:
    """Record what the waiting requests ask for, and remove their files."""
    for path in _waiting(journal.path):
        try:
            request: object = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:  # the process that left it has ended and removed it
            continue
        except ValueError:
            request = None
        match request:
            case {"batch": int(batch), **more} if not _is_known(journal, batch, more.get("batch8")):
                ctx.notice(f"{path}: a request for a batch that is not in {journal.path}; it was removed")
            case {"cancel": list() | None as items, "batch": int(batch)}:
                await cancel_items(ctx, journal, batch, items)
            case {"settings": dict(changes), "batch": int(batch)} if _are_settings(changes):
                change_settings(ctx, journal, batch, changes)
            case {"output": str(table), "mark": str(mark), "at": float(at)}:
                journal.record_output(table, mark, at)
            case _:
                ctx.notice(f"{path}: not a request of batchfish; the file was removed")
        path.unlink(missing_ok=True)


def _is_known(journal: SqliteJournal, batch: int, batch8: object) -> bool:
    """Whether a journal has this batch; requests of earlier versions have no batch8."""
    return any(one.pk == batch and batch8 in {None, one.batch8} for one in journal.reader.batches())


def _waiting(journal: Path) -> Iterator[Path]:
    for folder in _folders(journal):
        if folder.exists():
            yield from sorted(folder.glob("*.json"))


@cache  # the owner looks several times a second
def _folders(journal: Path) -> tuple[Path, ...]:
    return tuple(journal.with_name(journal.name + name) for name in (FOLDER, EARLIER_FOLDER))


async def cancel_items(ctx: Context, journal: SqliteJournal, batch: int, items: Sequence[int] | None) -> int:
    """Record durably that items (None: all that have not ended) are to be cancelled; return their number."""
    chosen = journal.reader.not_ended(batch) if items is None else list(items)
    for start in range(0, len(chosen), COMMIT_SIZE):
        for item in chosen[start : start + COMMIT_SIZE]:
            ctx.record(item, None, CancelRequested())
        await journal.commit()
    if items is None and batch == ctx.batch.pk:
        ctx.stop(StopKind.CANCELLED, "cancelled on request")
    ctx.wakeup.wake()
    return len(chosen)


def change_settings(ctx: Context, journal: SqliteJournal, batch: int, changes: Mapping[str, object]) -> None:
    """Record durably what a person sets for a batch, and obey it if that batch is being submitted."""
    journal.change_settings(batch, changes, ctx.clock.now())
    if batch != ctx.batch.pk:
        return
    settings = settings_from(journal.reader.settings(batch))
    wanted = settings.applied_to(rules_from(ctx.batch.manifest))
    # What was not changed now stays as it is: options of this process may have set it.
    changed = {name: getattr(wanted.limits, name) for name in (CONCURRENCY, HALT) if name in changes}
    limits = replace(ctx.rules.limits, **changed)
    budget = wanted.budget if BUDGET in changes else ctx.rules.budget
    ctx.obey(replace(ctx.rules, limits=limits, budget=budget), is_paused=settings.is_paused)


def _are_settings(changes: Mapping[str, object]) -> bool:
    try:
        settings_from(changes)
    except (TypeError, ValueError):
        return False
    return True
