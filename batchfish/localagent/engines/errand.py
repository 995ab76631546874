"""The actions that a goal asks for before reading: a search, and how many pages of a list to follow."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUOTED = r"""(?:"([^"]+)"|(?<!\w)'([^']+)'|“([^”]+)”|\u2018([^’]+)’|„([^“”]+)[“”]|«\s*([^»]+?)\s*»)"""
_UNQUOTED = r"""(?:[^.;\n"'“\u2018„«]|(?<=\w)')"""
_SEARCH = re.compile(
    r"\b(?:search|look|such|recherche|cherche|busca|búsqueda|pesquisa|procura|cerca|ricerca|zoek|sök|søk|szuka)"
    rf"\w*\b{_UNQUOTED}{{0,40}}{_QUOTED}",
    re.IGNORECASE,
)
_INTO_BOX = re.compile(
    rf"\b(?:enter|type|put|write)\b{_UNQUOTED}{{0,20}}{_QUOTED}[^.;\n]{{0,20}}\bsearch", re.IGNORECASE
)
_FURTHER = re.compile(
    r"\b(?:load|show|see|view) (?:more|all)\b|\bscroll|\bmehr (?:laden|anzeigen)\b|\b(?:voir|afficher) plus\b"
    r"|\b(?:ver|mostrar|cargar) más\b",
    re.IGNORECASE,
)
_ALL = re.compile(
    r"\b(?:all|every|each|complete|entire|full list|alle|sämtliche|jede[nrs]?|tous|toutes|chaque|todos|todas"
    r"|cada|tutti|tutte|ogni|alla|samtliga|wszystkie)\b",
    re.IGNORECASE,
)
_HERE = re.compile(
    r"\b(?:on|from|of|in) (?:this|the|the first|the current) page\b|\bfirst page\b|\bdieser seite\b"
    r"|\bcette page\b|\besta página\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Errand:
    """The actions to take on a page.

    `search` is the term to search for. `is_all`: a list is wanted to its end. `least` and `most` are how many
    of its members are wanted, and `pages` from how many pages; None for no bound.
    """

    search: str | None = None
    is_all: bool = False
    least: int = 0
    most: int | None = None
    pages: int | None = None

    def wants_more_than(self, count: int, pages: int) -> bool:
        """Whether a list of `count` members from so many pages is to be followed further."""
        is_enough = self.most is not None and count >= self.most
        if is_enough or (self.pages is not None and pages >= self.pages):
            return False
        return self.is_all or self.pages is not None or count < self.least


def errand_of(goal: str, schema: Mapping[str, Any] | None) -> Errand:
    """Read the errand out of a goal, and out of how many members the schema's list is to have."""
    from batchfish.localagent.page.goal import understand  # its vocabulary would hold up the agent's start

    search = _SEARCH.search(goal) or _INTO_BOX.search(goal)
    asked = understand(goal, schema or {})
    lists = [one for one in (schema or {}).get("properties", {}).values() if one.get("type") == "array"]
    bounds = [one["maxItems"] for one in lists if "maxItems" in one] + ([asked.most] if asked.most else [])
    is_all = asked.pages == 0 or _FURTHER.search(goal) or (_ALL.search(goal) and not _HERE.search(goal))
    return Errand(
        search=next(filter(None, search.groups()), "").strip() or None if search else None,
        is_all=bool(is_all),
        least=max([one.get("minItems", 0) for one in lists] + [asked.most or 0]),
        most=min(bounds) if bounds else None,
        pages=asked.pages or None,
    )
