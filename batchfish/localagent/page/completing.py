"""What is left open in a list: gaps in a column, currencies, flags."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

from batchfish.localagent.page.columns import Pair, agree, values_of
from batchfish.localagent.page.match import SURE
from batchfish.localagent.page.model import Facet
from batchfish.localagent.page.plan import Kind
from batchfish.localagent.page.ranges import are_ends_of_one, read_end
from batchfish.localagent.page.similarity import similarity_of
from batchfish.localagent.page.stock import read_stock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.localagent.page.looks import Look
    from batchfish.localagent.page.plan import Wanted

FLAG_SCORE, UNSAID_SCORE, LONGEST_FLAG = 0.75, 0.5, 25


def fill_gaps(
    fields: Sequence[Wanted],
    looks: Sequence[Look],
    pairs: dict[str, Pair],
    alternates: Mapping[str, Sequence[int]],
    size: int,
) -> None:
    """Take what a record lacks from a column that means the same: the regular for the special price.

    A record that has less than half of what else is found is another thing between them, and stays as it is.
    """
    found = {name: set(pair.values) for name, pair in pairs.items()}
    for one in fields:
        pair = pairs.get(one.name)
        if pair is None or len(pair.values) == size:
            continue
        others = [numbers for name, numbers in found.items() if name != one.name]
        values = dict(pair.values)
        for place in alternates[one.name]:
            more = values_of(looks[place], one)
            if agree(values, more):
                values.update(
                    (number, value)
                    for number, value in more.items()
                    if number not in values
                    and sum(number in several for several in others) * 2 >= len(others)
                )
        pairs[one.name] = replace(pair, values=values)


def share_ranges(fields: Sequence[Wanted], pairs: dict[str, Pair]) -> None:
    """Give a field that is left the other end of the ranges that a field like it has one end of."""
    for one, other in permutations(fields, 2):
        pair = pairs.get(other.name)
        if pair is None or one.name in pairs or not are_ends_of_one(one, other):
            continue
        cells = pair.look.column.cells
        values = values_of(pair.look, one)
        values = {at: value for at, value in values.items() if read_end(cells[at].text, one) is not None}
        if values:
            pairs[one.name] = replace(pair, values=values)


def drop_same_prices(fields: Sequence[Wanted], pairs: dict[str, Pair]) -> None:
    """Leave out an older price that is the price: shops call the only price there is the regular one."""
    now = [one.name for one in fields if "price" in one.senses and one.name in pairs]
    for one in fields:
        if "old price" in one.senses and one.name in pairs and one.is_nullable and len(now) == 1:
            price, pair = pairs[now[0]].values, pairs[one.name]
            values = {number: value for number, value in pair.values.items() if price.get(number) != value}
            pairs[one.name] = replace(pair, values=values)


def take_currency(fields: Sequence[Wanted], pairs: dict[str, Pair]) -> None:
    """Read the currency where the price stands, if the records say it nowhere else."""
    money = [pairs[one.name] for one in fields if "price" in one.senses and one.name in pairs]
    for one in fields:
        if "currency" in one.senses and one.name not in pairs and money:
            values = values_of(money[0].look, replace(one, kind=Kind.TEXT))
            if values:
                pairs[one.name] = Pair(look=money[0].look, score=money[0].score, values=values)


def take_flags(fields: Sequence[Wanted], looks: Sequence[Look], pairs: dict[str, Pair], size: int) -> None:
    """Read a yes or no that only some records say: “Sale” on a few of them, “Sold out” on others.

    The others are the opposite where they may not be null. It is left open where no record says it, or where
    every one does.
    """
    for one in fields:
        known = pairs.get(one.name)
        if one.kind is not Kind.BOOLEAN or (known and len(known.values) == size):
            continue
        told = (
            "availability" not in one.senses or "sold out" in one.senses
        )  # what is in stock is not always said to be
        flagged = {
            number: look
            for look in looks
            if look.column.facet is Facet.TEXT
            for number, fact in look.column.cells.items()
            if _flag(one, fact.text) is told
        }
        if not flagged and known is None and "sold out" in one.senses and not one.is_nullable and pairs:
            others = dict.fromkeys(range(size), False)  # what is sold out says so
            pairs[one.name] = Pair(look=next(iter(pairs.values())).look, score=UNSAID_SCORE, values=others)
            continue
        says_else = known is not None and set(known.values.values()) != {told}
        if flagged and len(flagged) < size and not says_else:
            others = dict.fromkeys(range(size), not told) if not one.is_nullable else {}
            values = {**others, **dict.fromkeys(flagged, told)}
            pairs[one.name] = Pair(look=next(iter(flagged.values())), score=FLAG_SCORE, values=values)


def _flag(wanted: Wanted, text: str) -> bool | None:
    """Say what a short text answers to a field whose name it says; None where it says another thing."""
    if len(text) > LONGEST_FLAG:
        return None
    if "availability" in wanted.senses:
        answer = read_stock(text.casefold())
        return None if answer is None else answer is not ("sold out" in wanted.senses)
    return True if similarity_of((wanted.label, *wanted.aliases), text.strip(" !")) >= SURE else None
