"""A log with a line for each run that has ended, in the columns of GNU parallel's `--joblog`."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from batchfish.core.describe import harmless
from batchfish.core.events import RunEnded
from batchfish.core.items import Status
from batchfish.errors import StorageFailed, WrongInput
from batchfish.journal.records import EndedRun

if TYPE_CHECKING:
    from pathlib import Path

    from batchfish.core.events import Event
    from batchfish.core.lifecycle import Change
    from batchfish.journal.records import Batch
    from batchfish.journal.sqlite import SqliteJournal

COLUMNS = ("Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval", "Signal", "Command")
HEADER = "\t".join(COLUMNS)
CANCELLED_SIGNAL = 15
"""The signal that a cancelled run is logged with, as if it had been terminated."""


class JobLog:
    """Appends a line for each run of a batch that ends, and none twice.

    Seq is the item's row in the manifest, Receive the size of the result in bytes, Exitval 0 if the item
    succeeded by this run, and Signal 15 if the run was cancelled. Command is the item's id, its URL and the
    run's id, by which a line that is there already is recognised.
    """

    def __init__(self, path: Path, batch: Batch, journal: SqliteJournal) -> None:
        """Open the file, and append the runs that ended before; WrongInput if it is another kind of file."""
        self._journal = journal
        self._batch = batch.pk
        self._host = batch.base_url.partition("://")[2] or "local"
        self._logged = _read_run_ids(path)
        self._is_whole = True
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(descriptor, "a", encoding="utf-8")
            if self._file.tell() == 0:
                self._file.write(f"{HEADER}\n")
            for one in journal.reader.ended_runs(batch.pk):
                self._append(one)
            self._file.flush()
        except OSError as error:
            raise StorageFailed(f"{path}: the job log cannot be written: {error.strerror}") from error

    def note(self, event: Event, change: Change) -> None:
        """Append the line of a run whose end was just recorded; a file that cannot be written is given up."""
        attempt = change.attempt
        if not isinstance(event, RunEnded) or attempt is None or change.item.batch != self._batch:
            return
        is_followed = change.item.follows == attempt.k
        run = EndedRun(
            row=change.item.row,
            item_id=change.item.id,
            url=self._journal.request(change.item.pk).url,
            run_id=event.run.run_id,
            status=event.run.status,
            sent_at=attempt.created_at or attempt.intended_at,
            started_at=attempt.started_at,
            finished_at=attempt.finished_at,
            succeeded=is_followed and change.item.status is Status.SUCCEEDED,
            result_bytes=len(event.run.result or b""),
        )
        if self._is_whole:
            try:
                self._append(run)
                self._file.flush()
            except OSError:
                self._is_whole = False  # the next run of the batch appends what is missing

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _append(self, run: EndedRun) -> None:
        if run.run_id in self._logged:
            return
        self._logged.add(run.run_id)
        started = run.started_at or run.sent_at
        columns = (
            run.row,
            self._host,
            f"{started:.3f}",
            f"{max(0.0, (run.finished_at or started) - started):.3f}",
            0,
            run.result_bytes,
            0 if run.succeeded else 1,
            CANCELLED_SIGNAL if run.status == "CANCELLED" else 0,
            " ".join(map(_as_word, (run.item_id, run.url, run.run_id))),
        )
        self._file.write("\t".join(map(str, columns)) + "\n")


def _as_word(text: str) -> str:
    """Return a text without blanks and control characters, which would end a column or a line."""
    return harmless("%20".join(text.split()))


def _read_run_ids(path: Path) -> set[str]:
    """Return the ids of the runs that a job log has already, and drop a last line that was cut short."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe or a terminal would wait for its writer
            raise WrongInput(f"{path} is not a regular file", remedy="Name another file.")
        content = path.read_bytes()
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise StorageFailed(f"{path}: the job log cannot be read: {error.strerror}") from error
    lines = content.decode("utf-8", "replace").split("\n")
    if content and lines[0] != HEADER:
        raise WrongInput(
            f"{path} is not a job log: its first line is another one", remedy="Name another file."
        )
    if lines[-1]:
        os.truncate(path, content.rfind(b"\n") + 1)
    return {line.rpartition(" ")[2] for line in lines[1:-1]}
