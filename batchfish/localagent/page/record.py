"""One thing read from a page: the entity that describes it, its head, its labelled texts, matched at once."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.candidates.model import Field, Record, Source
from batchfish.localagent.page.candidates.structured import fields_of_entity, is_auxiliary, spell
from batchfish.localagent.page.dom.text import clean
from batchfish.localagent.page.match import Match, matches_of
from batchfish.localagent.page.wanted import Kind, Shape, Wanted
from batchfish.localagent.page.words import fold, folded, spell_name, stems_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.localagent.page.candidates.fields import FieldFinder
    from batchfish.localagent.page.candidates.structured import Entity
    from batchfish.localagent.page.dom.document import Document

PREFIX = re.compile(
    r"^(?:og|article|product|book|twitter|dc|dcterms|citation|event|profile|video|itemprop)[:.]"
)
SUFFIX = re.compile(r"\s+[|–—·»:-]+\s+|\s*\|\s*")
IGNORED, GENERIC = folded("head_noise"), folded("generic_headings")
HALF, FEW = 0.5, 0.34


def read_record(document: Document, finder: FieldFinder, wanted: Sequence[Wanted]) -> dict[int, Match]:
    """Return what a page says of the one thing that it is about, by the place of the field."""
    visible = tuple(
        field
        for field in (*fields_of_head(document), *finder.fields_of(finder.root, is_page=True))
        if not (field.source is Source.HEADING and fold(field.text) in GENERIC)
    )
    best: Record = ()
    best_score = 0.0
    for number, entity in enumerate(subjects(document)):
        fields = fields_of_entity(entity, number)
        found = matches_of(fields, wanted, document.locale)
        score = sum(match.score for match in found.values()) * (0.8 if is_auxiliary(entity) else 1)
        if score > best_score:
            best, best_score = fields, score
    return matches_of((*best, *visible), wanted, document.locale)


def subjects(document: Document) -> list[Entity]:
    """Return the entities that a page may be about: of several of one kind, those that its heading names."""
    by_kind: dict[str, list[Entity]] = defaultdict(list)
    for entity in document.entities:
        by_kind[" ".join(entity["@type"])].append(entity)
    own = {kind: [one for one in group if is_about(one, document)] for kind, group in by_kind.items()}
    return [one for kind, group in by_kind.items() for one in own[kind] or (group if len(group) == 1 else [])]


def is_enough(found: Mapping[int, Match], wanted: Sequence[Wanted]) -> bool:
    """Whether what was found makes a page the page of what was asked for.

    The name alone does not: every page has a heading. Where other fields are required, half of them must be
    there; where none is, a third of what is wanted.
    """
    names = [place for place, one in enumerate(wanted) if one.shape is Shape.NAME and one.kind is Kind.TEXT]
    others = [place for place in range(len(wanted)) if place not in names]
    if not found or not others:
        return bool(found) and all(place in found or not wanted[place].is_required for place in names)
    needed = [place for place in others if wanted[place].is_required and not wanted[place].is_nullable]
    right = [place for place in needed or others if place in found and _says_something(found[place])]
    is_named = all(place in found or not wanted[place].is_required for place in names[:1])
    is_described = sum(match.field.source is Source.DATA for match in found.values()) >= 3
    if is_described and is_named and right:
        return True
    least = FEW if not needed else HALF if is_named else 1
    return len(right) >= max(1, least * len(needed or others))


def _says_something(match: Match) -> bool:
    """Whether a value tells this page from any other page of a site."""
    return match.field.where != "address of the page" and not match.field.is_marginal


def nested(values: Mapping[tuple[str, ...], Any], fields: Sequence[Wanted]) -> dict[str, Any]:
    """Return values by their paths as an object in the schema's form; what is missing is null.

    A property that is neither required nor nullable is left out, as is an object of which nothing is there.
    """
    result: dict[str, Any] = {}
    for one in fields:
        if one.kind is Kind.OBJECT and any(path[: len(one.path)] == one.path for path in values):
            result[one.name] = nested(values, one.fields)
        elif one.path in values or one.is_required or one.is_nullable:
            result[one.name] = values.get(one.path)
    return result


def fields_of_head(document: Document) -> Record:
    """Return the fields of a page's head; the title stands without the name of the site."""
    fields: list[Field] = []

    def add(labels: tuple[str, ...], text: str, where: str, **more: object) -> None:
        more = {"source": Source.META, "node": -2_000_000.0 - len(fields)} | more
        fields.append(Field(labels=labels, text=text, where=where, **more))  # type: ignore[arg-type]

    heading = document.heading
    add(("html title",), document.title or heading, "title of the page", source=Source.DATA)
    site = document.meta.get("og:site_name", "")
    add(("name",), own_title(document.title, heading, site), "title of the page")
    for name, content in document.meta.items():
        phrase = spell_name(PREFIX.sub("", name).replace(":", " ").replace(".", " "))
        if phrase in IGNORED or len(content) > 2000:
            continue
        items = tuple(filter(None, map(clean, content.split(",")))) if phrase == "keywords" else ()
        is_address = content.startswith(("http://", "https://"))
        labels = ("site name", "publisher") if phrase == "site name" else (phrase,)
        add(
            labels, content, f"head of the page: {name}", exact=content, items=items,
            link=content if is_address else None, image=content if phrase == "image" and is_address else None,
        )  # fmt: skip
    add(("website", "page url"), document.url, "address of the page", link=document.url)
    return tuple(fields)


def own_title(title: str, heading: str, site: str) -> str:
    """Return a page's title without what the site adds: the part that its heading says, too, or the first."""
    parts = [part for part in SUFFIX.split(title) if part]
    parts = [part for part in parts if fold(part) not in GENERIC] or parts
    if heading and fold(heading) not in GENERIC:
        for part in (title, *parts):
            if fold(part) == fold(heading):
                return part
    kept = [part for part in parts if fold(part) != fold(site)]
    return kept[0] if kept else title


def is_about(entity: Entity, document: Document) -> bool:
    """Whether a thing is what the page is about, by its name and the page's first heading or title."""
    heading = document.heading or document.title
    name = spell(entity.get("name") or entity.get("headline"))
    mine, theirs = stems_of(fold(name)), stems_of(fold(heading))
    is_same = len(mine & theirs) >= 0.6 * min(len(mine), len(theirs))
    return bool(mine) and is_same and fold(heading) not in GENERIC
