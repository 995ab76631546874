"""Checks of what a batch needs: key, API, clock, markers, journals, disk and the local agent.

Each check returns findings; none of them sends a create.
"""

from __future__ import annotations

import shutil
from enum import StrEnum
from importlib import import_module
from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.cli.access import API_KEY, BASE_URL
from batchfish.cli.factory import identity_of
from batchfish.core.describe import several, spell_duration
from batchfish.core.identity import MARKER_OPENING, read_marker
from batchfish.errors import BatchfishError, NeedsYes, NotPermitted, StorageFailed, WrongInput
from batchfish.journal.lock import check_file_system, compare, owner_of
from batchfish.journal.queries import open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from batchfish.pipeline.clock import Clock
    from batchfish.webagent.base import Listing, WebAgent

MOST_SKEW = 30.0
"""Seconds by which the clock may differ from the API's before it is reported."""
LITTLE_SPACE, TOO_LITTLE_SPACE = 10**9, 10**8
"""Bytes of free space below which there is a note, and below which the disk counts as full."""
ROWS_LOOKED_AT = 20
RESTORE = "Restore it from a backup before you run its batch again: it knows what was paid for."


class State(StrEnum):
    """The result of a check: `note` is worth reading, `wrong` has to be corrected."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


class Finding(Struct, frozen=True, kw_only=True):
    """The finding of a check; `remedy` says what to do about it."""

    check: str
    state: State
    message: str
    remedy: str | None = None


def _ok(check: str, message: str) -> Finding:
    return Finding(check=check, state=State.OK, message=message)


def _note(check: str, message: str, remedy: str | None = None) -> Finding:
    return Finding(check=check, state=State.NOTE, message=message, remedy=remedy)


def _wrong(check: str, message: str, remedy: str) -> Finding:
    return Finding(check=check, state=State.WRONG, message=message, remedy=remedy)


async def check_api(agent: WebAgent, address: str, clock: Clock, env: Mapping[str, str]) -> list[Finding]:
    """Check key, API, clock and markers by one free listing."""
    sent_at = clock.now()
    try:
        listing = await agent.find_by_marker(MARKER_OPENING, limit=ROWS_LOOKED_AT)
    except NotPermitted as error:
        remedy = f"Copy the key again, and set {API_KEY}; keys are made in the account's settings."
        return [_wrong("key", f"{address} refuses the key: {error.message}", remedy)]
    except BatchfishError as error:
        named = f" {BASE_URL} is set: is it the right address?" if env.get(BASE_URL) else ""
        remedy = f"Check the network and the proxy settings (HTTPS_PROXY) of this machine.{named}"
        if isinstance(error, WrongInput):
            remedy = f"Correct --base-url, or {BASE_URL}."
        return [_wrong("API", f"{address} gave no usable answer: {error.message}", remedy)]
    took = clock.now() - sent_at
    return [
        _ok("key", f"{address} accepts it"),
        _ok("API", f"{address} answered in {took:.2f}s"),
        _judge_clock(listing.server_date, sent_at + took / 2),
        _judge_markers(listing),
    ]


def _judge_clock(server_date: float | None, now: float) -> Finding:
    if server_date is None:
        return _note("clock", "not checked: the API sends no date")
    skew = now - server_date
    if abs(skew) <= MOST_SKEW:
        return _ok("clock", "this machine's clock agrees with the API's")
    word = "ahead of" if skew > 0 else "behind"
    return _wrong(
        "clock",
        f"this machine's clock is {spell_duration(abs(skew))} {word} the API's: periods begin at another "
        "time than meant",
        "Set the clock by the network: timedatectl set-ntp true",
    )


def _judge_markers(listing: Listing) -> Finding:
    """Judge whether the API's listing finds runs by their marker and shows it."""
    if not listing.rows:
        return _ok("markers", "the listing answers; the account has no run of batchfish yet to find")
    shown = [run for run in listing.rows if read_marker(run.goal or "")]
    if len(shown) == len(listing.rows):
        return _ok("markers", f"the listing finds runs by their marker ({several(len(shown), 'run')} seen)")
    hidden = len(listing.rows) - len(shown)
    return _wrong(
        "markers",
        f"the listing shows {several(hidden, 'run')} without the marker at the end of the goal: unanswered "
        "creates would be held",
        "Ask the API's support why `GET /v1/runs?goal=` does not filter by goal or cuts goals.",
    )


def check_journals(paths: Sequence[Path], folder: Path) -> Iterator[Finding]:
    """Check the file system of the folder that journals lie in or would lie in, and these journals."""
    try:
        check_file_system(folder)
        yield _ok("file system", f"{folder}: locks and fsync work")
    except StorageFailed as error:
        remedy = error.remedy or "Keep journals on a local disk that you can write to."
        yield _wrong("file system", error.message, remedy)
    for path in paths:
        try:
            yield _check_journal(path)
        except StorageFailed as error:
            yield _wrong("journal", error.message, error.remedy or RESTORE)


def _check_journal(path: Path) -> Finding:
    with open_reader(path) as reader:
        damage, known, batches = reader.damage(), reader.file_identity(), reader.batches()
    if damage is not None:
        return _wrong("journal", f"{path} is damaged: {damage}", RESTORE)
    if known is not None:
        try:
            compare(dict(known), identity_of(path))
        except NeedsYes as moved:
            remedy = "If it is the only one in use, the next command agrees with --accept moved-journal."
            return _wrong("journal", moved.message, remedy)
    owner = owner_of(path)
    work = f"; process {owner} is working on it" if owner is not None else ""
    return _ok("journal", f"{path}: {len(batches)} batch{'' if len(batches) == 1 else 'es'}, undamaged{work}")


def check_disk(folder: Path, free: int | None = None) -> Finding:
    """Check the space that is left for journals and tables; `free` bytes instead of the disk's own."""
    free = shutil.disk_usage(folder).free if free is None else free
    size = f"{free / 10**9:,.1f} GB" if free >= 10**9 else f"{free / 10**6:,.1f} MB"
    message = f"{folder}: {size} free"
    if free < TOO_LITTLE_SPACE:
        return _wrong("disk", message, "Make room: a batch stops with exit code 74 when its disk is full.")
    if free < LITTLE_SPACE:
        return _note("disk", message, "Make room before a batch of many items.")
    return _ok("disk", message)


def check_local_agent(chromium: Path | None) -> Finding:
    """Check that the local agent's packages are installed, and that there is a browser for it."""
    try:
        import_module("batchfish.localagent.serve")
        from batchfish.localagent.engines.browser.chromium import find_chromium
    except ModuleNotFoundError as error:
        remedy = "To use --local: pip install 'batchfish[local]'"
        return _note("local agent", f"not installed: {error.name} is missing", remedy)
    try:
        found = find_chromium(chromium)
    except WrongInput as error:
        return _note("local agent", "reads pages as they are served, without their scripts", str(error))
    return _ok("local agent", f"reads pages, also those built by scripts, with {found}")
