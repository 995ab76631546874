"""The ways to name fields in a sentence: “the name of each plan”, “plans with name and price”."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.fields import Field, fields_in
from batchfish.localagent.page.grammar import (
    A_FEATURE,
    ABOUT,
    AND,
    BRACKET,
    COLLECTIVE,
    COLON,
    DATA_WORDS,
    DETERMINERS,
    EACH,
    FOR_EACH,
    FORMS,
    OF_EACH,
    OF_MANY,
    OWNER,
    PLAIN_VALUES,
    SEVERAL,
    TOP,
    VAGUE,
    WITH,
)
from batchfish.localagent.page.hints import kind_by_name
from batchfish.localagent.page.named import (
    MARKS,
    Noun,
    head_of,
    is_known,
    is_plural,
    is_several,
    is_thing,
    one_of_several,
    several_of,
    thing_of,
)
from batchfish.localagent.page.words import label, senses_of

if TYPE_CHECKING:
    from collections.abc import Sequence

DIVIDERS = ((BRACKET, ")"), (WITH, ""), (COLON, ""))
LONGEST_BEFORE = 10
QUOTED = re.compile(r"[\"'“„«\u2018]")
Found = tuple[list[Field], Noun]
"""The fields that a way of saying so names, and what has them."""


def noun_of(clause: str) -> Noun:
    """Give what an order says it wants; no name where that is quoted, or only a word for data."""
    before, name = ("", "") if QUOTED.match(clause) else head_of(clause)
    name = several_of(name) if EACH.search(before) else name
    return Noun(name=name, is_several=is_several(before, name)) if name else Noun()


def each_noun(prose: str, clauses: Sequence[str]) -> Noun | None:
    """Give the noun of which each is spoken of: “for each plan”, “of every plan”, “of the top 5 plans”."""
    each = [FOR_EACH.search(prose), *(one for clause in clauses for one in OF_EACH.finditer(clause))]
    if found := next((one for one in each if one and _is_name(one["noun"])), None):
        return _noun_in(found)
    many = (one for clause in clauses for one in OF_MANY.finditer(clause) if one["top"])
    return next((Noun(name=one["noun"], is_several=True) for one in many if _is_name(one["noun"])), None)


def _is_name(noun: str | None) -> bool:
    return noun is not None and noun.lower() not in FORMS | VAGUE


def _noun_in(found: re.Match[str]) -> Noun:
    """Give the noun of a match in the plural, where what stands before it calls for one."""
    each, name = found["each"] or "", found["noun"].strip(MARKS)
    is_one = EACH.search(f"{each} ") is not None
    return Noun(name=several_of(name, each) if is_one else name, is_several=True)


def first_of(nouns: Sequence[Noun]) -> Noun:
    """Give the first noun that names several things; one that names no field before one that does."""
    named = [one for one in nouns if one.name and one.name.lower() not in VAGUE]
    several = [one for one in named if one.is_several]
    vague = [one for one in nouns if one.name]
    return next(iter([*several, *named, *vague]), Noun())


def for_each(prose: str, noun: Noun) -> Found | None:
    """Read “For each plan, give the name and the price”."""
    found = FOR_EACH.search(prose)
    if found is None or not (fields := fields_in(found["fields"])):
        return None
    return fields, _noun_in(found) if _is_name(found["noun"]) else Noun(name=noun.name, is_several=True)


def owned(clause: str) -> Found | None:
    """Read “each plan's name and price”."""
    found = OWNER.match(clause)
    if found is None or WITH.search(found["owner"]):
        return None
    noun = noun_of(found["owner"])
    several = noun.is_several if found["mark"] == "'s" else True
    fields = fields_in(found["fields"].rpartition(": ")[2], of_several=several)
    return (fields, Noun(name=noun.name, is_several=several)) if fields and noun.name else None


def of_each(clause: str) -> Found | None:
    """Read “the name and price of each plan”, “names and prices of the plans”."""
    for found in (*OF_EACH.finditer(clause), *OF_MANY.finditer(clause)):
        said = clause[: found.start()]
        is_each = "each" in found.groupdict()
        noun = _noun_in(found) if is_each else Noun(name=found["noun"].strip(MARKS), is_several=True)
        fields = fields_in(TOP.sub("", DETERMINERS.sub("", said)), of_several=True)
        if not fields or noun.name.lower() in FORMS or any(one.search(said) for one in (WITH, COLON)):
            continue
        if any(_holds_values(name) for name, _ in fields):
            continue
        if is_each or found["top"] or (is_plural(noun.name) and _are_several(said)):
            return fields, noun
    return None


def _holds_values(name: str) -> bool:
    """Whether a name is one of what holds values, such as a table, rather than of a value."""
    return name.rsplit(maxsplit=1)[-1].lower() in COLLECTIVE | DATA_WORDS


def _are_several(said: str) -> bool:
    """Whether a list in words names values of several things: “names and prices”."""
    names = [name for name, _ in fields_in(said)]
    return all(one_of_several(name) != name for name in names)


def after_noun(clause: str) -> Found | None:
    """Read “products with name and price”, “repositories: name, stars”, “stamps (country, year)”."""
    rest = clause[len(head_of(clause)[0]) :]
    cuts = [(found, closing) for divider, closing in DIVIDERS if (found := divider.search(rest))]
    for cut, closing in sorted(cuts, key=lambda one: one[0].start()):
        named = rest[cut.end() :]
        fields = fields_in(named.partition(closing)[0] if closing else named)
        if fields and len(rest[: cut.start()].split()) <= LONGEST_BEFORE:
            return fields, noun_of(clause)
    return None


def chooses(clause: str) -> bool:
    """Whether what stands after “with” describes which things are meant: “hotels with a pool”."""
    found = WITH.search(clause)
    parts = AND.split(clause[found.end() :].partition(".")[0]) if found else []
    return bool(parts) and all(
        A_FEATURE.match(one) and PLAIN_VALUES.isdisjoint(senses_of(label(A_FEATURE.sub("", one))))
        for one in parts
    )


def compound(clause: str) -> Found | None:
    """Read “product names and prices”, “first 5 listing titles, prices and URLs”."""
    before, _ = head_of(clause)
    names = [name for name, _ in fields_in(clause[len(before) :])]
    ones = [one_of_several(name) for name in names]
    if not names or any(
        one == name or not is_known(one.split()[-1]) for one, name in zip(ones, names, strict=True)
    ):
        return None
    owner, _, own = ones[0].rpartition(" ")
    if len(ones) == 1 and is_thing(own):
        return None
    if owner and is_known(own) and (not is_known(owner) or thing_of(several_of(owner))):
        rest = [one.removeprefix(f"{owner} ") for one in ones]
        return [(one, kind_by_name(one)) for one in rest], Noun(name=several_of(owner), is_several=True)
    if len(names) > 1 and (SEVERAL.search(before) or TOP.search(before)):
        return [(one, kind_by_name(one)) for one in ones], Noun(is_several=True)
    return None


def plain_fields(clause: str) -> list[Field]:
    """Read “the title, the author and the date”, “page title”: names that are known, or most of them."""
    fields = fields_in(clause, of_one=True)
    names = [name for name, _ in fields]
    if len(fields) == 1 and fields[0][1]["type"] == "boolean":
        return []  # a question about the page, as it stands alone
    if any(ABOUT.match(name) or _holds_values(name) for name in names):
        return []
    known = [name for name in names if is_known(name) and DETERMINERS.sub("", name).lower() not in FORMS]
    if len(known) == len(names):
        return fields
    return fields if len(names) > 1 and 2 * len(known) >= len(names) and not FORMS & set(names) else []
