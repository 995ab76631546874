"""Which language a page is in: what it says of itself, else what its commonest words tell."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from batchfish.localagent.page.vocabulary import TELLING_WORDS

if TYPE_CHECKING:
    from lxml.html import HtmlElement

XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
TAG = re.compile(r"[a-zA-Z]{2,3}(?:[-_][a-zA-Z0-9]{2,8})*")
LOOKED_AT = 20_000
FEWEST_TELLING = 3


def language_of(root: HtmlElement, text: str) -> str:
    """Give the language tag of a page; empty where neither its marks nor its words tell."""
    body = root.find("body")
    for element in (root, body):
        said = "" if element is None else (element.get("lang") or element.get(XML_LANGUAGE) or "").strip()
        if TAG.fullmatch(said):
            return said
    counts = Counter(re.findall(r"[^\W\d_]+", text[:LOOKED_AT].lower()))
    known = {tongue: sum(counts[word] for word in words) for tongue, words in TELLING_WORDS.items()}
    ranked = sorted(known, key=lambda tongue: -known[tongue])
    best, second = ranked[:2]
    return best if known[best] >= FEWEST_TELLING and known[best] > 2 * known[second] else ""
