"""A schema filled from one page: plain values all at once, then objects and lists, with evidence for each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.coerce import coerce
from batchfish.localagent.page.further import find_row, published
from batchfish.localagent.page.going_on import GoingOn
from batchfish.localagent.page.left_facts import rest_of_facts
from batchfish.localagent.page.lists import NoList, read_list
from batchfish.localagent.page.match import SURE, Candidate, Match, match, read_items, score_name
from batchfish.localagent.page.model import Source
from batchfish.localagent.page.nested_lists import inner_list, read_nested
from batchfish.localagent.page.nesting import flatten, nest
from batchfish.localagent.page.plan import Kind, Wanted
from batchfish.localagent.page.records import is_called
from batchfish.localagent.page.tree import one_line
from batchfish.localagent.page.words import concepts_of, label, senses_of, singular

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batchfish.localagent.page.goal import Asked
    from batchfish.localagent.page.model import Fact, Page

LONGEST_SHOWN = 80
ITEMS_BONUS = 0.1
SAYS_LISTS = frozenset({Source.PAIR, Source.SECTION, Source.DATA, Source.MARK})


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Where a property of the result was found: its path, the place, the text there (empty for lists)."""

    name: str
    where: str
    text: str = ""

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.name} ← {self.where}{f': {self.text}' if self.text else ''}"


class Filling:
    """Fills the properties of one schema from one page, and keeps what was matched and what is missing.

    `after` is a list that began on another page; `going_on` is the first list of records that this one holds.
    """

    def __init__(self, page: Page, asked: Asked, *, after: GoingOn | None = None) -> None:
        self._page = page
        self._asked = asked
        self._after = after
        self.evidence: list[Evidence] = []
        self.missing: dict[str, str | None] = {}
        self.going_on: GoingOn | None = None

    def fill(
        self, wanted: Sequence[Wanted], facts: Sequence[Fact] | None = None, path: str = ""
    ) -> dict[str, Any]:
        """Fill an object: its plain values all at once, then what is nested."""
        plain = [one for one in wanted if one.kind not in {Kind.OBJECT, Kind.ARRAY}]
        outcome = match(plain, self._page.facts if facts is None else facts, self._page.locale)
        if facts is None:
            self._look_further(plain, outcome)
        rest_of_facts(plain, self._page.facts if facts is None else facts, outcome, self._page.locale)
        result: dict[str, Any] = {}
        for one in wanted:
            where = f"{path}.{one.name}" if path else one.name
            value, why = self._value(one, outcome, where, is_alone=len(wanted) == 1)
            if value is not None:
                result[one.name] = value
            elif one.is_nullable:
                result[one.name] = None
            elif one.is_required:
                self.missing[where] = why
        return result

    def _look_further(self, plain: Sequence[Wanted], outcome: Match) -> None:
        """Look for what the page does not say of itself: in the record that the goal names, in its dates."""
        open_fields = [one for one in plain if one.name not in outcome.found and one.is_required]
        if open_fields and (row := find_row(self._page, plain, self._asked.goal)):
            outcome.found.clear()
            outcome.found.update(row)
        for one in plain:
            money = [outcome.found[other.name] for other in plain if _is_money(other, outcome)]
            if one.name not in outcome.found and "currency" in one.senses and money:
                fact = money[0].fact
                if (sign := coerce(fact, replace(one, kind=Kind.TEXT), self._page.locale)) is not None:
                    outcome.found[one.name] = Candidate(fact=fact, value=sign, score=money[0].score)
            if one.name not in outcome.found and one.kind is Kind.DATE and "published" in one.senses:
                found = published(self._page, one)
                outcome.found.update({one.name: found} if found else {})

    def _value(self, one: Wanted, outcome: Match, where: str, *, is_alone: bool) -> tuple[Any, str | None]:
        if one.kind is Kind.OBJECT:
            return self._nested(one, where, is_alone=is_alone), None
        if one.kind is Kind.ARRAY:
            return self._list(one, where)
        found = outcome.found.get(one.name)
        if found is None:
            return None, outcome.unsure.get(one.name)
        self._note(where, found.fact.where, one_line(found.fact.text))
        return found.value, None

    def _note(self, name: str, where: str, text: str = "") -> None:
        self.evidence.append(Evidence(name=name, where=where, text=text[:LONGEST_SHOWN]))

    def _nested(self, one: Wanted, where: str, *, is_alone: bool) -> dict[str, Any] | None:
        """Fill an object from the facts that carry its name, where they are enough, else from all.

        An object that is all that is wanted is what the page is about.
        """
        own = [
            replace(fact, label=name)
            for fact in self._page.facts
            if (name := _of_the_same(one, label(fact.label).phrase))
        ]
        tries: list[Sequence[Fact] | None] = [None] if is_alone else [own, self._page.facts]
        evidence, missing = list(self.evidence), dict(self.missing)
        for facts in tries:
            self.evidence, self.missing = list(evidence), dict(missing)
            result = self.fill(one.fields, facts, where)
            if len(self.missing) == len(missing) and any(value is not None for value in result.values()):
                break
        if any(value is not None for value in result.values()):
            return result
        self.missing = missing
        return None

    def _list(self, one: Wanted, where: str) -> tuple[list[Any] | None, str | None]:
        if one.member is None:
            return None, None
        if one.member.kind is Kind.OBJECT:
            if inner := inner_list(one.member.fields):
                return self._nested_records(one, one.member.fields, inner, where)
            return self._records(one, one.member.fields, where)
        for fact in sorted(self._page.facts, key=lambda fact: -_score_list(one, fact)):
            if score_name(one, fact.label) * fact.trust < SURE:
                continue
            if not fact.items and fact.source not in SAYS_LISTS:
                continue  # a title with a comma in it is one title
            if not fact.items and fact.source is Source.MARK and self._is_said_often(fact):
                continue  # one of the members, not all of them
            if values := read_items(fact, one.member, self._page.locale):
                self._note(where, f"{fact.where}, {len(values)} values")
                return values[: self._most(one)], None
        return self._names(one, one.member, where)

    def _is_said_often(self, fact: Fact) -> bool:
        """Whether several elements of a page carry the class that a fact is called by."""
        alike = (other for other in self._page.facts if other.label == fact.label)
        return len({other.node for other in alike if other.source is Source.MARK}) > 1

    def _names(self, one: Wanted, member: Wanted, where: str) -> tuple[list[Any] | None, str | None]:
        """Fill a list of plain values with the names or links of the things that it is called after."""
        name = singular(one.name)
        said = senses_of(label(name))
        senses = said if said & {"website", "image", "email", "phone"} else said | {"name"}
        alone = replace(member, name=name, label=label(name), senses=senses, is_required=True)
        records = read_list(self._page, [one.name, *self._asked.nouns], [alone])
        if isinstance(records, NoList):
            return None, records.why
        if not said & {"name", "website", "email"} and not is_called(records.fit.group, [one.name]):
            return None, f"nothing says that {records.fit.group.where} is a list of {one.name}"
        self._note(where, f"{len(records.rows)} records from {records.fit.group.where}")
        return [row[name] for row in records.rows if name in row][: self._most(one)], None

    def _most(self, one: Wanted) -> int | None:
        limits = [limit for limit in (one.most_items, self._asked.most) if limit is not None]
        before = self._after.found if self._after else 0
        return max(0, min(limits) - before) if limits else None

    def _nested_records(
        self, one: Wanted, fields: Sequence[Wanted], inner: Wanted, where: str
    ) -> tuple[list[Any] | None, str | None]:
        records = read_nested(self._page, fields, inner)
        if isinstance(records, NoList):
            return None, records.why
        self._note(where, f"{len(records.rows)} records from {records.where}")
        return list(records.rows)[: self._most(one)], None

    def _records(
        self, one: Wanted, fields: Sequence[Wanted], where: str
    ) -> tuple[list[Any] | None, str | None]:
        like = self._after.key if self._after and self._after.name == where else None
        names = [one.name, *self._asked.nouns]
        records = read_list(self._page, names, flatten(fields), like, self._asked.goal)
        if isinstance(records, NoList):
            return None, records.why
        most = self._most(one)
        lacking = [(number, name) for number, name in records.lacking if most is None or number < most]
        for number, name in lacking:
            self.missing[f"{where}.{number}.{name}"] = None
        self._note(where, f"{len(records.rows)} records from {records.fit.group.where}")
        for name, pair in records.fit.pairs.items():
            sample = pair.look.sample[0]
            self._note(f"{where}.{name}", sample.where, one_line(sample.text))
        made = [nest(row, fields) for row in records.rows][:most]
        if self.going_on is None and where == one.name:
            found, pages = (self._after.found, self._after.pages) if self._after else (0, 0)
            key = records.fit.group.key
            self.going_on = GoingOn(name=one.name, key=key, found=found + len(made), pages=pages + 1)
        return made, None


def _of_the_same(thing: Wanted, name: str) -> str:
    """Give what a label says of a thing: of `location name` the name, where it is the venue that is meant."""
    first, _, rest = name.partition(" ")
    if name.startswith(f"{thing.label.phrase} "):
        return name.removeprefix(f"{thing.label.phrase} ")
    return rest if rest and concepts_of(label(first)) & (concepts_of(thing.label) | thing.senses) else ""


def _score_list(one: Wanted, fact: Fact) -> float:
    """Say how well a fact fits a list: one that is a list fits better than one that has to be taken apart."""
    return score_name(one, fact.label) * fact.trust + ITEMS_BONUS * bool(fact.items)


def _is_money(one: Wanted, outcome: Match) -> bool:
    return "price" in one.senses and one.name in outcome.found
