"""`batchfish plan`: shows what `run` would submit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.cli.forecast import show_forecast
from batchfish.cli.options import JournalLocation, ManifestSource, Pace, Reporting, Selection
from batchfish.cli.parser import Arguments, flag, group, spelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `plan`."""

    new: bool = flag("--new", help="show what `run --new` would submit")
    manifest: ManifestSource = group(ManifestSource, "manifest")
    selection: Selection = group(Selection, "selection")
    pace: Pace = group(Pace, "pace", only=("concurrency",))
    reporting: Reporting = group(Reporting, "output", only=("json",))
    location: JournalLocation = group(JournalLocation, "journal")


def run(options: Options, _env: Mapping[str, str], console: Console) -> int:
    """Print what `run` would do: what is new, changed, removed, held, alive and done."""
    return show_forecast(
        options.manifest,
        options.location,
        options.selection,
        options.pace,
        begins_new=options.new,
        as_json=options.reporting.json,
        others=spelled(options.selection, options.pace),
        console=console,
    )
