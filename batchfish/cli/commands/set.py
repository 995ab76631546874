"""`batchfish set`: changes the limits of a batch, also while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import to_builtins

from batchfish.cli.options import JournalChange, batch_argument
from batchfish.cli.parser import Arguments, argument, group
from batchfish.cli.setting_changes import change
from batchfish.core.settings import BUDGET, CONCURRENCY, HALT, NO_LIMIT
from batchfish.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from batchfish.cli.console import Console

AS_MANIFEST = "manifest"
"""The value that takes a setting back."""


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `set`."""

    batch: str | None = batch_argument()
    changes: tuple[str, ...] = argument(
        "KEY=VALUE",
        "set concurrency (N, auto, MIN-START-MAX), halt (N, P%, none) or budget (US dollars); KEY=manifest "
        "takes a change back",
        repeats=True,
    )
    journal: JournalChange = group(JournalChange)


def run(options: Options, _env: Mapping[str, str], console: Console) -> int:
    """Change limits of a batch; a process that works on it obeys within a second."""
    batch, changes = options.batch, list(options.changes)
    if batch is not None and batch.partition("=")[0] in _PARSERS:
        changes.insert(0, batch)
        batch = None
    if not changes:
        raise WrongUsage("expected KEY=VALUE", remedy=_KEYS)
    return change(batch, dict(map(_parse, changes)), options.journal, console)


def _parse(text: str) -> tuple[str, object]:
    """Return the name and the stored value of `KEY=VALUE`; WrongUsage names what is wrong with it."""
    from batchfish.manifest.problems import Refused

    name, equals, value = text.partition("=")
    if not equals or name not in _PARSERS:
        raise WrongUsage(f"{text!r} is not of the form KEY=VALUE", remedy=_KEYS)
    if value == AS_MANIFEST:
        return name, None
    try:
        return name, _PARSERS[name](value)
    except Refused as error:
        raise WrongUsage(f"{name}: {error}", remedy=error.remedy) from None


def _concurrency(text: str) -> object:
    from batchfish.manifest.values import parse_concurrency

    return to_builtins(parse_concurrency(text))


def _halt(text: str) -> object:
    from batchfish.manifest.values import parse_share

    return NO_LIMIT if text == NO_LIMIT else to_builtins(parse_share(text))


def _budget(text: str) -> object:
    from batchfish.manifest.rule_sections import MOST_USD
    from batchfish.manifest.values import parse_usd

    try:
        amount: object = float(text)
    except ValueError:
        amount = text
    return parse_usd(amount, most=MOST_USD)


_PARSERS: Mapping[str, Callable[[str], object]] = {
    BUDGET: _budget,
    CONCURRENCY: _concurrency,
    HALT: _halt,
}
"""The parser of each setting, which returns it as the journal stores it."""

_KEYS = f"The keys are: {', '.join(_PARSERS)}."
