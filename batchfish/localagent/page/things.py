"""Things that structured data speaks of, as facts of a page and as groups of a kind."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from batchfish.localagent.page.model import Column, Facet, Fact, Group, Source
from batchfish.localagent.page.properties import names_of
from batchfish.localagent.page.words import CAMEL, fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from batchfish.localagent.page.entities import Entity, Value
    from batchfish.localagent.page.facts import FactFinder

LINKS = frozenset({"url", "sameAs", "mainEntityOfPage"})
IMAGES = frozenset({"image", "logo", "thumbnailUrl", "photo", "contentUrl"})
PAGES = frozenset({"BreadcrumbList", "WebSite", "WebPage", "ListItem", "SearchAction", "ItemList"})
TITLE_LEVEL, PLAIN_LEVEL = 1, 9


def told(entities: Sequence[Entity], finder: FactFinder, title: str) -> Iterator[Fact]:
    """Give the facts of the thing that the page is about: the one its title names, else the first."""
    wholes = [entity for entity in entities if not entity.is_part]
    mains = [one for one in wholes if not one.is_about_the_site and not one.is_said_of_another] or [
        one for one in wholes if not set(one.types) & PAGES
    ]
    named = [entity for entity in mains if entity.name and fold(entity.name) in fold(title)]
    for entity in named or mains[:1]:
        by_path: dict[str, list[Value]] = defaultdict(list)
        for path, value in entity.values:
            by_path[path].append(value)
        for path, values in by_path.items():
            fact = _fact(path, values[0], finder)
            if len(texts := tuple(dict.fromkeys(value.text for value in values))) > 1:
                fact = replace(fact, text="\n".join(texts), exact=None, items=texts)
            yield from (replace(fact, label=label) for label in names_of(path, entity.types))


def _fact(path: str, value: Value, finder: FactFinder) -> Fact:
    return Fact(
        label="",
        text=value.text,
        source=Source.DATA,
        node=(-id(value), 0) if value.element is None else (finder.number(value.element), 0),
        where=f"{Source.DATA} “{path}”",
        exact=value.exact,
        link=urljoin(finder.url, value.link) if value.link else None,
        is_marginal=value.element is not None and finder.is_marginal(value.element),
    )


def groups_of_things(entities: Sequence[Entity], finder: FactFinder) -> Iterator[Group]:
    """Make a group of the things of each type that a page speaks of several of, and of parts of others."""
    by_type: dict[str, list[Entity]] = defaultdict(list)
    for entity in entities:
        if entity.types:
            by_type[entity.types[0]].append(entity)
    for kind, several in by_type.items():
        parts = [entity for entity in several if entity.is_part]
        for some in [several, parts] if len(parts) < len(several) else [several]:
            if len(some) > 1 and not some[0].is_about_the_site:
                yield _group(kind, some, finder)


def _group(kind: str, entities: Sequence[Entity], finder: FactFinder) -> Group:
    by_path: dict[str, dict[int, Fact]] = defaultdict(dict)
    for number, entity in enumerate(entities):
        for path, value in entity.values:
            fact = _fact(path, value, finder)
            if (known := by_path[path].get(number)) is None:
                by_path[path][number] = fact
            else:
                by_path[path][number] = replace(known, items=(*(known.items or (known.text,)), fact.text))
    return Group(
        key=f"data {kind}",
        size=len(entities),
        columns=tuple(_column(path, cells, finder.url, (kind,)) for path, cells in by_path.items()),
        titles=(),
        marks=tuple(CAMEL.sub(" ", kind).lower().split()),
        where=f"{Source.DATA} “{kind}”",
        is_table=True,
        is_marginal=all(
            entity.element is not None and finder.is_marginal(entity.element) for entity in entities
        ),
    )


def _column(path: str, cells: dict[int, Fact], url: str, types: tuple[str, ...]) -> Column:
    last = path.rpartition(".")[2]
    return Column(
        key=path,
        names=tuple((name, Source.DATA) for name in names_of(path, types)),
        cells={
            number: replace(fact, text=fact.link or urljoin(url, fact.text))
            if last in LINKS | IMAGES
            else fact
            for number, fact in cells.items()
        },
        facet=Facet.LINK if last in LINKS else Facet.IMAGE if last in IMAGES else Facet.TEXT,
        level=TITLE_LEVEL if path in {"name", "headline"} else PLAIN_LEVEL,
        is_constant=len({fact.text for fact in cells.values()}) == 1,
    )
