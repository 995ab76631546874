"""What an element of a record is called, what it says in full, and what it is a list of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from batchfish.localagent.page.labels import is_label, plain_mark
from batchfish.localagent.page.marks import NAMING, is_useful
from batchfish.localagent.page.model import Source
from batchfish.localagent.page.money import find_money
from batchfish.localagent.page.tree import marks, one_line, text_of
from batchfish.localagent.page.words import concepts_of, label, singular

if TYPE_CHECKING:
    from lxml.html import HtmlElement

SAYING = frozenset({"text", "content", "body", "lead"})
"""Classes that only set an element, as a rule, but may also say what it holds."""
SHOWN_LABELS = ("data-label", "data-th")
"""Attributes whose text is shown or read out as the label of a value."""
AUTHOR = (("author", Source.ROLE),)
IN_PATH = re.compile(r"/([a-z]{3,20})/[^/]+/?$", re.IGNORECASE)
LED_TO = frozenset(
    {
        "author",
        "company",
        "section",
        "tags",
        "artist",
        "director",
        "genre",
        "publisher",
        "brand",
        "club",
        "seller",
    }
)
"""What pages of a site of their own are about, each linked from the things that it belongs to."""
SHORTEST_CUT = 4
UNTITLED = frozenset({"a", "abbr", "button", "iframe", "img", "input", "th"})
"""What has a title that says more of itself, not what it is called."""
BARE = re.compile(r"\s*(?:in|by|von|par|por|from|filed under|posted in|di|door|av)\s+", re.IGNORECASE)
NUMBER_ALONE = re.compile(r"\d[\d.,\s]*[kKmM]?")
DIVIDER = re.compile(r"[|·•;,.()\n]\s+|\s[–—-]\s")
BY = re.compile(r"(?:^|\W)(?:by|von|par|por|di|door|av|af)\s*:?\s*$", re.IGNORECASE)


def label_before(element: HtmlElement) -> tuple[tuple[str, Source], ...]:
    """Give the name that the text before an element gives it: “by”, a label; of dd, its dt."""
    parent = element.getparent()
    if element.tag == "dd" and parent is not None:
        terms = list(parent.iterchildren("dt")) if len(parent) == len(("dt", "dd")) else []
        before = next(element.itersiblings("dt", preceding=True), None)
        term = terms[0] if terms else before
        return (
            ((one_line(text_of(term)), Source.PAIR),) if term is not None and is_label(text_of(term)) else ()
        )
    text = text_before(element)
    if BY.search(text):
        return AUTHOR
    name = said_last(text)
    return ((name, Source.PAIR),) if name else ()


def counted_beside(element: HtmlElement) -> tuple[tuple[str, Source], ...]:
    """Give what a number counts that stands alone beside it: a big 12, and “votes” below it."""
    parent, other = element.getparent(), element.getnext()
    if parent is None or other is None or len(parent) != len((element, other)) or has_own_text(parent):
        return ()
    noun = one_line(text_of(other))
    is_count = NUMBER_ALONE.fullmatch(text_of(element)) is not None
    return (
        ((noun, Source.QUANTITY),) if is_count and is_label(noun) and not any(map(str.isdigit, noun)) else ()
    )


def text_before(element: HtmlElement) -> str:
    """Give the text right before an element, within what holds it."""
    parent, previous = element.getparent(), element.getprevious()
    return ((parent.text if parent is not None else "") if previous is None else previous.tail) or ""


def said_last(text: str) -> str:
    """Give the label that a text ends on: words before a colon, or words that mean a kind of value."""
    name = DIVIDER.split(text.strip())[-1].strip()
    plain = name.rstrip(" :")
    return plain if is_label(plain) and (name.endswith(":") or concepts_of(label(plain))) else ""


def own_names(element: HtmlElement) -> tuple[tuple[str, Source], ...]:
    """Give what its attributes call an element: properties, classes, labels for scripts."""
    said = f"{element.get('itemprop', '')} {element.get('property', '')}"
    marked = [(name.rpartition(":")[2], Source.DATA) for name in said.split()]
    classes = [name for name in element.get("class", "").split() if is_useful(name) or name in SAYING]
    others = [element.get(name, "") for name in NAMING if name not in SHOWN_LABELS]
    shown = [(element.get(name, "").rstrip(" :"), Source.PAIR) for name in SHOWN_LABELS if element.get(name)]
    shown += [(title, Source.PAIR) for title in (label_in_title(element),) if title]
    return (*marked, *shown, *((plain_mark(name), Source.MARK) for name in [*classes, *filter(None, others)]))


def named_in_path(href: str) -> str:
    """Give what the address of a link says of where it leads: `/authors/ann` is an author."""
    found = IN_PATH.search(href.partition("?")[0])
    word = singular(found[1].lower()) if found else ""
    return word if concepts_of(label(word)) & LED_TO else ""


def label_in_title(element: HtmlElement) -> str:
    """Give the label that is shown when the mouse rests on a value: words that are no part of it."""
    title = (element.get("title") or "").strip(" :")
    if element.tag in UNTITLED or not is_label(title) or any(map(str.isdigit, title)):
        return ""
    text, said = text_of(element).casefold(), title.casefold()
    is_cut = len(text) >= SHORTEST_CUT and text in said
    return title if text and said not in text and not is_cut else ""


def has_own_text(element: HtmlElement) -> bool:
    """Whether an element holds text of its own, not only in its children."""
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)


def full_text(element: HtmlElement) -> str:
    """Give an element's text without a bare “by” or “in”; where it is cut short, its title says the whole."""
    if len(element) == 1 and BARE.fullmatch(element.text or "") and not (element[0].tail or "").strip():
        return full_text(element[0])
    text = text_of(element)
    if text.endswith(("…", "...")):
        titled = element if element.get("title") else element.find(".//*[@title]")
        return (titled.get("title") or text).strip() if titled is not None else text
    return text


def image_address(image: HtmlElement) -> str:
    """Give where an image is loaded from, also one that is loaded only when it is scrolled to."""
    candidates = [image.get(name, "") for name in ("src", "data-src", "data-original", "data-lazy-src")]
    candidates += [image.get(name, "").split(" ")[0] for name in ("srcset", "data-srcset")]
    return next((one for one in candidates if one and not one.startswith("data:")), "")


def named_in(entry: HtmlElement) -> HtmlElement:
    """Give the one part of an entry of a list that its class calls the name, where more stands after it."""
    named = [one for one in entry.iterdescendants("*") if {"name", "title"} & set(marks(one))]
    is_first = len(named) == 1 and text_of(entry).startswith(text_of(named[0]))
    return named[0] if is_first and len(entry) > 1 else entry


def items_of(element: HtmlElement) -> tuple[str, ...]:
    """Give the members of a list: its entries, or like elements one beside the other with nothing between."""
    children = list(element)
    if element.tag in {"ul", "ol"}:
        entries = (one_line(text_of(named_in(child))) for child in children if child.tag == "li")
        return tuple(filter(None, entries))
    if (
        len(children) > 1
        and len({child.tag for child in children}) == 1
        and children[0].tag in {"a", "span", "li"}
        and not find_money(text_of(element))
    ):
        return tuple(filter(None, (one_line(text_of(child)) for child in children)))
    return ()


def where_of(element: HtmlElement) -> str:
    """Say where an element stands, as in a style sheet."""
    names = [name for name in element.get("class", "").split() if is_useful(name)]
    return ".".join([element.tag, *names[:1]])
