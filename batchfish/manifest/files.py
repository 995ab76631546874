"""The files a manifest is read from: that they are what they should be, and stay so between two reads."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import re
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, BinaryIO, TextIO

from batchfish.core.describe import cut
from batchfish.errors import StorageFailed, WrongInput
from batchfish.manifest.problems import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 18
_NUL = re.compile("\0")
_NO_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FORMATS = (".yaml", ".yml", ".csv", ".tsv", ".jsonl", ".ndjson")


class RefusedLine(Refused):
    """A line of a file cannot be read."""

    def __init__(self, line: int, message: str, remedy: str | None = None) -> None:
        """Keep the line beside the message and the remedy."""
        super().__init__(message, remedy)
        self.line = line


@dataclass(frozen=True, kw_only=True, slots=True)
class TextFile:
    """A file of text as it was when it was first read."""

    path: Path
    size: int
    mtime_ns: int
    sha256: bytes


def inspect_file(path: Path) -> TextFile:
    """Read a file through once: that it is a regular file of UTF-8 text, and its digest.

    Refused where it is missing, no file or not readable; RefusedLine where a line of it is no text.
    """
    try:
        return _inspect(path)
    except FileNotFoundError:
        raise Refused(f"there is no file {cut(path)}", _suggest_file(path)) from None
    except OSError as error:
        raise Refused(f"{cut(path)} cannot be read: {error.strerror}") from None


@contextmanager
def open_unchanged(file: TextFile) -> Iterator[TextIO]:
    """Open a file for reading it whole; WrongInput, by the end at the latest, where it changed."""
    try:
        with file.path.open("rb", buffering=0) as raw:
            _check_state(raw, file)
            hashing = _HashingReader(raw)
            # Neither buffer nor text layer may close the file: whether it changed is asked after them.
            yield io.TextIOWrapper(io.BufferedReader(hashing, _CHUNK), encoding="utf-8-sig", newline="")
            while hashing.read(_CHUNK):
                pass
            _check_state(raw, file)
            if hashing.digest() != file.sha256:
                raise _changed(file.path)
    except (UnicodeDecodeError, FileNotFoundError):
        raise _changed(file.path) from None


@contextmanager
def open_start(file: TextFile) -> Iterator[TextIO]:
    """Open a file for a look at its first lines."""
    with file.path.open(encoding="utf-8-sig", newline="") as stream:
        yield stream


def spool_standard_input(stream: BinaryIO, folder: Path) -> Path:
    """Copy a manifest from standard input into `folder`, for its owner alone; the suffix says what it is.

    StorageFailed where it cannot be copied to there.
    """
    spool = folder / f"stdin.{os.getpid()}.part"
    start = bytearray()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        spool.unlink(missing_ok=True)
        with os.fdopen(os.open(spool, flags, 0o600), "wb") as copy:
            while chunk := stream.read(_CHUNK):
                start += chunk[: _CHUNK - len(start)]
                copy.write(chunk)
        return spool.rename(folder / f"stdin{detect_format(bytes(start))}")
    except OSError as error:
        raise StorageFailed(f"standard input cannot be copied to {folder}: {error.strerror}") from error


def detect_format(start: bytes) -> str:
    """Tell by its first lines what a manifest is written in: `.yaml`, `.jsonl` or `.csv`."""
    text = start.decode("utf-8-sig", "replace")
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    first = next(lines, "")
    if first.lstrip().startswith("{"):
        return ".jsonl"
    is_yaml = first.startswith(("---", "%")) or re.match(r"[A-Za-z_]+\s*:(\s|$)", first)
    return ".yaml" if is_yaml else ".csv"


class _HashingReader(io.RawIOBase):
    """Digests the bytes of a file on their way to the reader."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self._sha256 = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed: Buffer
        count = self._raw.readinto(buffer)
        self._sha256.update(memoryview(buffer)[:count])
        return count

    def digest(self) -> bytes:
        return self._sha256.digest()


def _inspect(path: Path) -> TextFile:
    # Asked before it is opened: opening a pipe would wait for its writer.
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise Refused(f"{cut(path)} is a folder", "Name a file in it.")
    if not stat.S_ISREG(mode):
        raise Refused(f"{cut(path)} is no regular file", "Pipe it in instead, and give `-` as the file.")
    with path.open("rb") as stream:
        before = os.fstat(stream.fileno())
        sha256 = _scan(stream, _NO_YAML if path.suffix.lower() in {".yaml", ".yml"} else _NUL)
        after = os.fstat(stream.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise _changed(path)
    return TextFile(path=path, size=after.st_size, mtime_ns=after.st_mtime_ns, sha256=sha256)


def _scan(stream: BinaryIO, unwanted: re.Pattern[str]) -> bytes:
    """Digest a stream, and refuse the first line that is no UTF-8 or holds an unwanted character."""
    sha256 = hashlib.sha256()
    decode = codecs.getincrementaldecoder("utf-8")().decode
    line = 1
    while True:
        chunk = stream.read(_CHUNK)
        sha256.update(chunk)
        try:
            text = decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            line += error.object[: error.start].count(b"\n")
            wrong = error.object[error.start]
            message = f"the byte 0x{wrong:02x} is no UTF-8"
            is_utf16 = error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            remedy = f"Save the file as UTF-8{', not as UTF-16' if is_utf16 else ''}."
            raise RefusedLine(line, message, remedy) from None
        if found := unwanted.search(text.removeprefix("\ufeff")):
            line += text[: found.start()].count("\n")
            raise RefusedLine(line, *_explain_character(found[0]))
        line += text.count("\n")
        if not chunk:
            return sha256.digest()


def _explain_character(character: str) -> tuple[str, str]:
    if character == "\0":
        return "it holds a NUL character", "Save the file as UTF-8 text; NULs often mean UTF-16."
    return (
        f"it holds the control character U+{ord(character):04X}",
        "Remove it, or write it as an escape in quotes.",
    )


def _check_state(raw: io.FileIO, file: TextFile) -> None:
    state = os.fstat(raw.fileno())
    if (state.st_size, state.st_mtime_ns) != (file.size, file.mtime_ns):
        raise _changed(file.path)


def _changed(path: Path) -> WrongInput:
    return WrongInput(
        f"{cut(path, 200)}: it changed while it was being read. Start again when it is written whole."
    )


def _suggest_file(path: Path) -> str | None:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix.lower() in _FORMATS]
    except OSError:
        return f"There is no folder {cut(path.parent)} either."
    near = get_close_matches(path.name, names, n=1)
    return f"Did you mean {cut(near[0])}?" if near else None
