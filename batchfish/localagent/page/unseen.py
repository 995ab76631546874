"""What a person does not see of a page, dropped from its tree once what it says of the rest is kept."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.icons import name_by_icons
from batchfish.localagent.page.styles import HIDING, hidden_by_style
from batchfish.localagent.page.tree import HEADINGS, marks
from batchfish.localagent.page.vocabulary import HIDDEN_WORDS, SPOKEN_WORDS

if TYPE_CHECKING:
    from lxml.html import HtmlElement

UNSEEN_TAGS = (
    "script",
    "style",
    "template",
    "noscript",
    "head",
    "object",
    "iframe",
    "svg",
    "select",
    "textarea",
    "datalist",
)
LABELS = frozenset({"dt", "th"})
LABEL_WORDS = frozenset({"label", "key", "term"})
CURRENCY_ALONE = re.compile(r"[$€£¥]|kr\.?|zł|Kč|Ft|CHF|EUR|USD|GBP|PLN|SEK|DKK|NOK|CZK|HUF|CAD|AUD|JPY|RON")
AMOUNT_ALONE = re.compile(r"\s*\d[\d.,'’\u202f\xa0\u2009 ]*\s*")
SPOKEN = "data-label"
"""The attribute that says what an element is, to scripts or to those who cannot see."""
UNSEEN = "data-batchfish-unseen"
"""The attribute by which a browser marks an element that it does not show."""


def drop_unseen(root: HtmlElement) -> None:
    """Take out what a person cannot see: a reader that believes hidden text can be told anything.

    What is read out to those who cannot see, and what is drawn for those who can, says what is beside it.
    """
    name_by_icons(root, SPOKEN)
    _join_currencies(root)
    _prefer_spoken(root)
    hidden = hidden_by_style(root)
    unseen = [
        element
        for element in root.iter("*")
        if element.tag in UNSEEN_TAGS
        or "hidden" in element.attrib
        or UNSEEN in element.attrib
        or HIDING.search(element.get("style", ""))
        or element in hidden
        or not _hidden_words(element).isdisjoint([*element.get("class", "").split(), element.get("id", "")])
    ]
    for element in unseen:
        if element.getparent() is not None:
            _name_next(element)
            element.drop_tree()


def _join_currencies(root: HtmlElement) -> None:
    """Write a currency that stands in a block of its own to the amount before or after it."""
    for element in list(root.iter("div", "p", "td", "li", "h2", "h3", "h4", "dd")):
        sign = (element.text or "").strip()
        if len(element) or element.get("itemprop") or not CURRENCY_ALONE.fullmatch(sign):
            continue
        for amount, written in ((element.getprevious(), "{0} {1}"), (element.getnext(), "{1} {0}")):
            if amount is not None and len(amount) == 0 and AMOUNT_ALONE.fullmatch(amount.text or ""):
                amount.text = written.format((amount.text or "").strip(), sign)
                element.drop_tree()
                break


def _prefer_spoken(root: HtmlElement) -> None:
    """Keep of a value that is drawn in pieces, and read out beside them in one, what is read out."""
    for drawn in [one for one in root.iter("span", "div", "bdi") if one.get("aria-hidden") == "true"]:
        parent = drawn.getparent()
        spoken = [
            one
            for one in (drawn.getprevious(), drawn.getnext())
            if one is not None and not SPOKEN_WORDS.isdisjoint(one.get("class", "").split())
        ]
        if parent is not None and spoken and any(map(str.isdigit, spoken[0].text or "")):
            spoken[0].attrib.pop("class")
            drawn.drop_tree()


def _hidden_words(element: HtmlElement) -> frozenset[str]:
    """Give the classes that hide an element: a heading or a label that is read out is one of the page."""
    parent = element.getparent()
    is_all = (
        parent is not None and parent.tag in LABELS and len(parent) == 1 and not (parent.text or "").strip()
    )
    return HIDDEN_WORDS - SPOKEN_WORDS if is_all or element.tag in {*HEADINGS, *LABELS} else HIDDEN_WORDS


def _name_next(element: HtmlElement) -> None:
    """Give what is read out before a value to what holds it: the next element, or the one around both."""
    said = " ".join((element.text or "").split()) if len(element) == 0 else ""
    if SPOKEN_WORDS.isdisjoint(element.get("class", "").split()):
        return
    if not said.endswith(":") and LABEL_WORDS.isdisjoint(marks(element)):
        return
    named = element.getnext()
    if (element.tail or "").strip():
        parent = element.getparent()
        is_first = parent is not None and parent[0] is element and not (parent.text or "").strip()
        named = parent if is_first and len(parent) == 1 else None
    if named is not None and SPOKEN not in named.attrib:
        named.set(SPOKEN, said)
