"""What a text on its own is by its form alone: a price, a rating, an address for mail or post."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.page.addresses import find_address
from batchfish.localagent.page.coerce import read_stock
from batchfish.localagent.page.money import EMAIL, find_money
from batchfish.localagent.page.ratings import OUT_OF

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORT, SHORT_NOTICE, BARE = 60, 40, 14
"""A price is no more than this many letters besides the amount itself."""


def formed(text: str) -> Iterator[tuple[str, str]]:
    """Give what a text is, and the part of it that is so."""
    if address := find_address(text):
        yield "address", address.text
        yield "street address", address.street
        yield "postal code", address.postcode
        yield "city", address.city
    if len(text) > SHORT:
        return
    if len(text) <= SHORT_NOTICE and read_stock(text.casefold()) is not None:
        yield "availability", text
    money = find_money(text)
    if len({one.number for one in money}) == 1 and len(text) - len(money[0].text) <= BARE:
        yield "price", text
    elif OUT_OF.search(text):
        yield "rating", text
    elif EMAIL.fullmatch(text):
        yield "email", text
