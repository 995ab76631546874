"""A page model out of bytes: decoded, parsed, what is unseen dropped, facts and groups collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.page.contacts import find_contacts
from batchfish.localagent.page.decode import decode
from batchfish.localagent.page.facts import FactFinder
from batchfish.localagent.page.groups import find_groups
from batchfish.localagent.page.head import metas
from batchfish.localagent.page.labels import site_of, title_parts
from batchfish.localagent.page.language import language_of
from batchfish.localagent.page.linked_data import linked_data
from batchfish.localagent.page.marked_data import marked_data
from batchfish.localagent.page.marks import name_as_written
from batchfish.localagent.page.model import Fact, Page, Source, Unreadable
from batchfish.localagent.page.nothing import notice_of_nothing
from batchfish.localagent.page.numbers import Locale
from batchfish.localagent.page.pagination import find_more
from batchfish.localagent.page.pairs import find_pairs
from batchfish.localagent.page.parties import find_parties
from batchfish.localagent.page.refuse import EMPTY, refuse
from batchfish.localagent.page.roles import find_roles
from batchfish.localagent.page.signs import find_signs
from batchfish.localagent.page.things import groups_of_things, told
from batchfish.localagent.page.tree import forget, parse, text_of
from batchfish.localagent.page.unseen import drop_unseen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchfish.localagent.page.entities import Value


LABELLED = frozenset({Source.PAIR, Source.SECTION, Source.DATA})


def build_page(body: bytes, *, url: str, content_type: str, like: str | None = None) -> Page | Unreadable:
    """Make the model of a page, or say why there is nothing to read.

    `like` is the key of a group that goes on here: of that one, a single record is enough.
    """
    forget()
    source = decode(body, content_type)
    tree = parse(source)
    if tree is None:
        return EMPTY
    title = " ".join("".join(tree.xpath("//title[1]//text()")).split())
    notices = " ".join(tree.xpath("//noscript//text()"))
    scripts = [
        script.text or ""
        for script in tree.iter("script")
        if (script.get("type") or "").strip().lower().startswith("application/ld+json")
    ]
    count = sum(1 for _ in tree.iter("script")) - len(scripts)
    head = list(metas(tree, url))
    next_links = [link.get("href", "") for link in tree.iter("link") if link.get("rel") == "next"]
    name_as_written(tree)
    drop_unseen(tree)
    if unreadable := refuse(tree, title=title, scripts=count, notices=notices):
        return unreadable
    finder = FactFinder(tree, url)
    entities = [*linked_data(scripts), *marked_data(tree)]
    contacts = find_contacts(finder)
    facts = [
        *told(entities, finder, title),
        *find_pairs(finder),
        *find_roles(finder),
        *contacts.facts,
        *find_signs(finder),
        *_head(title, head),
    ]
    return Page(
        locale=Locale(language=language_of(tree, text_of(tree)), url=url),
        facts=tuple(facts),
        groups=(*groups_of_things(entities, finder), *find_groups(finder, like)),
        source=source,
        parties=find_parties(finder, contacts.anchors, facts),
        nothing_found=notice_of_nothing(finder),
        more=find_more(tree, url, next_links),
        labels=tuple(dict.fromkeys(fact.label for fact in facts if fact.source in LABELLED)),
    )


def _head(title: str, metas: list[tuple[str, Value]]) -> Iterator[Fact]:
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
    if site := next((value.text for label, value in metas if label == "site name"), site_of(title)):
        yield Fact(
            label="company",
            text=site,
            source=Source.META,
            node=(-len(metas) - 2, 0),
            where="name of the site",
        )
    for part in parts[:1]:
        yield Fact(
            label="title",
            text=part,
            source=Source.META,
            node=(-len(metas) - 1, 0),
            where="title of the page",
        )
