"""Names in a page's markup: which classes say what a thing is, and which only how it looks."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from batchfish.localagent.page.vocabulary import CHANGING, THINGS_OF_FIELDS, UTILITY_STARTS, UTILITY_WORDS
from batchfish.localagent.page.words import concepts_of, label

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from lxml.html import HtmlElement

HASHED = re.compile(
    r"(?=.*\d)(?=.*[a-zA-Z])[\w-]*(?:[a-z]\d[a-z]|\d[a-z]\d|[A-Z]\w?[a-z]?\d)[\w-]*|(?:css|sc|jsx|_)-?\w{5,}"
)
BUILT = re.compile(
    r"([A-Za-z][\w-]*?)_{2,3}(?=[\w-]*[A-Z0-9])[\w-]{4,8}"
    r"|(?:views-)?field-{1,2}name-(?:field-)?([a-z][a-z0-9-]*)"
    r"|views-field-(?:field-)?([a-z][a-z0-9-]*)"
    r"|_([A-Za-z][A-Za-z-]*)_[a-z0-9]{4,6}_\d+"
    r"|[A-Za-z-]+-module--([A-Za-z-]+)--[\w-]{4,6}"
    r"|css-[a-z0-9]{5,}-([A-Za-z]\w*)"
)
"""A class that a tool has made unique: `Card_price__Z0p4v`, `_price_1x2y3_7`; what it is called is inside."""
PARTS_OF_BUILT = ("_", "--", "css-", "field-")
SIZED = re.compile(r"-?(?:[a-z]{1,4}-)+(?:\d[\w./%-]*|\[.*\]|xs|sm|md|lg|xl|auto|full|px)")
MICROFORMAT = re.compile(r"(?:p|u|dt|e)-((?!auto$|none$|hidden$)[a-z]{3,}(?:-[a-z]+)*)")
"""A class of microformats: what the element holds, after a letter for its kind."""
NAMING = (
    "data-testid", "data-test-id", "data-test", "data-qa", "data-cy", "data-hook", "data-field", "data-name",
    "data-label", "data-th", "itemprop",
)  # fmt: skip
FEWEST_MEMBERS = 3
"""A word that so many names begin with is that of the block which they are members of."""


def name_as_written(root: HtmlElement) -> None:
    """Give elements the classes that somebody wrote, where a tool has added letters of its own to them.

    What is a heading by its role is one by its tag, too.
    """
    for element in root.iter("*"):
        level = element.get("aria-level", "2") if element.get("role") == "heading" else ""
        if element.tag in {"div", "p", "span"} and re.fullmatch("[1-6]", level):
            element.tag = f"h{level}"
        classes = element.get("class")
        if classes and any(part in classes for part in PARTS_OF_BUILT):
            element.set("class", " ".join(map(_as_written, classes.split())))


def _as_written(name: str) -> str:
    found = BUILT.fullmatch(name)
    return next(filter(None, found.groups()), name) if found else name


def names_in(element: HtmlElement) -> list[str]:
    """Give the names that the markup gives an element: its classes, its id, names for scripts and tests."""
    said = [element.get(attribute, "") for attribute in ("id", *NAMING)]
    return [*element.get("class", "").split(), *filter(None, said)]


def blocks_in(names: Iterable[str], owner: Collection[str]) -> frozenset[str]:
    """Find the words that names begin with only to say of what block they are: `dish-price`, `livre__prix`.

    `names` are the plain names of a block's members, `owner` the words of its own name. Another word that
    says what a value is, is part of its name: `author-name` is no name of the thing. A word for a thing that
    others may have too, such as a dish, is that of the block.
    """
    leads = Counter(words[0] for name in set(names) if len(words := name.split()) > 1)
    shared = {lead for lead, count in leads.items() if count >= FEWEST_MEMBERS}
    return (frozenset(owner) - CHANGING) | {
        lead
        for lead in shared - CHANGING  # of shipping costs, the first word says of what they are
        if lead in THINGS_OF_FIELDS or not concepts_of(label(lead))
    }


def without_block(name: str, blocks: Collection[str]) -> str:
    """Take the word of a block off the name of its member."""
    lead, _, rest = name.partition(" ")
    return rest if rest and lead in blocks else name


def is_useful(name: str) -> bool:
    """Whether a class may say what an element holds, not how it is set or by which tool it was made."""
    plain = name.lower()
    if MICROFORMAT.fullmatch(plain):
        return True
    if ":" in plain or len(plain) == 1 or plain in UTILITY_WORDS:
        return False
    return not (
        plain.startswith(UTILITY_STARTS)
        or SIZED.fullmatch(plain)
        or HASHED.fullmatch(name)
        or plain.isdigit()
    )
