"""`batchfish init`: writes a commented manifest to start from."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli.access import rehearsal
from batchfish.cli.agreement import Question, agreement_of
from batchfish.cli.console import are, put
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import HOME, make_home
from batchfish.cli.options import Questions, Reporting
from batchfish.cli.parser import Arguments, argument, group, option
from batchfish.core.describe import several
from batchfish.errors import ManifestError, StorageFailed, WrongInput, WrongUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.agreement import Agreement
    from batchfish.cli.console import Console

MANIFEST = Path("pages.yaml")
SCHEMA = Path(HOME) / "manifest.schema.json"
"""The manifest's JSON Schema for editors, relative to the manifest's folder."""


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `init`."""

    pages: tuple[str, ...] = argument(
        "URL|FILE",
        "the pages' URLs, or a file with a row for each page (.csv .tsv .jsonl); none: an example",
        repeats=True,
    )
    output: Path | None = option(
        "-o",
        "--output",
        metavar="FILE",
        parse=Path,
        help=f"write the manifest to FILE (default: {MANIFEST}, or beside a file of rows)",
    )
    reporting: Reporting = group(Reporting, "output", only=("json",))
    questions: Questions = group(Questions, "questions")


def run(options: Options, env: Mapping[str, str], console: Console) -> int:
    """Write a manifest, and print the command that tries it; nothing is sent."""
    from batchfish.manifest.json_schema import manifest_schema_text
    from batchfish.manifest.load import load_manifest

    pages = tuple(dict.fromkeys(options.pages))
    if repeated := len(options.pages) - len(pages):
        console.say(f"{are(repeated, 'repeated URL')} left out")
    rows = _file_of_rows(pages)
    target = options.output or (MANIFEST if rows is None else rows.with_suffix(".yaml"))
    _check_name(target)
    text = _text_for(pages, rows, target)
    _ask_to_replace(target, agreement_of(options.questions))
    _write(target.parent / SCHEMA, manifest_schema_text())
    _write(target, text)
    try:
        items = load_manifest(target).check().items
    except ManifestError:
        console.warn(f"wrote {target}, and some of its rows are wrong:")
        raise
    command = shlex.join(["batchfish", "try", *rehearsal(env), str(target)])
    console.say(f"wrote a manifest of {several(items, 'item')}. Change its goal and output_schema to yours.")
    console.say(f"to try one item: {command}")
    if options.reporting.json:
        put_document(DocumentType.MANIFEST, path=target, items=items, next=command)
    else:
        put(str(target))
    return ExitCode.OK


def _file_of_rows(pages: tuple[str, ...]) -> Path | None:
    """Return the file of rows that the arguments name; None if they are URLs, or if there are none."""
    from batchfish.manifest.starter import ROWS_SUFFIXES

    files = [page for page in pages if "://" not in page and page.lower().endswith(ROWS_SUFFIXES)]
    if not files:
        return None
    if len(pages) > 1:
        raise WrongUsage(f"{files[0]} is a file of rows", remedy="Name it alone, or write URLs only.")
    return Path(files[0])


def _check_name(target: Path) -> None:
    if target.suffix.lower() not in {".yaml", ".yml"}:
        raise WrongInput(f"{target} is no name for a manifest", remedy="End it with .yaml.")
    if not target.parent.is_dir():
        raise WrongInput(
            f"there is no folder {target.parent}", remedy="Make it first, or name another file with -o."
        )
    if target.is_symlink() or (target.exists() and not target.is_file()):
        raise WrongInput(f"{target} is not a regular file", remedy="Name another file with -o FILE.")


def _ask_to_replace(target: Path, agreement: Agreement) -> None:
    if target.exists():
        agreement.ask(
            Question.REPLACE_OUTPUT,
            f"{target} exists and would be replaced.",
            remedy="-o FILE names another file.",
        )


def _text_for(pages: tuple[str, ...], rows: Path | None, target: Path) -> str:
    from batchfish.manifest.problems import Refused
    from batchfish.manifest.starter import (
        EXAMPLE,
        ROWS_SUFFIXES,
        inspect_rows,
        manifest_for_rows,
        manifest_for_urls,
    )

    if rows is not None:
        found = inspect_rows(rows, os.path.relpath(rows, target.parent))
        return manifest_for_rows(found, schema=str(SCHEMA))
    try:
        return manifest_for_urls(pages or (EXAMPLE,), schema=str(SCHEMA))
    except Refused as error:
        raise WrongInput(
            str(error),
            remedy=f"{error.remedy or ''} A file of rows ends with {', '.join(ROWS_SUFFIXES)}.".lstrip(),
        ) from None


def _write(target: Path, text: str) -> None:
    """Write a file whole; its folder is made if it is that of the journals."""
    from batchfish.table.target import replacing, write_whole

    if target.parent.name == HOME:
        make_home(target)
    try:
        with replacing(target) as (file, _):
            write_whole(file, text.encode())
    except OSError as error:
        raise StorageFailed(f"{target} cannot be written: {error.strerror}") from error
