"""The lock that makes one process the owner of a journal, and checks that the file is where it was."""

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
    """The exclusive right to write one journal: an flock on a file beside it, released with the process."""

    def __init__(self, journal: Path) -> None:
        """Acquire the lock; BatchBusy, with the owner's process id if known, if another process has it."""
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
            # An owner writes its process id only after it has taken the lock.
            who = f"another process (pid {owner}) is working" if owner else "another process is working"
            raise BatchBusy(
                f"{journal}: {who} on it",
                remedy="Wait until it has ended; the commands that run a batch do so with --if-running wait.",
            ) from None
        try:
            os.ftruncate(self._file, 0)
            os.write(self._file, f"{os.getpid()}\n".encode())
        except OSError as error:
            os.close(self._file)
            raise StorageFailed(f"{self._path}: cannot write the lock file: {error.strerror}") from error

    def release(self) -> None:
        """Release the lock; the file stays, since a waiting process has it open."""
        with suppress(OSError):  # an id that is left there names no process of ours
            os.ftruncate(self._file, 0)
        os.close(self._file)


def owner_of(journal: Path) -> int | None:
    """Return the id of the process that works on a journal, None if none does; only for display.

    Only the lock itself is proof, and trying it could keep an owner out that starts at that moment.
    """
    try:
        owner = int(journal.with_name(journal.name + ".lock").read_text(encoding="ascii"))
        if owner <= 0:
            return None  # to kill(2) these mean groups of processes
        os.kill(owner, 0)
    except PermissionError:
        return owner
    except (OSError, ValueError):
        return None
    return owner


def refuse_network_file_system(folder: Path, mounts: Path = Path("/proc/self/mounts")) -> None:
    """Raise StorageFailed if `folder` is on a network file system, where locks and fsync are not reliable."""
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
            f"{folder} is on a network file system ({kind}), where a journal is not safe",
            remedy="Use --journal FILE to keep it on a local disk.",
        )


def check_file_system(folder: Path) -> None:
    """Raise StorageFailed if a file in `folder` cannot be locked against others, or not synced to disk."""
    import tempfile  # slow to import, and not needed to read a journal

    refuse_network_file_system(folder)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".batchfish-") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with Path(file.name).open("rb") as other, suppress(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
                raise StorageFailed(f"{folder} is on a file system where a lock keeps nobody out")
            file.write(b"batchfish")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StorageFailed(f"{folder}: a file cannot be made, locked and synced: {error.strerror}") from None


def identify(journal: Path, machine_id: str | None, boot_id: str) -> dict[str, str]:
    """Return what identifies a journal file: path, inode, device, boot and machine."""
    stat = journal.stat()
    return {
        "path": str(journal.resolve()),
        "inode": str(stat.st_ino),
        "device": str(stat.st_dev),
        "boot_id": boot_id,
        "machine": machine_id or "unknown",
    }


def compare(known: dict[str, str], now: dict[str, str]) -> None:
    """Raise NeedsYes if the journal was moved or copied: two in use would pay for the same items twice."""
    facts = ["path", "inode", "machine"]
    if known["boot_id"] == now["boot_id"]:
        facts.append("device")  # device numbers may change at each boot
    changed = [fact for fact in facts if known[fact] != now[fact]]
    if changed:
        was = ", ".join(f"{fact} {known[fact]} is now {now[fact]}" for fact in changed)
        raise NeedsYes(
            f"{now['path']}: this journal was moved or copied ({was}). If the other one is still in use, "
            "the same items would be paid for twice.",
            remedy="Agree only if this is the only one in use.",
            question="moved-journal",
        )
