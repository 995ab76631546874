"""The text files of a manifest: opened so that bad bytes and changes between two reads are found."""

from __future__ import annotations

import codecs
import hashlib
import io
import os
import re
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, TextIO

from msgspec import Struct

from batchfish.core.describe import cut, nearest
from batchfish.errors import StorageFailed, WrongInput
from batchfish.manifest.problems import Refused, RefusedLine

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK = 1 << 18
_NUL = "\0"
_NO_YAML = "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
_FORMATS = (".yaml", ".yml", ".csv", ".tsv", ".jsonl", ".ndjson")


class TextFile(Struct, kw_only=True):
    """A file of UTF-8 text that is read one or more times, and must not change in the meantime.

    `sha256` is the digest of its bytes, None until it was read to its end.
    """

    path: Path
    size: int
    mtime_ns: int
    sha256: bytes | None = None


def inspect_file(path: Path) -> TextFile:
    """Return a file that can be read; raise Refused if it is missing, not a regular file or unreadable."""
    try:
        # Checked before the file is opened, because opening a pipe would wait for its writer.
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise Refused(f"{cut(path)} is a folder", "Name a file in it.")
        if not stat.S_ISREG(mode):
            raise Refused(
                f"{cut(path)} is not a regular file", "Pipe it in instead, and give `-` as the file."
            )
        with path.open("rb") as stream:
            state = os.fstat(stream.fileno())
    except FileNotFoundError:
        raise Refused(f"there is no file {cut(path)}", _suggest_file(path)) from None
    except OSError as error:
        raise Refused(f"{cut(path)} cannot be read: {error.strerror}") from None
    return TextFile(path=path, size=state.st_size, mtime_ns=state.st_mtime_ns)


@contextmanager
def open_text(file: TextFile) -> Iterator[TextIO]:
    """Open a file to read all of it.

    Raises RefusedLine for a line that is not text, the first time the file is read. Raises WrongInput, at the
    end at the latest, if the file changes while it is read or differs from its first read.
    """
    try:
        with file.path.open("rb", buffering=0) as raw:
            _check_state(raw, file)
            reader = _CheckedReader(raw, None if file.sha256 else _forbidden_in(file.path))
            # Neither the buffer nor the text layer may close the file, whose state is read again at the end.
            yield io.TextIOWrapper(io.BufferedReader(reader, _CHUNK), encoding="utf-8-sig", newline="")
            while reader.read(_CHUNK):
                pass
            _check_state(raw, file)
            if file.sha256 not in (None, reader.digest()):
                raise changed(file.path)
            file.sha256 = reader.digest()
    except (UnicodeDecodeError, FileNotFoundError):
        raise changed(file.path) from None


@contextmanager
def open_start(file: TextFile) -> Iterator[TextIO]:
    """Open a file to read its first lines; raise RefusedLine if one of them is not text."""
    with file.path.open("rb", buffering=0) as raw:
        reader = _CheckedReader(raw, _forbidden_in(file.path))
        yield io.TextIOWrapper(io.BufferedReader(reader, _CHUNK), encoding="utf-8-sig", newline="")


def changed(path: Path) -> WrongInput:
    """Return the error for a file that changed between or during its reads."""
    return WrongInput(
        f"{cut(path, 200)}: it changed while it was being read. Start again when it is written whole."
    )


def spool_standard_input(stream: BinaryIO, folder: Path) -> Path:
    """Copy standard input to a file in `folder`, readable by its owner only, and return its path.

    The suffix is that of the format found. Raises StorageFailed if the file cannot be written.
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
    """Return the suffix for a manifest that starts with these bytes: `.yaml`, `.jsonl` or `.csv`."""
    text = start.decode("utf-8-sig", "replace")
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    first = next(lines, "")
    if first.lstrip().startswith("{"):
        return ".jsonl"
    is_yaml = first.startswith(("---", "%")) or re.match(r"[A-Za-z_]+\s*:(\s|$)", first)
    return ".yaml" if is_yaml else ".csv"


class _CheckedReader(io.RawIOBase):
    """Hashes the bytes of a file as they are read, and checks that they are text.

    `forbidden` matches the characters that the file may not hold; None where it was checked before.
    """

    def __init__(self, raw: io.FileIO, forbidden: re.Pattern[str] | None) -> None:
        self._raw = raw
        self._forbidden = forbidden
        self._sha256 = hashlib.sha256()
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._line = 1

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed: Buffer
        count = self._raw.readinto(buffer)
        chunk = bytes(memoryview(buffer)[:count])
        self._sha256.update(chunk)
        if self._forbidden is not None:
            self._check(chunk, self._forbidden)
        return count

    def digest(self) -> bytes:
        return self._sha256.digest()

    def _check(self, chunk: bytes, forbidden: re.Pattern[str]) -> None:
        """Raise RefusedLine for the first line that is not UTF-8 or contains a forbidden character."""
        try:
            text = self._decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            line = self._line + error.object[: error.start].count(b"\n")
            message = f"the byte 0x{error.object[error.start]:02x} is not UTF-8"
            is_utf16 = error.object.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            remedy = f"Save the file as UTF-8{', not as UTF-16' if is_utf16 else ''}."
            raise RefusedLine(line, message, remedy) from None
        if found := forbidden.search(text.removeprefix("\ufeff")):
            line = self._line + text[: found.start()].count("\n")
            raise RefusedLine(line, *_explain_character(found[0]))
        self._line += text.count("\n")


def _forbidden_in(path: Path) -> re.Pattern[str]:
    return re.compile(_NO_YAML if path.suffix.lower() in {".yaml", ".yml"} else _NUL)  # the former takes 5 ms


def _explain_character(character: str) -> tuple[str, str]:
    if character == "\0":
        return "it contains a NUL character", "Save the file as UTF-8 text; NULs often mean UTF-16."
    return (
        f"it contains the control character U+{ord(character):04X}",
        "Remove it, or write it as an escape in quotes.",
    )


def _check_state(raw: io.FileIO, file: TextFile) -> None:
    state = os.fstat(raw.fileno())
    if (state.st_size, state.st_mtime_ns) != (file.size, file.mtime_ns):
        raise changed(file.path)


def _suggest_file(path: Path) -> str | None:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix.lower() in _FORMATS]
    except OSError:
        return f"There is no folder {cut(path.parent)} either."
    near = nearest(path.name, names)
    return f"Did you mean {cut(near)}?" if near else None
