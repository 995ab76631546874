"""Finds what a command line names: manifests, journals and batches."""

from __future__ import annotations

import os
import re
import shlex
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.core.names import TRY_SUFFIX
from batchfish.errors import StorageFailed, WrongInput
from batchfish.journal.lock import refuse_network_file_system
from batchfish.journal.queries import open_reader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchfish.cli.options import JournalLocation, ManifestSource
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch
    from batchfish.manifest.manifest import Manifest

HOME = ".batchfish"
LOCAL = "local"
AGENT = "agent"
JOURNAL_SUFFIX = ".db"

FIRST = ".1"
"""A suffix that names the first batch of a name, where `run --new` has begun others."""

MANIFESTS = frozenset({".yaml", ".yml", ".csv", ".tsv", ".jsonl", ".ndjson"})
STANDARD_INPUT = "-"


class Place(Struct, frozen=True, kw_only=True):
    """A journal file, and the full name of a batch in it (None: the batch that began last)."""

    journal: Path
    batch: str | None = None


def read_manifest(source: ManifestSource) -> Manifest:
    """Read a manifest, except for its rows; ManifestError lists everything that is wrong with it."""
    from batchfish.manifest.load import ManifestOptions, load_manifest
    from batchfish.manifest.text_files import spool_standard_input

    path, folder = Path(source.file), None
    if source.file == STANDARD_INPUT:
        path, folder = spool_standard_input(sys.stdin.buffer, Path.cwd() / HOME), Path.cwd()
    options = ManifestOptions(
        variables=dict(source.var),
        goal=source.goal if source.goal_file is None else _read_goal(source.goal_file),
        schema=source.schema,
        allow_duplicates=source.allow_duplicates,
        folder=folder,
    )
    return load_manifest(path, options)


def _read_goal(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise WrongInput(f"{path}: the goal cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise WrongInput(f"{path}: the goal is not UTF-8", remedy="Save the file as UTF-8.") from None


def journal_for(manifest: Manifest, location: JournalLocation, suffix: str = "") -> Path:
    """Return the path of a manifest's journal: the given one, or `.batchfish/NAME.db` beside the manifest."""
    home = manifest.folder.absolute() / HOME
    folder = home / LOCAL if location.local else home
    return location.journal or folder / f"{manifest.name}{suffix}{JOURNAL_SUFFIX}"


def folder_of(batch: Batch) -> Path:
    """Return the folder that a batch's paths are relative to: that of its manifest.

    A manifest from standard input is stored in HOME; its batch belongs to the folder above.
    """
    folder = Path(batch.manifest_path).parent
    return folder.parent if folder.name == HOME else folder


def make_home(journal: Path) -> None:
    """Make the folder of a journal, readable by its owner only; StorageFailed if that is impossible."""
    try:
        journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(
            f"{journal.parent}: cannot make this folder for the journal: {error.strerror}"
        ) from error
    refuse_network_file_system(journal.parent)


def find(batch: str | None, location: JournalLocation) -> Place:
    """Find what BATCH names: a manifest's path, a batch's full name, or the newest journal if it is None."""
    if location.journal is not None:
        return Place(journal=_existing(location.journal), batch=batch)
    try:
        return _find(batch, is_local=location.local)
    except WrongInput as error:
        if location.local or not _is_rehearsed(batch):
            raise
        remedy = f"{error.remedy} There is a rehearsal, which --local names."
        raise WrongInput(error.message, remedy=remedy) from None


def _is_rehearsed(batch: str | None) -> bool:
    """Return whether BATCH names a rehearsal."""
    try:
        _find(batch, is_local=True)
    except WrongInput:
        return False
    return True


def _find(batch: str | None, *, is_local: bool) -> Place:
    here = Path.cwd()
    if batch is None:
        found = [path for path in journals(is_local=is_local) if not path.stem.endswith(TRY_SUFFIX)]
        if not found:
            raise WrongInput(
                f"no batch is known in {here} or above it", remedy="Start one with `batchfish run FILE`."
            )
        return Place(journal=max(found, key=lambda path: path.stat().st_mtime))
    path = Path(batch)
    if path.suffix.lower() in MANIFESTS and ("/" in batch or path.exists()):
        return Place(journal=_journal_of_manifest(path.absolute(), is_local=is_local))
    name = re.split(r"@(?!try)|\.(?=\d+$)", batch, maxsplit=1)[0]
    full_name = None if batch == name else batch.removesuffix(FIRST)
    for home in _homes(here, is_local=is_local):
        candidate = home / f"{name}{JOURNAL_SUFFIX}"
        if candidate.exists():
            return Place(journal=candidate, batch=full_name)
    raise WrongInput(
        f"no batch {batch!r} is known in {here} or above it", remedy="List them with `batchfish ls`."
    )


def _existing(journal: Path) -> Path:
    if not journal.exists():
        raise WrongInput(
            f"there is no journal {journal}", remedy="Start the batch with `batchfish run FILE`."
        )
    return journal


def _journal_of_manifest(manifest: Path, *, is_local: bool) -> Path:
    """Find the journal whose newest batch came from a manifest, which may have another name by now."""
    home = _homes(manifest.parent, is_local=is_local)[0]
    for path in sorted(home.glob(f"*{JOURNAL_SUFFIX}")):
        with suppress(StorageFailed), open_reader(path) as reader:
            newest = reader.newest_batch()
            if newest is not None and newest.manifest_path == str(manifest):
                return path
    raise WrongInput(
        f"{manifest} has no batch yet",
        remedy=f"Start one with `batchfish run {shlex.quote(os.path.relpath(manifest))}`.",
    )


def journals(*, is_local: bool) -> list[Path]:
    """List the journals of the working directory and of the folders above it, nearest first."""
    homes = _homes(Path.cwd(), is_local=is_local)
    return [path for home in homes for path in sorted(home.glob(f"*{JOURNAL_SUFFIX}"))]


def _homes(here: Path, *, is_local: bool) -> list[Path]:
    folders = [folder / HOME for folder in (here.absolute(), *here.absolute().parents)]
    return [folder / LOCAL for folder in folders] if is_local else folders


@contextmanager
def open_batch(place: Place) -> Iterator[tuple[JournalReader, Batch]]:
    """Open a journal for reading, which another process may own; yield it and the batch of the place."""
    with open_reader(place.journal) as reader:
        yield reader, batch_in(reader, place.batch)


def batch_in(reader: JournalReader, name: str | None) -> Batch:
    """Return the batch of this full name, or the one that began last; WrongInput if there is none."""
    batch = reader.newest_batch() if name is None else reader.batch_named(name)
    if batch is not None:
        return batch
    if name is None:
        raise WrongInput(
            f"no batch has begun in {reader.path}", remedy="Start one with `batchfish run FILE`."
        )
    raise WrongInput(f"there is no batch {name!r} in {reader.path}", remedy="List them with `batchfish ls`.")


def spell(journal: Path, batch: Batch) -> str:
    """Return the words that name a batch on a command line in the working directory, options included."""
    from batchfish.cli.options import JournalLocation

    location = JournalLocation(local=journal.parent.name == LOCAL)
    options = " --local" if location.local else ""
    for name in (batch.name, batch.name + FIRST, os.path.relpath(batch.manifest_path)):
        if _names(name, journal, batch, location):
            return shlex.quote(name) + options
    return f"{shlex.quote(batch.name)}{options} --journal {shlex.quote(os.path.relpath(journal))}"


def _names(name: str, journal: Path, batch: Batch, location: JournalLocation) -> bool:
    try:
        place = find(name, location)
        if not place.journal.samefile(journal):
            return False
        with open_batch(place) as (_, found):
            return found.pk == batch.pk
    except (WrongInput, StorageFailed, OSError):
        return False
