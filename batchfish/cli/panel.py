"""A live panel about a batch, on a terminal: counts, pace, runs alive by age, latest failures, money."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.core.describe import cut, harmless, several, spell_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType
    from rich.text import Text

    from batchfish.cli.counts import Counts
    from batchfish.journal.records import LatestFailure

AGES = ((10.0, "10s"), (60.0, "1m"), (300.0, "5m"), (900.0, "15m"), (3600.0, "1h"))
"""The upper bounds, in seconds, of the ages by which runs that are alive are counted."""

LONGEST_MESSAGE = 200
BAR_WIDTH = 40


class PanelFacts(Struct, frozen=True, kw_only=True):
    """The facts that the panel shows.

    `ages` are those of the runs that are alive, in seconds; `now` is epoch seconds. `pace`, `cost` and
    `settings` are in words, and empty where nothing is known. `next_step` says who works on the batch, or
    which command goes on.
    """

    name: str
    counts: Counts
    is_changing: bool
    now: float
    pace: str
    cost: str
    settings: str
    next_step: str
    held: str
    ages: Sequence[float]
    failures: Sequence[LatestFailure]


def show_panel(read: Callable[[], PanelFacts], interval: float) -> None:
    """Show the panel on standard output, read anew every `interval` seconds, while it changes."""
    from rich.live import Live

    facts = read()
    with Live(render(facts), auto_refresh=False) as live:
        while facts.is_changing:
            time.sleep(interval)
            facts = read()
            live.update(render(facts), refresh=True)


def render(facts: PanelFacts) -> RenderableType:
    """Return the panel for rich to draw; texts of pages are shown as they are, without markup."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    counts = facts.counts
    head = Table.grid(padding=(0, 2))
    head.add_row(
        ProgressBar(total=max(1, counts.total), completed=counts.ended, width=BAR_WIDTH),
        _text(f"{counts.ended:,} of {counts.total:,} done"),
    )
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim")
    for title, said in (
        ("items", str(counts)),
        ("pace", facts.pace),
        ("alive", _spell_ages(facts.ages)),
        ("cost", facts.cost),
        ("set", facts.settings),
        ("held", facts.held),
        ("next", facts.next_step),
    ):
        if said:
            lines.add_row(title, _text(said))
    parts: list[RenderableType] = [head, Padding(lines, (1, 0, 0, 0))]
    if facts.failures:
        parts.append(Padding(_failures(facts), (1, 0, 0, 0)))
    return Panel(Group(*parts), title=_text(facts.name), title_align="left", border_style="dim")


def _failures(facts: PanelFacts) -> RenderableType:
    from rich.table import Table

    table = Table(
        box=None, padding=(0, 2, 0, 0), title="latest failures", title_justify="left", title_style="dim"
    )
    for name in ("item", "ended", "reason", "message"):
        table.add_column(name, header_style="dim", overflow="ellipsis", no_wrap=name != "message")
    for one in facts.failures:
        seconds = facts.now - one.ended_at
        ago = f"{spell_duration(seconds)} ago" if seconds >= 1.0 else "just now"
        message = cut(" ".join((one.message or "").split()), LONGEST_MESSAGE)
        table.add_row(_text(one.item_id), _text(ago), _text(one.reason or ""), _text(message))
    return table


def _spell_ages(ages: Sequence[float]) -> str:
    """Return `12 runs: 3 up to 10s, 8 up to 1m, 1 over 1h`; empty without runs."""
    if not ages:
        return ""
    numbers, lower = [], 0.0
    for upper, name in AGES:
        numbers.append((sum(lower <= age < upper for age in ages), f"up to {name}"))
        lower = upper
    numbers.append((sum(age >= lower for age in ages), f"over {AGES[-1][1]}"))
    return f"{several(len(ages), 'run')}: " + ", ".join(f"{n:,} {name}" for n, name in numbers if n)


def _text(text: str) -> Text:
    from rich.text import Text

    return Text(harmless(text))
