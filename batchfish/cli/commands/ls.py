"""`batchfish ls`: lists the batches of the journals in this folder and the folders above."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchfish.cli.access import LOCAL_BASE
from batchfish.cli.console import put, spell_time
from batchfish.cli.counts import Counts, code_of, count
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import journals
from batchfish.cli.options import JournalLocation, Reporting
from batchfish.cli.parser import Arguments, group
from batchfish.errors import StorageFailed
from batchfish.journal.queries import open_reader

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `ls`."""

    reporting: Reporting = group(Reporting, "output", only=("json",))
    location: JournalLocation = group(
        JournalLocation,
        "journal",
        help={
            "local": "list only rehearsals with the local agent (default: all batches)",
            "journal": "list only the batches of this journal file",
        },
    )


def run(options: Options, _env: Mapping[str, str], console: Console) -> int:
    """List the batches; a journal that cannot be read is named and passed over."""
    location = options.location
    remote = [] if location.local else journals(is_local=False)
    paths = [location.journal] if location.journal else [*remote, *journals(is_local=True)]
    found: list[dict[str, Any]] = []
    for path in paths:
        try:
            with open_reader(path) as reader:
                described = [_describe(reader, batch) for batch in reader.batches()]
            found += [one for one in described if one["local"] or not location.local]
        except StorageFailed as error:
            console.warn(str(error))
    if options.reporting.json:
        put_document(DocumentType.BATCHES, batches=found)
        return ExitCode.OK
    if not found:
        console.say("No batch is known in this folder or above it. Start one with `batchfish run FILE`.")
    width = max((len(one["batch"]) for one in found), default=0)
    for one in found:
        ended = "not finished" if one["exit_code"] is None else f"finished, exit {one['exit_code']}"
        put(
            f"{one['batch']:<{width}}  {spell_time(one['begun_at'])}  {ended:<16}  "
            f"{Counts(by_status=one['counts'])}{'  (local)' if one['local'] else ''}"
        )
    return ExitCode.OK


def _describe(reader: JournalReader, batch: Batch) -> dict[str, Any]:
    counts = count(reader, batch.pk)
    return {
        "batch": batch.name,
        "local": batch.base_url == LOCAL_BASE,
        "counts": dict(counts.by_status),
        "begun_at": batch.begun_at,
        "exit_code": code_of(batch, counts),
        "journal": str(reader.path),
    }
