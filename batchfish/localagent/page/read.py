"""One page read: bytes, a goal and a schema in, a result or the reason why there is none out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.asked.choices import choice_in
from batchfish.localagent.page.asked.fields import list_of
from batchfish.localagent.page.candidates.fields import FieldFinder
from batchfish.localagent.page.candidates.records import part_by_headings
from batchfish.localagent.page.dom.document import Document, Unreadable, read_document
from batchfish.localagent.page.dom.text import one_line
from batchfish.localagent.page.goal import UNCLEAR, Asked, understand
from batchfish.localagent.page.going_on import GoingOn
from batchfish.localagent.page.listing import Listing, ListReader
from batchfish.localagent.page.record import is_enough, nested, read_record
from batchfish.localagent.page.wanted import Kind, Wanted, leaves, wanted_of
from batchfish.localagent.page.whole import schema_of_kind, structured_data, with_numbers, without_nulls

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.localagent.page.match import Match

LABELS_SHOWN, LONGEST_SHOWN = 12, 200
NOT_CHOSEN = (
    "The goal asks for a choice that this reader does not make (“{}”): it reads the records of a list as they"
    " stand on the page, and neither filters nor sorts them. Ask for all of them with the field that decides,"
    " and choose in the table; or leave the words out if the page shows just what is wanted."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """The evidence for a property: its path, the place in words, the text there."""

    name: str
    where: str
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The outcome of reading a page: a result, or an error code and words; and the matches.

    A result may lack what the schema requires: it holds null there. `next_url` is where the list goes on,
    None where it ends here or no more of it is asked for; `going_on` is for `read_page` to go on there.
    """

    result: Any = None
    code: str | None = None
    message: str | None = None
    evidence: tuple[Evidence, ...] = ()
    next_url: str | None = None
    going_on: GoingOn | None = None


def read_page(
    html: bytes | str,
    *,
    url: str,
    goal: str = "",
    schema: Mapping[str, Any] | None = None,
    content_type: str = "text/html",
    after: GoingOn | None = None,
) -> Reading:
    """Read what a goal asks for; a value that is not surely there is null, and with too few the page fails.

    `html` is a page as served, or a tree written out by a browser; elements in it with the attribute
    `document.UNSEEN` are not shown. `after` is what an earlier page's reading said of the list that
    goes on here: only that list is read then.
    """
    body = html if isinstance(html, bytes) else html.encode("utf-8", "replace")
    kind = content_type if isinstance(html, bytes) else "text/html; charset=utf-8"
    document = read_document(body, url=url, content_type=kind)
    if isinstance(document, Unreadable):
        return Reading(code=document.code, message=document.message)
    asked = understand(goal, schema)
    if asked.schema is None and not asked.kind:
        return Reading(code="LOCAL_GOAL_UNCLEAR", message=UNCLEAR)
    if choice := choice_in(asked.goal, asked.schema or {"properties": {"all": {"type": "array"}}}):
        return Reading(code="LOCAL_GOAL_CHOOSES", message=NOT_CHOSEN.format(choice))
    if asked.schema is None:
        return _read_whole(document, asked)
    return _Page(document, asked).read(asked.schema, after)


def _read_whole(document: Document, asked: Asked) -> Reading:
    """Return all the data of a kind of thing: structured data as it stands, or what is sure of its fields."""
    if found := structured_data(document, asked):
        result, where = found
        return Reading(result=result, evidence=tuple(Evidence(name=name, where=where) for name in result))
    schema = schema_of_kind(asked)
    if schema is None:
        return Reading(code="LOCAL_GOAL_UNCLEAR", message=UNCLEAR)
    reading = _Page(document, asked).read(schema, None)
    if asked.is_several:
        whole, (_, key) = list_of(schema, asked.nouns[0] if asked.nouns else asked.kind), schema["required"]
        several = _Page(document, asked).read(whole, None)
        rows = next(iter(several.result.values())) if several.code is None else []
        if rows and (reading.code is not None or reading.result[key] in [row[key] for row in rows]):
            reading = several  # what the page says of one thing, it says of the things of a list
    return replace(reading, result=without_nulls(reading.result))


class _Page:
    """One page as it is read: what was found, and where."""

    def __init__(self, document: Document, asked: Asked) -> None:
        self._document = document
        self._asked = asked
        self._evidence: list[Evidence] = []
        self._going_on: GoingOn | None = None

    def read(self, schema: Mapping[str, Any], after: GoingOn | None) -> Reading:
        """Fill a schema; lists are looked for only where one is wanted."""
        fields = wanted_of(schema)
        arrays = [one for one in fields if (one.name == after.name if after else one.is_list_of_things)]
        plain = [one for one in fields if not one.is_list_of_things] if after is None else []
        is_list_of_texts = len(fields) == 1 and fields[0].kind is Kind.ARRAY and not arrays
        if arrays or is_list_of_texts:
            part_by_headings(self._document.root)
        finder = FieldFinder(self._document)
        flat = leaves(plain)
        found = read_record(self._document, finder, flat) if plain else {}
        is_sure = is_enough(found, flat)
        kept = found if is_sure or arrays else {}
        values = {flat[place].path: match.value for place, match in kept.items()}
        if values:
            self._tell(found, flat, "")
        if is_list_of_texts and not is_sure:
            arrays = plain
        missing = [] if is_sure else [one.name for one in plain]
        key = None if after is None else after.key
        reader = ListReader(self._document, finder, key) if arrays else None
        for one in arrays:
            listing = self._list(reader, one, after) if reader is not None else None
            if listing is not None:
                values[one.path] = listing.records
                is_sure, missing = True, []
            else:
                missing.append(one.name)
        if not is_sure:
            return self._failed(missing or [one.name for one in fields], finder)
        result = nested(values, fields if after is None else arrays)
        return self._finished(with_numbers(result, fields) if self._asked.is_own else result)

    def _list(self, reader: ListReader, wanted: Wanted, after: GoingOn | None) -> Listing | None:
        so_far = after.found if after is not None else 0
        bounds = [one for one in (self._asked.most, wanted.most_items) if one is not None]
        most = max(min(bounds) - so_far, 0) if bounds else None
        listing = reader.read(wanted, self._asked.nouns, most)
        if listing is not None:
            records, count = listing.source, len(listing.records)
            self._evidence.append(Evidence(name=wanted.name, where=records.where, text=f"{count} records"))
            self._tell(listing.matches, listing.fields, f"{wanted.name}.")
            pages = after.pages + 1 if after is not None else 1
            self._going_on = GoingOn(name=wanted.name, key=records.key, found=so_far + count, pages=pages)
        return listing

    def _tell(self, found: Mapping[int, Match], fields: Sequence[Wanted], prefix: str) -> None:
        for place, match in found.items():
            name, text = ".".join(fields[place].path), one_line(match.found.text)[:LONGEST_SHOWN]
            self._evidence.append(Evidence(name=f"{prefix}{name}", where=match.field.where, text=text))

    def _failed(self, missing: Sequence[str], finder: FieldFinder) -> Reading:
        fields = finder.fields_of(self._document.root, is_page=True)
        labels = dict.fromkeys(f"“{field.labels[0]}”" for field in fields if field.where.startswith("label"))
        shown = ", ".join(list(labels)[:LABELS_SHOWN]) or "none"
        message = f"Not surely on the page: {', '.join(dict.fromkeys(missing))}. Labels seen: {shown}."
        return Reading(code="LOCAL_NOT_FOUND", message=message, evidence=tuple(self._evidence))

    def _finished(self, result: Any) -> Reading:
        """Add the address of the next page, if more of the list is wanted and there is more."""
        next_url, going_on, asked = self._document.next_url, self._going_on, self._asked
        reading = Reading(result=result, evidence=tuple(self._evidence), going_on=going_on)
        if going_on is None or next_url is None or not asked.wants_more(going_on.found, 0):
            return reading
        if not asked.wants_more(going_on.found, going_on.pages):
            limit = f"stopped after {going_on.pages} pages, as far as is gone; there are more"
            return replace(reading, evidence=(*reading.evidence, Evidence(name=going_on.name, where=limit)))
        return replace(reading, next_url=next_url)
