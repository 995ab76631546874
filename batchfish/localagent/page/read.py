"""One page read: bytes and a schema in, a result or the reason why there is none out."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.build import build_page
from batchfish.localagent.page.coerce import coerce
from batchfish.localagent.page.match import SURE, Candidate, Match, match, score_label
from batchfish.localagent.page.model import Fact, Page, Unreadable
from batchfish.localagent.page.plan import Kind, Wanted, plan
from batchfish.localagent.page.records import read_records
from batchfish.localagent.page.tree import one_line
from batchfish.localagent.page.words import label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LABELS_SHOWN = 12
LONGEST_SHOWN = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What came of reading a page: a result, or a code and words; and what was matched with what.

    `needs_script`: the page is bare until its scripts have run. `next_url` is where the list goes on, None where
    it ends here or no more of it is asked for; `load_more` is the text of the control that adds to it in place.
    """

    result: Any = None
    code: str | None = None
    message: str | None = None
    evidence: tuple[str, ...] = ()
    needs_script: bool = False
    next_url: str | None = None
    load_more: str | None = None


def read_page(
    html: bytes | str,
    *,
    url: str,
    goal: str = "",
    schema: Mapping[str, Any] | None = None,
    content_type: str = "text/html",
) -> Reading:
    """Do what a goal asks of a page; what is not surely there is null where it may be, else the page fails.

    `html` is a page as served, or a tree written out by a browser; elements in it that carry `tree.UNSEEN` are
    those that the browser does not show.
    """
    return read(
        html if isinstance(html, bytes) else html.encode(),
        url=url,
        content_type=content_type,
        schema=schema or {},
    )


def read(body: bytes, *, url: str, content_type: str, schema: Mapping[str, Any]) -> Reading:
    """Fill a schema from a page; what is not surely there is null where it may be, else the page fails."""
    page = build_page(body, url=url, content_type=content_type)
    if isinstance(page, Unreadable):
        return Reading(
            code=page.code, message=page.message, needs_script=page.code == "LOCAL_NEEDS_JAVASCRIPT"
        )
    filling = _Filling(page)
    result = filling.fill(plan(schema))
    if filling.missing:
        return Reading(
            code="LOCAL_NOT_FOUND", message=_explain(filling.missing, page), evidence=tuple(filling.evidence)
        )
    if not filling.evidence:
        return Reading(code="LOCAL_NOT_FOUND", message=_explain(dict.fromkeys(result), page), evidence=())
    return Reading(result=result, evidence=tuple(filling.evidence))


class _Filling:
    """Fills the properties of one schema from one page, and keeps what was matched and what is missing."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.evidence: list[str] = []
        self.missing: dict[str, str | None] = {}

    def fill(
        self, wanted: Sequence[Wanted], facts: Sequence[Fact] | None = None, path: str = ""
    ) -> dict[str, Any]:
        """Fill an object: its plain values all at once, then what is nested."""
        plain = [one for one in wanted if one.kind not in {Kind.OBJECT, Kind.ARRAY}]
        outcome = match(plain, self._page.facts if facts is None else facts, self._page.language)
        result: dict[str, Any] = {}
        for one in wanted:
            where = f"{path}.{one.name}" if path else one.name
            value, why = self._value(one, outcome, where)
            if value is not None:
                result[one.name] = value
            elif one.is_nullable:
                result[one.name] = None
            elif one.is_required:
                self.missing[where] = why
        return result

    def _value(self, one: Wanted, outcome: Match, where: str) -> tuple[Any, str | None]:
        if one.kind is Kind.OBJECT:
            return self._nested(one, where), None
        if one.kind is Kind.ARRAY:
            return self._list(one, where), None
        found = outcome.found.get(one.name)
        if found is None:
            return None, outcome.unsure.get(one.name)
        self._note(where, found)
        return found.value, None

    def _note(self, where: str, found: Candidate) -> None:
        self.evidence.append(f"{where} ← {found.fact.where}: {one_line(found.fact.text)[:LONGEST_SHOWN]}")

    def _nested(self, one: Wanted, where: str) -> dict[str, Any] | None:
        """Fill an object from the facts that carry its name, else from all."""
        prefix = one.label.phrase + " "
        own = [
            replace(fact, label=name.removeprefix(prefix))
            for fact in self._page.facts
            if (name := label(fact.label).phrase).startswith(prefix)
        ]
        missing = dict(self.missing)
        result = self.fill(one.fields, own or self._page.facts, where)
        if any(value is not None for value in result.values()):
            return result
        self.missing = missing
        return None

    def _list(self, one: Wanted, where: str) -> list[Any] | None:
        if one.member is None:
            return None
        if one.member.kind is Kind.OBJECT:
            return self._records(one, one.member, where)
        for fact in sorted(self._page.facts, key=lambda fact: -score_label(one, fact) * fact.trust):
            if score_label(one, fact) * fact.trust < SURE:
                break
            texts = fact.items or tuple(_split(fact.text))
            values = [
                coerce(replace(fact, text=text, exact=None), one.member, self._page.language)
                for text in texts
            ]
            if values and None not in values:
                self.evidence.append(f"{where} ← {fact.where}: {len(values)} values")
                return values[: one.most_items]
        return None

    def _records(self, one: Wanted, member: Wanted, where: str) -> list[Any] | None:
        records = read_records(self._page, one.name, member.fields)
        if records is None:
            return None
        rows = []
        for number, row in enumerate(records.rows[: one.most_items]):
            filled: dict[str, Any] = {}
            for wanted in member.fields:
                if wanted.name in row:
                    filled[wanted.name] = row[wanted.name].value
                elif wanted.is_nullable:
                    filled[wanted.name] = None
                elif wanted.is_required:
                    self.missing[f"{where}.{number}.{wanted.name}"] = None
            rows.append(filled)
        self.evidence.append(f"{where} ← {records.where}")
        for name, found in records.rows[0].items():
            self.evidence.append(f"{where}.{name} ← {found.fact.where}")
        return rows


def _split(text: str) -> Iterator[str]:
    parts = text.split("\n") if "\n" in text else re.split(r"\s*[;,·|]\s*", text)
    return filter(None, (part.strip() for part in parts))


def _explain(missing: Mapping[str, str | None], page: Page) -> str:
    names = ", ".join(missing)
    doubts = "; ".join(f"{name}: {why}" for name, why in missing.items() if why)
    labels = ", ".join(f"“{name}”" for name in page.labels[:LABELS_SHOWN]) or "none"
    return (
        f"Not surely on the page: {names}.{f' In doubt: {doubts}.' if doubts else ''} Labels seen: {labels}."
    )
