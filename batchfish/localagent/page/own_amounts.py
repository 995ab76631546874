"""An amount of money that an element says itself, beside others in it: a price, and the older one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.page.money import find_money
from batchfish.localagent.page.tree import one_line, text_of

if TYPE_CHECKING:
    from lxml.html import HtmlElement


def own_amount(element: HtmlElement) -> str:
    """Give an element's own words where they hold an amount of money and the elements in it hold others."""
    own = one_line(element.text or "")
    amounts = {money.number for money in find_money(own)} if len(element) else set()
    if len(amounts) != 1:
        return ""
    others = {money.number for child in element for money in find_money(one_line(text_of(child)))}
    return own if others - amounts else ""


def is_dearer(child: HtmlElement, parent: HtmlElement) -> bool:
    """Whether an element holds one higher amount beside the one that its parent says itself."""
    own = find_money(one_line(parent.text or "")) if own_amount(parent) else []
    return any(money.number > own[0].number for money in find_money(one_line(text_of(child))) if own)
