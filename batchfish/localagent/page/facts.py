"""Facts that a page states for people: labels with values, headings, marked elements, amounts in a text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from batchfish.localagent.page.forms import formed
from batchfish.localagent.page.labels import is_generic, is_label, plain_mark
from batchfish.localagent.page.margin import find_margin
from batchfish.localagent.page.model import Fact, Source
from batchfish.localagent.page.ratings import attribute_text
from batchfish.localagent.page.tree import BLOCKS, HEADINGS, is_old, marks, one_line, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.html import HtmlElement

LONGEST_VALUE = 2000
LONGEST_SECTION = 400
MOST_CHILDREN = 60
PAIR = 2
ROOTED = re.compile(r"/(?:[\w-][\w.-]*/?)*(?:\?[\w=&%.-]*)?$")
FEWEST_ROWS = 2
FORMED = 1000
"""Where the lines begin that are told apart by their form: an address and its parts are several values."""
MOST_LOOKED_AT = 10_000
HEAD_MARKS = frozenset({"byline", "author", "autor", "auteur", "meta", "date", "kicker", "caption", "credit"})
LABELLED = re.compile(r"\s*([^\W\d_][^:\n]{0,58}?)\s*[::]\s+(\S.*)", re.DOTALL)
SEPARATOR = re.compile(r"\s+[|·•]\s+|\n")
BYLINE = re.compile(r"(?:by|von|par|por|di|door|av)\s+(\S.{1,80})", re.IGNORECASE)
AMOUNT = re.compile(
    r"(?<![\w.,])(\d{1,3}(?:[\u202f\xa0 ]\d{3})+|\d[\d.,]*k?)\s*([^\W\d_]{3,}(?:\s[^\W\d_]{3,})?)"
)


class FactFinder:
    """Finds the facts of one tree; knows for each element whether it stands in the margin."""

    def __init__(self, root: HtmlElement, url: str) -> None:
        self._root = root
        self.url = url
        self._origin = "://".join(urlsplit(url)[:2])
        self.elements = list(root.iter("*"))
        self._numbers = {element: number for number, element in enumerate(self.elements)}
        self._margin = find_margin(self.elements)

    def absolute(self, href: str | None) -> str | None:
        """Give the address that a link leads to; None for one that only does something on the page."""
        if not href or href.strip().lower().startswith(("#", "javascript:", "mailto:", "tel:")):
            return None
        if ROOTED.match(href):
            return self._origin + href
        try:
            return urljoin(self.url, href.strip())
        except ValueError:
            return None

    def number(self, element: HtmlElement) -> int:
        """Give the number of an element, in document order."""
        return self._numbers[element]

    def is_marginal(self, element: HtmlElement) -> bool:
        """Whether an element is part of a menu, a footer, an advertisement, a list of other things."""
        return element in self._margin

    def fact(
        self,
        label: str,
        value: HtmlElement,
        source: Source,
        *,
        text: str | None = None,
        line: int = 0,
        items: tuple[str, ...] = (),
    ) -> Fact:
        """Make a fact of an element's text, with what its attributes say more exactly."""
        first = value if len(value) == 0 else None
        time = value if value.tag == "time" else value.find(".//time")
        link = value if value.tag == "a" else value.find(".//a")
        href = link.get("href") if link is not None else None
        return Fact(
            label=label,
            text=(text_of(value) if text is None else text)[:LONGEST_VALUE],
            source=source,
            node=(self._numbers[value], line),
            where=f"{source} “{one_line(label)}”",
            exact=(time.get("datetime") if time is not None else None)
            or (first.get("content") or first.get("data-value") if first is not None else None),
            link=self.absolute(href),
            items=items,
            is_marginal=value in self._margin,
        )

    def find(self) -> Iterator[Fact]:
        """Find every fact, the surest kinds first."""
        yield from self._definition_lists()
        yield from self._tables()
        yield from self._labelled_lines()
        yield from self._rows_of_two()
        yield from self._sections()
        yield from self._roles()
        yield from self._marked()
        yield from self._amounts()
        yield from self._looks()

    def _definition_lists(self) -> Iterator[Fact]:
        for dl in self._root.iter("dl"):
            for wrapper in dl.iterchildren("div"):
                if sorted(child.tag for child in wrapper) == ["dd", "dt"]:
                    yield from self._pairs(
                        [text_of(one) for one in wrapper.iterchildren("dt")], list(wrapper.iterchildren("dd"))
                    )
            if dl.find("div") is not None:
                continue
            terms: list[str] = []
            values: list[HtmlElement] = []
            for entry in [*dl.iter("dt", "dd"), None]:
                if (entry is None or entry.tag == "dt") and values:
                    yield from self._pairs(terms, values)
                    terms, values = [], []
                if entry is not None and entry.tag == "dt":
                    terms.append(text_of(entry))
                elif entry is not None:
                    values.append(entry)

    def _pairs(self, terms: list[str], values: list[HtmlElement]) -> Iterator[Fact]:
        for term in terms:
            items = tuple(text_of(value) for value in values) if len(values) > 1 else _items(values[0])
            text = "\n".join(items) if len(values) > 1 else None
            if is_label(term):
                yield self.fact(term, values[0], Source.PAIR, text=text, items=items)

    def _tables(self) -> Iterator[Fact]:
        for row in self._root.iter("tr"):
            cells = [cell for cell in row if cell.tag in {"td", "th"}]
            if len(cells) == PAIR or [cell.tag for cell in cells] == ["th", "td"] * 2:
                for name, value in zip(cells[::2], cells[1::2], strict=True):
                    term = text_of(name)
                    if value.tag == "td" and is_label(term):
                        yield self.fact(term, value, Source.PAIR, items=_items(value))

    def _labelled_lines(self) -> Iterator[Fact]:
        for element in self.elements:
            if (
                element.tag in BLOCKS
                and element.tag not in {"dl", "tr", "table", "tbody"}
                and self._is_leaf(element)
            ):
                for number, line in enumerate(SEPARATOR.split(text_of(element))):
                    if found := LABELLED.fullmatch(line):
                        term, text = found.groups()
                        if is_label(term):
                            yield self.fact(term, element, Source.PAIR, text=text, line=number)

    def _is_leaf(self, element: HtmlElement) -> bool:
        return len(element) <= MOST_CHILDREN and not any(
            child.tag in BLOCKS for child in element.iterdescendants("*")
        )

    def _rows_of_two(self) -> Iterator[Fact]:
        """Find rows of two plain elements, a short text and another, that come several in a row."""
        for parent in self.elements:
            if parent.tag in {"dl", "table", "tbody", "tr", "select"} or len(parent) < FEWEST_ROWS:
                continue
            rows = [child for child in parent if len(child) == PAIR and child.tag not in {"tr", "dl"}]
            rows = [row for row in rows if not (row.text or "").strip() and not (row[0].tail or "").strip()]
            if len(rows) < FEWEST_ROWS or len({row[0].tag for row in rows}) > 1:
                continue
            for row in rows:
                term = text_of(row[0]).rstrip(":")
                if is_label(term) and row[0].tag not in {"a", "img", "input", "button"}:
                    yield self.fact(term, row[1], Source.PAIR, items=_items(row[1]))

    def _sections(self) -> Iterator[Fact]:
        """Take a heading for the label of what follows it, where that is short."""
        for heading in self._root.iter(*HEADINGS[1:], "legend", "caption"):
            following = heading.getnext()
            if following is None or following.tag in {*HEADINGS, "form", "table"}:
                continue
            text = text_of(following)
            if text and len(text) < LONGEST_SECTION and is_label(term := text_of(heading)):
                yield self.fact(term, following, Source.PAIR, items=_items(following))

    def _roles(self) -> Iterator[Fact]:
        for element in self.elements:
            match element.tag:
                case "h1":
                    if not is_generic(text_of(element)):
                        yield self.fact(
                            "title", element, Source.HEADING, text=text_of(element).replace("\n", " ")
                        )
                case "address":
                    yield self.fact("address", element, Source.ROLE)
                case "time":
                    yield self.fact("date published", element, Source.ROLE)
                case "article":
                    yield from self._article(element)
                case "a":
                    yield from self._link_roles(element)
            if element.tag in {"p", "div", "span", "small", "cite", "address"} and self._is_leaf(element):
                for line in SEPARATOR.split(text_of(element)):
                    if found := BYLINE.fullmatch(line):
                        yield self.fact("author", element, Source.ROLE, text=found[1])

    def _article(self, element: HtmlElement) -> Iterator[Fact]:
        paragraphs = [one_line(text_of(one)) for one in element.iter("p") if not _is_of_head(one)]
        if text := "\n".join(filter(None, paragraphs)):
            yield self.fact("article body", element, Source.ROLE, text=text)

    def _looks(self) -> Iterator[Fact]:
        """Find what its form alone says what it is: amounts of money, ratings, addresses."""
        if len(self.elements) > MOST_LOOKED_AT:
            return  # so much is a list, where a form alone says of nothing that it is the one
        for element in self.elements:
            if element in self._margin:
                continue
            if said := attribute_text(element):
                yield self.fact("rating", element, Source.LOOK, text=said[1])
            if element.tag not in {"body", "html"} and not is_old(element) and self._is_leaf(element):
                for line, (label, text) in enumerate(formed(text_of(element)), start=FORMED):
                    yield self.fact(label, element, Source.LOOK, text=text, line=line)

    def _link_roles(self, link: HtmlElement) -> Iterator[Fact]:
        href = (link.get("href") or "").strip()
        kind, _, rest = href.partition(":")
        if "author" in link.get("rel", "").split():
            yield self.fact("author", link, Source.ROLE)
        elif kind.lower() == "mailto":
            yield self.fact("email", link, Source.ROLE, text=unquote(rest.partition("?")[0]))
        elif kind.lower() == "tel":
            text = text_of(link)
            yield self.fact(
                "phone", link, Source.ROLE, text=text if re.search(r"\d", text) else unquote(rest)
            )

    def _marked(self) -> Iterator[Fact]:
        for element in self.elements:
            names = [*element.get("class", "").split(), element.get("id", ""), element.get("data-testid", "")]
            if (
                any(names)
                and element.tag not in {"body", "html", "main"}
                and self._is_leaf(element)
                and not is_old(element)
            ):
                text = text_of(element)
                if text and len(text) < LONGEST_VALUE:
                    for name in filter(None, names):
                        yield self.fact(plain_mark(name), element, Source.MARK, text=text)

    def _amounts(self) -> Iterator[Fact]:
        for element in self.elements:
            if element.tag in BLOCKS and self._is_leaf(element) and element not in self._margin:
                amounts = AMOUNT.findall(text_of(element)[:LONGEST_VALUE])
                for line, (number, noun) in enumerate(amounts):
                    yield self.fact(noun, element, Source.QUANTITY, text=f"{number} {noun}", line=line)


def _is_of_head(paragraph: HtmlElement) -> bool:
    """Whether a paragraph says who wrote an article and when, and is no part of it."""
    has_time = paragraph.find(".//time") is not None
    return (
        has_time or BYLINE.match(text_of(paragraph)) is not None or bool(HEAD_MARKS & set(marks(paragraph)))
    )


def _items(element: HtmlElement) -> tuple[str, ...]:
    entries = [text_of(entry) for entry in element.iter("li")]
    return tuple(filter(None, entries)) if len(entries) > 1 else ()
