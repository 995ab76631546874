"""`batchfish plan`: shows what `run` would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.cli.forecast import show_plan

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from batchfish.cli.console import Console


def run(args: Namespace, _env: Mapping[str, str], _voice: Console) -> int:
    """Show what `run` would do: what is new, changed, removed, held, alive and done."""
    return show_plan(args)
