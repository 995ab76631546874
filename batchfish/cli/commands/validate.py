"""`batchfish validate`: checks a manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.cli.console import put, put_object
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import load
from batchfish.core.describe import several

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from batchfish.cli.console import Console


DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}


def run(args: Namespace, _env: Mapping[str, str], _voice: Console) -> int:
    """Say what a manifest holds; everything that is wrong with it is raised at once."""
    manifest = load(args)
    summary = manifest.check()
    if args.json:
        put_object(
            type="validation",
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
    put(f"{args.file} is fine: batch {manifest.name}, {several(summary.items, 'item')}")
    for source in summary.sources:
        separated = f", {DELIMITERS[source.delimiter]}-separated" if source.delimiter else ""
        left_out = f", {source.left_out:,} left out by `where`" if source.left_out else ""
        put(f"  from       {source.path}: {several(source.items, 'item')}{separated}{left_out}")
    if summary.duplicates:
        put(f"  repeated   {summary.duplicates:,} rows ask the same as one before and are numbered")
    if summary.variables:
        put(f"  variables  {', '.join(summary.variables)}")
    if summary.properties:
        put(f"  columns    {', '.join(summary.properties)}")
    return ExitCode.OK
