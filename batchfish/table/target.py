"""The file that a table or a report is written to: whether it may be replaced, and its atomic replacement."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct

from batchfish.core.rules import TABLE_SUFFIXES
from batchfish.errors import NeedsYes, StorageFailed, WrongInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

_TEMPORARY = re.compile(r"\.batchfish-[0-9a-f]{16}\.tmp")
_READ_BYTES = 2**20
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._@+-]+")
_RESERVED = re.compile(r"(?i:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")


class FileMark(Struct, frozen=True, kw_only=True):
    """Size and digest of a file we wrote, by which it is recognised even if it was moved or restored."""

    size: int
    sha256: str


def is_same_file(path: Path, recorded: FileMark) -> bool:
    """Whether a regular file, not a link to one, still has the recorded size and digest."""
    try:
        facts = path.lstat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != recorded.size:
            return False
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return mark_of(file) == recorded
    except OSError:
        return False


def mark_of(file: BinaryIO) -> FileMark:
    """Return the mark of a file, which is read from its beginning."""
    digest = hashlib.sha256()
    size = 0
    file.seek(0)
    while block := file.read(_READ_BYTES):
        digest.update(block)
        size += len(block)
    return FileMark(size=size, sha256=digest.hexdigest())


def check_target(
    target: Path,
    *,
    written: Collection[FileMark] = (),
    may_replace: bool = False,
    parents_under: Path | None = None,
    suffixes: Sequence[str] = TABLE_SUFFIXES,
) -> None:
    """Raise the error that writing to this target would raise, before a run costs money.

    An existing file may be replaced if we wrote it (`written`) or a person agreed (`may_replace`). A symbolic
    link is neither replaced nor followed. Missing folders are created only below `parents_under`. Raises
    WrongInput, NeedsYes or StorageFailed.
    """
    if target.suffix not in suffixes:
        raise WrongInput(f"{target} is no name for this file", remedy=f"End it with {', '.join(suffixes)}.")
    try:
        mode = target.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        _check_folder(target, parents_under)
        return
    except (OSError, ValueError) as error:
        raise StorageFailed(f"{target}: {reason_of(error)}") from error
    if stat.S_ISLNK(mode):
        raise WrongInput(
            f"{target} is a symbolic link", remedy="Name the file that it points to, or remove it."
        )
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise WrongInput(f"{target} is {what}", remedy="Name a file to write.")
    if not may_replace and not any(is_same_file(target, mark) for mark in written):
        raise NeedsYes(
            f"{target} exists, and is not as this batch wrote it.",
            remedy="Name another file, or agree to replace it.",
            question="replace-output",
        )
    _check_folder(target, parents_under)


def make_parents(target: Path, parents_under: Path | None) -> None:
    """Create the missing folders of a target that lies below `parents_under`."""
    if parents_under is not None and _is_under(target, parents_under):
        target.parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def replacing(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open a new file with mode 0600, which replaces the target if the block ends without an exception.

    Otherwise it is removed, and the target stays as it was. Temporary files of killed processes are removed.
    """
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _remove_leftovers(folder)
        name, descriptor = _temporary(folder)
        with os.fdopen(descriptor, "wb+", buffering=0) as file:
            try:
                yield file, target.parent / name
                os.fsync(descriptor)
                _check_untouched(folder, name, descriptor)
                os.rename(name, target.name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=folder)
                raise
        os.fsync(folder)
    finally:
        os.close(folder)


def write_whole(file: BinaryIO, content: bytes) -> None:
    """Write all of the content, of which one `write` of an unbuffered file may write a part; or OSError."""
    left = memoryview(content)
    while left:
        left = left[file.write(left) :]


def name_for_file(text: str) -> str:
    """Return a file name made of any text: without separators, and without a leading dot or dash."""
    name = _NOT_IN_A_NAME.sub("_", text).strip("._-")[:100]
    return f"_{name}" if not name or _RESERVED.fullmatch(name) else name


def reason_of(error: Exception) -> str:
    """Return the message of the operating system or the library, on one line."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error).partition("\n")[0]


def _check_folder(target: Path, parents_under: Path | None) -> None:
    """Raise StorageFailed if the folder is missing and may not be created, or cannot be written to."""
    folder = target.parent
    while not folder.exists():
        if parents_under is None or not _is_under(target, parents_under):
            raise StorageFailed(
                f"{target.parent} does not exist", remedy="Make that folder first, or name another file."
            )
        folder = folder.parent
    if not folder.is_dir():
        raise StorageFailed(f"{folder} is not a folder", remedy="Name another file.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageFailed(
            f"{folder} cannot be written to", remedy="Change its permissions, or name another file."
        )


def _is_under(target: Path, folder: Path) -> bool:
    """Whether a target lies in a folder, after links and `..` are resolved."""
    return target.parent.resolve().is_relative_to(folder.resolve())


def _temporary(folder: int) -> tuple[str, int]:
    """Create and lock a temporary file with mode 0600; the lock shows that its writer is alive."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        name = f".batchfish-{secrets.token_hex(8)}.tmp"
        descriptor = os.open(name, flags, 0o600, dir_fd=folder)
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return name, descriptor
        os.close(descriptor)  # another process removed it between its creation and its lock


def _check_untouched(folder: int, name: str, descriptor: int) -> None:
    """Raise StorageFailed if another file has taken the name of ours."""
    if not os.path.samestat(os.stat(name, dir_fd=folder, follow_symlinks=False), os.fstat(descriptor)):
        raise StorageFailed(f"{name}: another process put its own file there")


def _remove_leftovers(folder: int) -> None:
    """Remove the temporary files of writers that were killed: those without a lock."""
    for name in filter(_TEMPORARY.fullmatch, os.listdir(folder)):
        with suppress(OSError):
            descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.unlink(name, dir_fd=folder)
            finally:
                os.close(descriptor)
