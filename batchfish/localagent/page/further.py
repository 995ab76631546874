"""Plain values that no label of a page gives: those of the row that a goal names, and a page's own date."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.fit import Fit, fit
from batchfish.localagent.page.match import Candidate
from batchfish.localagent.page.model import Fact, Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchfish.localagent.page.model import Page
    from batchfish.localagent.page.plan import Wanted

SHORTEST_NAME = 3
WHERE_PUBLISHED = "date of publication, as the page's head and text tell it"


def find_row(page: Page, fields: Sequence[Wanted], goal: str) -> dict[str, Candidate] | None:
    """Give the values of the one record of a group whose name the goal says; None where it is not one."""
    needed = {one.name for one in fields if one.is_required and not one.is_nullable}
    said = f" {_plain(goal)} "
    rows: list[dict[str, Candidate]] = []
    for group in page.groups:
        found = fit(group, fields, page.locale) if group.is_table else None
        if found and needed <= found.pairs.keys():
            rows.extend(_named(found, said))
    return rows[0] if len(rows) == 1 else None


def _named(found: Fit, said: str) -> Iterator[dict[str, Candidate]]:
    for number in range(found.group.size):
        row = {name: pair for name, pair in found.pairs.items() if number in pair.values}
        if any(
            isinstance(pair.values[number], str) and _is_said(pair.values[number], said)
            for pair in row.values()
        ):
            yield {
                name: Candidate(
                    fact=pair.look.column.cells[number], value=pair.values[number], score=pair.score
                )
                for name, pair in row.items()
                if number in pair.look.column.cells
            }


def _is_said(value: str, said: str) -> bool:
    words = _plain(value)
    return len(words) >= SHORTEST_NAME and f" {words} " in said


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))


def published(page: Page, wanted: Wanted) -> Candidate | None:
    """Give the day that an article was published, where nothing on the page is labelled so."""
    from htmldate import find_date

    found = find_date(page.source, original_date=True, extensive_search=False, url=page.locale.url or None)
    if not found:
        return None
    fact = Fact(label=wanted.name, text=found, source=Source.LOOK, node=(0, 0), where=WHERE_PUBLISHED)
    return Candidate(fact=fact, value=found, score=fact.trust)
