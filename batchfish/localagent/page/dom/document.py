"""Bytes to a tree: decoded, parsed however broken, without what a person does not see; and its next page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from cssselect import SelectorError
from lxml import etree, html
from w3lib.encoding import html_to_unicode

from batchfish.localagent.page.candidates.structured import read_entities
from batchfish.localagent.page.dom.text import clean, one_line, text_of
from batchfish.localagent.page.dom.traps import refuse
from batchfish.localagent.page.values.numbers import Locale
from batchfish.localagent.page.words import class_words, fold, folded, listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lxml.html import HtmlElement

    from batchfish.localagent.page.candidates.structured import Entity

UNSEEN_TAGS = listed("unseen_tags")
SPOKEN_CLASSES = listed("spoken_classes")
HIDDEN_CLASSES = listed("hidden_classes") | SPOKEN_CLASSES
UNSEEN = "data-batchfish-unseen"
"""The attribute by which a browser marks an element that it does not show."""
SPOKEN = "data-batchfish-label"
"""The attribute that keeps what is read out, before an element, to those who cannot see."""
HIDING = re.compile(
    r"(?i)display\s*:\s*none|visibility\s*:\s*hidden|(?:left|text-indent|top)\s*:\s*-\d{4,}"
    r"|opacity\s*:\s*0(?![.\d])|font-size\s*:\s*0(?![.\d])|clip\s*:\s*rect\(\s*0"
)
SHOWING = re.compile(r"(?i)display\s*:\s*(?!none)[a-z]|visibility\s*:\s*visible")
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
MEDIA = re.compile(r"@[\w-]+[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}|@[\w-]+[^{};]*;")
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
NAMES = re.compile(r"[.#]([\w-]+)")
LONGEST_SHEET = 200_000
NEXT = folded("next_page")
LONGEST = 30
WRAPPER = re.compile(r"(?i)</?(?:div|span|b|i|u|em|strong|font|small|big|center|section|tt|a|ul|li)\b[^>]*>")


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A page that can be read: its visible tree, what its head says, its structured data.

    `title` is the text of `<title>`; `meta` holds the head's properties by name, in small letters; `heading`
    is the first `h1`; `next_url` is where a list goes on.
    """

    root: HtmlElement
    url: str
    locale: Locale
    title: str
    meta: Mapping[str, str]
    heading: str
    entities: tuple[Entity, ...]
    next_url: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unreadable:
    """The reason why nothing can be read from a page."""

    code: str
    message: str


def read_document(body: bytes, *, url: str, content_type: str = "") -> Document | Unreadable:
    """Parse a page, and drop what a person does not see of it."""
    tree = parse(body, content_type)
    if tree is None:
        return Unreadable(code="LOCAL_EMPTY_PAGE", message="The page is empty: there is no text on it.")
    base = tree.find(".//base[@href]")
    if base is not None:
        url = urljoin(url, base.get("href", ""))
    title = clean(" ".join(next((one.itertext() for one in tree.iter("title")), [])))
    meta = _meta(tree)
    locale = Locale(language=(tree.get("lang") or meta.get("og:locale", "")).strip(), url=url)
    entities = read_entities(tree, url)
    next_links = [one.get("href", "") for one in tree.iter("link") if "next" in one.get("rel", "").split()]
    scripts = sum("json" not in one.get("type", "") for one in tree.iter("script"))
    notices = " ".join("".join(one.itertext()) for one in tree.iter("noscript"))
    drop_unseen(tree)
    if refusal := refuse(tree, title=title, scripts=scripts, notices=notices):
        return Unreadable(code=refusal[0], message=refusal[1])
    return Document(
        root=tree,
        url=url,
        locale=locale,
        title=title,
        meta=meta,
        heading=next((one_line(text_of(one)) for one in tree.iter("h1")), ""),
        entities=entities,
        next_url=find_next(tree, url, next_links),
    )


def _detect(body: bytes) -> str:
    """Return the encoding of a page that does not declare one."""
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def parse(body: bytes, content_type: str) -> HtmlElement | None:
    """Return the tree of a page; where elements nest past what the parser takes, without their wrappers."""
    text = html_to_unicode(content_type, body, auto_detect_fun=_detect)[1]
    tree, was_cut = _parse_once(text)
    return _parse_once(WRAPPER.sub(" ", text))[0] if was_cut else tree


def _parse_once(text: str) -> tuple[HtmlElement | None, bool]:
    parser = html.HTMLParser(encoding="utf-8", huge_tree=False, remove_comments=True, remove_pis=True)
    try:
        tree = html.document_fromstring(text.replace("\0", "").encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, ValueError):
        return None, False
    return tree, any("depth" in entry.message for entry in parser.error_log[-1:])


def _meta(tree: HtmlElement) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in tree.iter("meta"):
        name = element.get("property") or element.get("name")
        if name and (content := clean(element.get("content", ""))):
            found.setdefault(name.lower(), content)
    return found


def drop_unseen(root: HtmlElement) -> None:
    """Remove what is hidden by tag, attribute, class or style; screen-reader text labels what follows it."""
    hidden = _hidden_by_rules(root)
    unseen = [
        element
        for element in root.iter("*")
        if element.tag in UNSEEN_TAGS
        or "hidden" in element.attrib
        or UNSEEN in element.attrib
        or (element.get("style") and HIDING.search(element.get("style", "")))
        or element in hidden
        or not HIDDEN_CLASSES.isdisjoint(element.get("class", "").split())
    ]
    for element in unseen:
        if element.getparent() is not None:
            if not SPOKEN_CLASSES.isdisjoint(element.get("class", "").split()):
                _label_what_follows(element)
            element.drop_tree()


def _label_what_follows(element: HtmlElement) -> None:
    """Keep the screen-reader text before a value as the label of the value: “Sale price”."""
    said = clean("".join(element.itertext())).rstrip(": ")
    following, parent = element.getnext(), element.getparent()
    named = parent if (element.tail or "").strip() or following is None else following
    if said and named is not None and len(said) < 40 and not any(map(str.isdigit, said)):
        named.set(SPOKEN, said)


def _hidden_by_rules(root: HtmlElement) -> set[HtmlElement]:
    """Return the elements that the page's own style sheets hide, and do not show by a later rule."""
    sheets = [MEDIA.sub("", COMMENT.sub("", (one.text or "")[:LONGEST_SHEET])) for one in root.iter("style")]
    names = {name for one in root.iter("*") for name in (*one.get("class", "").split(), one.get("id", ""))}
    hidden: set[HtmlElement] = set()
    for selectors, declarations in chain.from_iterable(map(RULE.findall, sheets)):
        hides = HIDING.search(declarations) is not None
        for selector in selectors.split(",") if hides or (hidden and SHOWING.search(declarations)) else ():
            if ":" not in selector and names.issuperset(NAMES.findall(selector)):
                try:
                    found = set(root.cssselect(selector.strip()))
                except (SelectorError, ValueError):
                    continue
                hidden = hidden | found if hides else hidden - found
    return hidden


def find_next(root: HtmlElement, url: str, hrefs: list[str]) -> str | None:
    """Return the address of the next page; `hrefs`, those of the head, are believed first, then `rel`."""
    links = [link for link in root.iter("a") if (link.get("href") or "").strip()]
    by_rel = [link.get("href", "") for link in links if "next" in link.get("rel", "").split()]
    found = (_address(url, href) for href in (*hrefs, *by_rel, *_by_words(links)))
    return next(filter(None, found), None)


def _address(url: str, href: str) -> str | None:
    """Return the address of another page of the same site."""
    try:
        there, here = urlsplit(urljoin(url, href)), urlsplit(url)
    except ValueError:
        return None
    is_other = (there.path, there.query) != (here.path, here.query) and not href.startswith("#")
    return there._replace(fragment="").geturl() if is_other and there.netloc == here.netloc else None


def _by_words(links: list[HtmlElement]) -> Iterator[str]:
    """Yield links that say “next” in words, or for screen readers."""
    for link in links:
        text, spoken = clean("".join(link.itertext())), link.get("aria-label") or link.get("title") or ""
        is_off = link.get("aria-disabled") == "true" or "disabled" in class_words(link.get("class", ""))
        says_next = fold(text) in NEXT or fold(spoken) in NEXT
        if says_next and not is_off and len(text) <= LONGEST:
            yield link.get("href", "")
