"""`batchfish pause`: stops submitting the items of a batch until `unpause`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.cli.options import JournalChange, batch_argument
from batchfish.cli.parser import Arguments, group
from batchfish.cli.setting_changes import change
from batchfish.core.settings import PAUSED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `pause`."""

    batch: str | None = batch_argument()
    journal: JournalChange = group(JournalChange)


def run(options: Options, _env: Mapping[str, str], console: Console) -> int:
    """Pause a batch: its runs are followed to their end, and nothing more is submitted."""
    return change(options.batch, {PAUSED: True}, options.journal, console)
