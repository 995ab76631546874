"""Labels, headings and names of classes: what may be one, and what it says."""

from __future__ import annotations

import re

from batchfish.localagent.page.marks import MICROFORMAT
from batchfish.localagent.page.vocabulary import GENERIC_HEADINGS, MARK_NOISE
from batchfish.localagent.page.words import CAMEL, concepts_of, label

LONGEST_LABEL = 60
LABEL_WORDS = 7
OWNERS = frozenset({
    "author", "seller", "company", "organizer", "performer", "artist", "speaker", "lecturer", "tutor", "host",
    "contact person", "estate agent", "recruiter", "brand", "publisher", "venue", "team", "club",
})  # fmt: skip
"""Who has a name and a price of their own within a thing: `seller__name` is no name of the thing."""
TITLE_PARTS = re.compile(r"\s+(?:[|–—·»«:-]|::)\s+")


def title_parts(title: str) -> list[str]:
    """Split a page's title at its dashes and bars; names of pages that every site has are left out."""
    return [part for part in TITLE_PARTS.split(title.strip()) if part and not is_generic(part)]


def site_of(title: str) -> str:
    """Give the last part of a page's title, which names the site where there are several; else nothing."""
    parts = title_parts(title)
    return parts[-1] if parts and len(TITLE_PARTS.split(title.strip())) > 1 else ""


def is_generic(heading: str) -> bool:
    """Whether a heading says what kind of page this is, not what it is about."""
    return heading.strip(" .!:").casefold() in GENERIC_HEADINGS


def is_label(text: str) -> bool:
    """Whether a text is short and plain enough to be the name of a value."""
    return (
        0 < len(text) <= LONGEST_LABEL
        and len(text.split()) <= LABEL_WORDS
        and any(letter.isalpha() for letter in text)
        and "\n" not in text
    )


def plain_mark(name: str) -> str:
    """Take out of a class name what says nothing of the value: `product-price` is a price."""
    found = MICROFORMAT.fullmatch(name)
    block, _, element = name.partition("__")
    owners = (concepts_of(label(word)) & OWNERS for word in re.findall(r"[a-z]+", block.lower()))
    if element and not any(owners):
        name = element
    words = re.findall(r"[a-z0-9]+", CAMEL.sub(" ", found[1] if found else name).lower())
    return " ".join(word for word in words if word not in MARK_NOISE) or name
