"""A page model out of bytes: decoded, parsed, what is unseen dropped, facts and groups collected."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urljoin

from batchfish.localagent.page import structured
from batchfish.localagent.page.decode import decode
from batchfish.localagent.page.facts import FactFinder, title_parts
from batchfish.localagent.page.groups import find_groups
from batchfish.localagent.page.model import Fact, Page, Source, Unreadable
from batchfish.localagent.page.refuse import EMPTY, refuse
from batchfish.localagent.page.tree import drop_unseen, parse
from batchfish.localagent.page.words import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchfish.localagent.page.structured import Entity

# Parts of a thing whose properties are the thing's own, for those who ask.
TRANSPARENT = frozenset(
    [
        "offers",
        "aggregateRating",
        "address",
        "geo",
        "contactPoint",
        "priceSpecification",
        "nutrition",
        "mainEntity",
    ]
)


def build_page(body: bytes, *, url: str, content_type: str) -> Page | Unreadable:
    """Make the model of a page, or say why there is nothing to read."""
    tree = parse(decode(body, content_type))
    if tree is None:
        return EMPTY
    title = " ".join("".join(tree.xpath("//title[1]//text()")).split())
    notices = " ".join(tree.xpath("//noscript//text()"))
    scripts = [
        script.text or "" for script in tree.iter("script") if script.get("type") == "application/ld+json"
    ]
    count = sum(1 for _ in tree.iter("script")) - len(scripts)
    head = list(structured.metas(tree, url))
    drop_unseen(tree)
    if unreadable := refuse(tree, title=title, scripts=count, notices=notices):
        return unreadable
    finder = FactFinder(tree, url)
    seen = list(finder.find())
    entities = [*structured.linked_data(scripts), *structured.microdata(tree)]
    told = list(_told(entities, finder, url, title))
    facts = [*told, *seen, *_head(title, head)]
    return Page(
        url=url,
        language=tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or "",
        facts=tuple(facts),
        groups=tuple(find_groups(tree, seen, finder)),
        labels=tuple(
            dict.fromkeys(fact.label for fact in facts if fact.source in {Source.PAIR, Source.DATA})
        ),
    )


def _told(entities: list[Entity], finder: FactFinder, url: str, title: str) -> Iterator[Fact]:
    """Give the facts of the thing that the page is about."""
    mains = [entity for entity in entities if not entity.is_beside_the_point]
    named = [entity for entity in mains if entity.name and fold(entity.name) in fold(title)]
    for entity in named or mains[:1]:
        for path, value in entity.values:
            yield from _facts_of(path, value, finder, url)


def _facts_of(path: str, value: structured.Value, finder: FactFinder, url: str) -> Iterator[Fact]:
    first, _, rest = path.rpartition(".")
    labels = [path.replace(".", " ")]
    if rest != "name" and first and TRANSPARENT.issuperset(first.split(".")):
        labels.append(rest)
    for label in labels:
        yield Fact(
            label=label,
            text=value.text,
            source=Source.DATA,
            node=(-id(value), 0) if value.element is None else (finder.number(value.element), 0),
            where=f"{Source.DATA} “{path}”",
            exact=value.exact,
            link=urljoin(url, value.link) if value.link else None,
            is_marginal=value.element is not None and finder.is_marginal(value.element),
        )


def _head(title: str, metas: list[tuple[str, structured.Value]]) -> Iterator[Fact]:
    for number, (label, value) in enumerate(metas, start=1):
        yield Fact(
            label=label,
            text=value.text,
            source=Source.META,
            node=(-number, 0),
            where=f"{Source.META} “{label}”",
            exact=value.exact,
            link=value.link,
        )
    parts = title_parts(title)
    if len(parts) == 1 or title:
        for part in parts[:1]:
            yield Fact(
                label="title",
                text=part,
                source=Source.META,
                node=(-len(metas) - 1, 0),
                where="title of the page",
            )
