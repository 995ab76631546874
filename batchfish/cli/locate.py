"""Finds what a command line names: manifests, journals and batches."""

from __future__ import annotations

import os
import re
import shlex
import sys
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.core.identity import TRY_SUFFIX
from batchfish.errors import StorageFailed, WrongInput
from batchfish.journal import batches
from batchfish.journal.files import connect
from batchfish.journal.lock import refuse_network_file_system

if TYPE_CHECKING:
    import sqlite3
    from argparse import Namespace
    from collections.abc import Iterator

    from batchfish.journal.base import Batch
    from batchfish.manifest.manifest import Manifest


HOME = ".batchfish"


LOCAL = "local"


AGENT = "agent"


FIRST = ".1"
"""What may stand after a name to mean its first batch, once `run --new` has begun others."""


MANIFESTS = frozenset({".yaml", ".yml", ".csv", ".tsv", ".jsonl", ".ndjson"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A journal file, and the batch meant in it: None is the newest."""

    journal: Path
    batch: str | None = None


def journal_of(folder: Path, name: str, *, is_local: bool) -> Path:
    """Give the journal of a manifest's name: beside the manifest, rehearsals apart from the real thing."""
    home = folder / HOME / LOCAL if is_local else folder / HOME
    return home / f"{name}.db"


def folder_of(batch: Batch) -> Path:
    """Give the folder that a batch's paths are relative to; what came by standard input lies in its HOME."""
    folder = Path(batch.manifest_path).parent
    return folder.parent if folder.name == HOME else folder


def make_home(journal: Path) -> None:
    """Make the folder that a journal lies in, for its owner alone; StorageFailed where it cannot be."""
    try:
        journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(
            f"{journal.parent}: cannot make this folder for the journal: {error.strerror}"
        ) from error
    refuse_network_file_system(journal.parent)


def find(batch: str | None, journal: Path | None, *, is_local: bool, folder: Path | None = None) -> Place:
    """Find what BATCH names: a manifest's path, a batch's full name, or nothing: the newest journal here."""
    if journal is not None:
        return Place(journal=_existing(journal), batch=batch)
    here = folder or Path.cwd()
    if batch is None:
        found = [
            path for path in journals(is_local=is_local, folder=here) if not path.stem.endswith(TRY_SUFFIX)
        ]
        if not found:
            raise WrongInput(
                f"No batch is known in {here} or above it. Start one with `batchfish run FILE`"
                + (
                    ", or look at rehearsals with --local."
                    if _has_rehearsals(here, is_local=is_local)
                    else "."
                )
            )
        return Place(journal=max(found, key=lambda path: path.stat().st_mtime))
    path = Path(batch)
    if path.suffix.lower() in MANIFESTS and ("/" in batch or path.exists()):
        return Place(journal=_journal_of_manifest(path.absolute(), is_local=is_local))
    name = re.split(r"@(?!try)|\.(?=\d+$)", batch, maxsplit=1)[0]
    meant = None if batch == name else batch.removesuffix(FIRST)
    for home in _homes(here, is_local=is_local):
        candidate = home / f"{name}.db"
        if candidate.exists():
            return Place(journal=candidate, batch=meant)
    raise WrongInput(
        f"No batch {batch!r} is known in {here} or above it. `batchfish ls` shows what there is."
    )


@contextmanager
def open_for_reading(place: Place) -> Iterator[tuple[sqlite3.Connection, Batch]]:
    """Open a journal beside whoever works on it, and give the batch that is meant."""
    with closing(connect(place.journal, read_only=True)) as connection:
        batch = batches.newest(connection) if place.batch is None else batches.named(connection, place.batch)
        if batch is None:
            raise no_batch(place.journal, place.batch)
        yield connection, batch


def no_batch(journal: Path, name: str | None) -> WrongInput:
    """Say that a journal does not hold the batch that was asked for, or none yet."""
    if name is None:
        return WrongInput(f"No batch has begun in {journal}. Start one with `batchfish run FILE`.")
    return WrongInput(f"There is no batch {name!r} in {journal}. `batchfish ls` shows what there is.")


def journals(*, is_local: bool, folder: Path | None = None) -> list[Path]:
    """List the journals of a folder and of those above it, nearest first."""
    homes = _homes(folder or Path.cwd(), is_local=is_local)
    return [path for home in homes for path in sorted(home.glob("*.db"))]


def spell(journal: Path, batch: Batch) -> str:
    """Write down what names a batch on a command line in the working directory, flags included."""
    is_local = journal.parent.name == LOCAL
    manifest = os.path.relpath(batch.manifest_path)
    flags = " --local" if is_local else ""
    for name in (batch.name, batch.name + FIRST, manifest):
        if _leads_to(name, journal, batch, is_local=is_local):
            return shlex.quote(name) + flags
    return f"{shlex.quote(batch.name)}{flags} --journal {shlex.quote(os.path.relpath(journal))}"


def _leads_to(name: str, journal: Path, batch: Batch, *, is_local: bool) -> bool:
    try:
        place = find(name, None, is_local=is_local)
        if not place.journal.samefile(journal):
            return False
        with open_for_reading(place) as (_, found):
            return found.pk == batch.pk
    except (WrongInput, StorageFailed, OSError):
        return False


def _journal_of_manifest(manifest: Path, *, is_local: bool) -> Path:
    """Find the journal whose newest batch came from a manifest, whatever that calls itself by now."""
    home = _homes(manifest.parent, is_local=is_local)[0]
    for path in sorted(home.glob("*.db")):
        with suppress(StorageFailed), closing(connect(path, read_only=True)) as connection:
            newest = batches.newest(connection)
            if newest is not None and newest.manifest_path == str(manifest):
                return path
    raise WrongInput(f"{manifest} has no batch yet. Start one with `batchfish run {manifest.name}`.")


def _has_rehearsals(here: Path, *, is_local: bool) -> bool:
    return not is_local and bool(journals(is_local=True, folder=here))


def _homes(here: Path, *, is_local: bool) -> list[Path]:
    folders = [folder / HOME for folder in (here.absolute(), *here.absolute().parents)]
    return [folder / LOCAL for folder in folders] if is_local else folders


def _existing(journal: Path) -> Path:
    if not journal.exists():
        raise WrongInput(f"There is no journal {journal}. Start the batch with `batchfish run FILE`.")
    return journal


STANDARD_INPUT = "-"


def load(args: Namespace) -> Manifest:
    """Read the manifest that flags name, but for its rows; ManifestError with everything that is wrong."""
    from batchfish.manifest.load import ManifestOptions, load_manifest
    from batchfish.manifest.text_files import spool_standard_input

    path, folder = Path(args.file), None
    if args.file == STANDARD_INPUT:
        path, folder = spool_standard_input(sys.stdin.buffer, Path.cwd() / HOME), Path.cwd()
    options = ManifestOptions(
        variables=dict(args.var),
        goal=args.goal if args.goal_file is None else _read_goal(Path(args.goal_file)),
        schema=Path(args.schema) if args.schema else None,
        allow_duplicates=args.allow_duplicates,
        folder=folder,
    )
    return load_manifest(path, options)


def _read_goal(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInput(f"{path}: the goal cannot be read: {error}") from None
