"""What a text on its own is by its form alone: a price, a rating, an address for mail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.page.dates import find_dates
from batchfish.localagent.page.lines import LABELLED, OUT_OF, led_by_label
from batchfish.localagent.page.money import EMAIL, find_money
from batchfish.localagent.page.numbers import Locale
from batchfish.localagent.page.stock import is_stock_notice
from batchfish.localagent.page.words import concepts_of, label

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT, SHORT_DATE, BARE = 60, 30, 14
"""A price is no more than this many letters besides the amount itself."""


def formed(text: str) -> Iterator[tuple[str, str]]:
    """Give what a text is, and the part of it that is so."""
    if is_stock_notice(text):
        yield "availability", text
    if len(text) > SHORT:
        return
    if says_another(text):
        return
    if len(text) <= SHORT_DATE and len(find_dates(text, Locale())) == 1:
        yield "date published", text
    money = find_money(text)
    if len({one.number for one in money}) == 1 and len(text) - len(money[0].text) <= BARE:
        yield "price", text
    elif OUT_OF.search(text):
        yield "rating", text
    elif EMAIL.fullmatch(text):
        yield "email", text


def says_another(text: str) -> bool:
    """Whether a text calls an amount something else than a price or a rating: “Deposit: £50”."""
    found = LABELLED.fullmatch(text)
    led = found.groups() if found else led_by_label(text)
    return led is not None and not concepts_of(label(led[0])) & {"price", "rating"}
