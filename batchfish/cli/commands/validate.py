"""`batchfish validate`: checks a manifest and shows all its errors."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from batchfish.cli.access import rehearsal
from batchfish.cli.console import put
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import read_manifest
from batchfish.cli.options import ManifestSource, Reporting
from batchfish.cli.parser import Arguments, group, spelled
from batchfish.core.describe import several

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `validate`."""

    manifest: ManifestSource = group(ManifestSource, "manifest")
    reporting: Reporting = group(Reporting, "output", only=("json",))


def run(options: Options, env: Mapping[str, str], console: Console) -> int:
    """Print what a manifest holds; ManifestError lists everything that is wrong with it."""
    manifest = read_manifest(options.manifest)
    summary = manifest.check()
    if options.reporting.json:
        put_document(
            DocumentType.VALIDATION,
            name=manifest.name,
            items=summary.items,
            sources=[
                {
                    "path": str(one.path),
                    "delimiter": one.delimiter,
                    "items": one.items,
                    "left_out": one.left_out,
                }
                for one in summary.sources
            ],
            duplicates=summary.duplicates,
            variables=summary.variables,
            properties=summary.properties,
        )
        return ExitCode.OK
    put(f"{options.manifest.file} is fine: batch {manifest.name}, {several(summary.items, 'item')}")
    for source in summary.sources:
        separated = f", {DELIMITERS[source.delimiter]}-separated" if source.delimiter else ""
        left_out = f", {source.left_out:,} left out by `where`" if source.left_out else ""
        put(f"  from       {source.path}: {several(source.items, 'item')}{separated}{left_out}")
    if summary.duplicates:
        repeats = (
            "repeats an earlier one and is" if summary.duplicates == 1 else "repeat earlier ones and are"
        )
        put(f"  repeated   {several(summary.duplicates, 'row')} {repeats} numbered")
    if summary.variables:
        put(f"  variables  {', '.join(summary.variables)}")
    if summary.properties:
        put(f"  columns    {', '.join(summary.properties)}")
    words = [*rehearsal(env), *spelled(options.manifest)]
    console.say(f"to see what would be submitted: batchfish plan {shlex.join(words)}")
    return ExitCode.OK
