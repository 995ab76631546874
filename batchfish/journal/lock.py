"""Whose journal file this is: one owner at a time, on a local disk, where it was last time."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from batchfish.errors import BatchBusy, NeedsYes, StorageFailed

NETWORK_FILE_SYSTEMS = frozenset(
    {"9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs", "virtiofs"}
)


class OwnerLock:
    """The exclusive right to write one journal: an flock on a file beside it, which ends with the process."""

    def __init__(self, journal: Path) -> None:
        """Take the lock, or raise BatchBusy with the owner's process id, once it is known."""
        self._path = journal.with_name(journal.name + ".lock")
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise StorageFailed(f"{self._path}: cannot open the lock file: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._file, 20).decode("ascii", "replace").strip()
            os.close(self._file)
            # Between taking the lock and writing its number down, an owner has no name.
            who = f"another process (pid {owner}) is working" if owner else "another process begins to work"
            raise BatchBusy(f"{journal}: {who} on it") from None
        try:
            os.ftruncate(self._file, 0)
            os.write(self._file, f"{os.getpid()}\n".encode())
        except OSError as error:
            os.close(self._file)
            raise StorageFailed(f"{self._path}: cannot write the lock file: {error.strerror}") from error

    def release(self) -> None:
        """Give the right up; the file stays, since a process that waits has it open."""
        with suppress(OSError):  # a number that is left there names no process of ours
            os.ftruncate(self._file, 0)
        os.close(self._file)


def owner_of(journal: Path) -> int | None:
    """Tell which process works on a journal, None where none does; for people to read, not to rely on.

    Only the lock itself is proof, and to try it would keep a starting owner out for that moment.
    """
    try:
        owner = int(journal.with_name(journal.name + ".lock").read_text(encoding="ascii"))
        if owner <= 0:
            return None  # to the system call such numbers mean groups of processes
        os.kill(owner, 0)
    except PermissionError:
        return owner
    except (OSError, ValueError):
        return None
    return owner


def refuse_network_file_system(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Raise StorageFailed where `folder` is on a network file system: locks and fsync mean nothing there."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return  # not Linux: nothing to read it from
    resolved = folder.resolve()
    best, kind = -1, ""
    for line in lines:
        fields = line.split(" ")
        point = Path(fields[1].replace("\\040", " "))
        if resolved.is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    if kind in NETWORK_FILE_SYSTEMS or kind.startswith("fuse.ssh"):
        raise StorageFailed(
            f"{folder} is on a network file system ({kind}), where a journal is not safe. "
            "Use --journal FILE to keep it on a local disk."
        )


def identify(journal: Path, machine_id: str | None, boot_id: str) -> dict[str, str]:
    """Say where and what the file is, as it is remembered from one process to the next."""
    stat = journal.stat()
    return {
        "path": str(journal.resolve()),
        "inode": str(stat.st_ino),
        "device": str(stat.st_dev),
        "boot_id": boot_id,
        "machine": machine_id or "unknown",
    }


def compare(known: dict[str, str], now: dict[str, str]) -> None:
    """Raise NeedsYes where the journal is not the file it was: moved, or a copy that would pay again."""
    facts = ["path", "inode", "machine"]
    if known["boot_id"] == now["boot_id"]:
        facts.append("device")  # numbers of devices are given anew at each boot
    changed = [fact for fact in facts if known[fact] != now[fact]]
    if changed:
        was = ", ".join(f"{fact} {known[fact]} is now {now[fact]}" for fact in changed)
        raise NeedsYes(
            f"{now['path']}: this journal was moved or copied ({was}). If the other one is still in use, "
            "the same items would be paid for twice. Agree only if this is the only one in use.",
            question="moved-journal",
        )
