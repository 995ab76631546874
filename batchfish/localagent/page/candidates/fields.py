"""The labelled values of any part of a page: the same for a whole page and for one record of a list.

Ways to be labelled, each a method of `_Part`: definition lists and rows of two cells, a label element and
what follows it, “Label: value” in a line, a heading and the text under it, `details` and `summary`, the kind
of an element (`time`, `mailto:`, `img`), class names, first words (“By …”), amounts of something (“3 beds”).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote, urljoin

from batchfish.localagent.page.candidates import marks
from batchfish.localagent.page.candidates.margins import find_margins
from batchfish.localagent.page.candidates.model import Field, Record, Source
from batchfish.localagent.page.dom import text as texts
from batchfish.localagent.page.dom.document import SPOKEN
from batchfish.localagent.page.dom.text import BLOCKS, HEADINGS, clean, lines_of, one_line, text_of
from batchfish.localagent.page.words import class_words, concept_of, fold, folded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Labels: TypeAlias = Sequence[str]

    from lxml.html import HtmlElement

    from batchfish.localagent.page.dom.document import Document

PAIR = Source.PAIR
LABEL_CLASSES = folded("label_classes")
NO_VALUES = frozenset({"sup", "button", "option", "select"})
NO_TEXTS = frozenset({"ul", "ol", "table", "tbody", "thead", "dl", "img", "br"})
BOLD = frozenset({"b", "strong", "label", "em", "span", "small", "font", "i", "u"})
LEADS = frozenset({"p", "div", "span", "strong", "b"})
ENDS_BOLD = frozenset({"br", "p", "div", "ul", "ol", "table", "li"})
FRAMES = frozenset({"section", "article", "td", "li"})
LABEL = re.compile(r"([^\W\d_][^:\n]{0,45}?)\s*[::]\s+(?=\S)(.+)", re.DOTALL)
SEPARATOR = re.compile(r"\s+[|·•●∙⋅▪◦]\s+|\s*[|·•●]\s*|\s+[–—]\s+|\s+/\s+")
LEAD = re.compile(r"([A-Za-z]+(?: [a-z]+)?(?: [a-z]+)?)\s+(?=[\dA-Z$€£“\"'])(.+)")
QUANTITY = re.compile(
    r"(?<![\w.,])((?:\d{1,3}(?:[, \xa0]\d{3})+"
    r"|\d+)(?:[.,]\d+)?k?)\+?[\s\xa0-]?((?:[^\W\d_]+[²³]?)(?:\s[^\W\d_]+)?)"
)
LONGEST_LABEL, LONGEST_LINE, MOST_LEAD_WORDS, MOST_LABEL_WORDS, MOST_PARTS = 50, 240, 8, 6, 40
NAME_LEVEL, STRONG_LEVEL, OTHER_LEVEL = 7, 8, 9


class FieldFinder:
    """Finds fields in a document; numbers its elements, and knows its margins."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.root = document.root
        self.numbers = {element: number for number, element in enumerate(document.root.iter("*"))}
        self.margins = find_margins(document.root)

    def fields_of(self, root: HtmlElement, *, is_page: bool = False) -> Record:
        """Return the fields of an element and of what is in it, in the order of the page."""
        return _Part(self, root, is_page=is_page).read()

    def address(self, href: str | None) -> str | None:
        """Return an address as a whole; None where it leads nowhere."""
        href = (href or "").strip()
        if not href or href.startswith(("#", "javascript:", "data:")):
            return None
        try:
            return urljoin(self.document.url, href)
        except ValueError:
            return None


class _Part:
    """One part of a page while its fields are gathered."""

    def __init__(self, finder: FieldFinder, root: HtmlElement, *, is_page: bool) -> None:
        self._finder = finder
        self._root = root
        self._is_page = is_page
        self._fields: list[Field] = []

    def read(self) -> Record:
        """Read every element, each in all the ways that fit it."""
        drawn: set[HtmlElement] = set()
        by_tag = {"dl": self._definitions, "tr": self._row, "details": self._details, "img": self._image}
        by_tag |= dict.fromkeys(HEADINGS, self._heading) | dict.fromkeys(marks.LISTS, self._items)
        for node in self._root.iter("*"):
            if node.getparent() in drawn:
                drawn.add(node)
            elif node.get("role") == "img" and node.get("aria-label"):
                drawn.add(node)
                self._add(
                    node, Source.CLASS, clean(node.get("aria-label", "")), marks.class_labels(node), "picture"
                )
            elif node is self._root or not (node.tag in NO_VALUES and texts.is_noise(node)):
                if node.tag in by_tag:
                    by_tag[node.tag](node)
                self._look_at(node)
        return tuple(self._fields if self._is_page else _with_own_link(self._fields))

    def _look_at(self, node: HtmlElement) -> None:
        if node.tag in {"time", "address"} or (node.tag == "a" and node.get("href")):
            self._role(node)
        if SPOKEN in node.attrib or not LABEL_CLASSES.isdisjoint(class_words(node.get("class", ""))):
            self._labelled_by_class(node)
        if node.tag in BOLD:
            self._bold(node)
        if len(node) == 2 and node.tag not in {"dl", "tr", "details", "ul", "ol"}:
            self._pair_of_children(node)
        if node.tag not in NO_TEXTS:
            self._texts(node)

    def _add(self, node: HtmlElement, source: Source, text: str, names: Labels, at: str, **more: Any) -> None:
        values: dict[str, object] = {
            "node": self._finder.numbers.get(node, 0) + more.pop("part", 0),
            "column": marks.path_of(node, self._root),
            "is_old": marks.is_old_within(node, self._root),
            "is_marginal": node in self._finder.margins,
            "link": self._link_of(node),
            **more,
        }
        kept = tuple(filter(None, names)) or ("",)
        self._fields.append(Field(labels=kept, text=text, source=source, where=at, **values))  # type: ignore[arg-type]

    def _pair(self, label: str, node: HtmlElement, text: str, source: Source = PAIR, **more: Any) -> None:
        """Add a value under its label; what stands in brackets in the label may be left out."""
        name = label.strip(" :–-*").replace("#", " number")
        phrase = fold(re.sub(r"\(.*?\)", " ", name)) or fold(name)
        if phrase and text and len(name) <= LONGEST_LABEL:
            values = {"items": marks.items_of(node), "exact": marks.exact_of(node)}
            values |= {"column": f"pair:{phrase}", **more}
            labels = dict.fromkeys([phrase, fold(name)])
            self._add(node, source, text, tuple(labels), f"{source} “{name}”", **values)

    def _link_of(self, node: HtmlElement) -> str | None:
        """Return where a text leads: it is a link, stands in one, or holds the only one."""
        holder: HtmlElement | None = node
        while holder is not None:
            if holder.tag == "a" and holder.get("href"):
                return self._finder.address(holder.get("href"))
            holder = holder.getparent() if holder is not self._root else None
        inner = node.iterdescendants("a") if len(node) < 4 else ()
        links = [one.get("href") for one in inner if one.get("href")]
        return self._finder.address(links[0]) if len(links) == 1 else None

    def _definitions(self, node: HtmlElement) -> None:
        """Definition lists: each term labels the definitions after it."""
        label, values = "", []
        for child in [*node.iter("dt", "dd"), None]:
            if child is not None and child.tag == "dd":
                values.append(child)
                continue
            texts = [text for one in values if (text := text_of(one))]
            if label and len(texts) == 1:
                self._pair(label, values[0], texts[0])
            elif label and texts:
                self._pair(label, values[0], ", ".join(texts), items=tuple(texts))
            label, values = (one_line(text_of(child)) if child is not None else ""), []

    def _row(self, node: HtmlElement) -> None:
        """Rows of a table of two columns, or of two pairs: the first cell labels the second."""
        cells = [cell for cell in node if cell.tag in {"th", "td"}]
        tags = "".join(cell.tag for cell in cells)
        if tags not in {"thtd", "tdtd", "thtdthtd"}:
            return
        for label, value in zip(cells[::2], cells[1::2], strict=True):
            name = one_line(text_of(label))
            if (label.tag == "th" or not name[:1].isdigit()) and value.find(".//table") is None:
                self._pair(name, value, text_of(value))

    def _heading(self, node: HtmlElement) -> None:
        """A heading names a record, or a page; and labels what stands under it."""
        text, level = one_line(text_of(node)), int(node.tag[1])
        if not text:
            return
        if not self._is_page or level == 1:
            labels = (*marks.class_labels(node), "name")[-6:]
            self._add(node, Source.HEADING, text, labels, f"heading {node.tag}", level=level)
        top = node
        while top is not self._root and top.getnext() is None and top.tag not in FRAMES:
            parent = top.getparent()
            if parent is None or parent is self._root:
                break
            top = parent
        parts: list[HtmlElement] = []
        for after in top.itersiblings("*") if top is not self._root else ():
            if after.tag in HEADINGS or len(parts) > MOST_PARTS or after.find(f".//{node.tag}") is not None:
                break
            parts.append(after)
        lines = [line for part in parts for line in lines_of(part)]
        if lines:
            lists = [one for one in parts if one.tag in marks.LISTS or one.find(".//li") is not None]
            items = tuple(item for one in lists for item in marks.items_of(one))
            is_prose = not items and len(parts) > 1 and all(part.tag == "p" for part in parts)
            items = tuple(lines) if is_prose else items
            self._pair(text, parts[0], "\n".join(lines), Source.SECTION, items=items)

    def _details(self, node: HtmlElement) -> None:
        """A `details` element: its summary names and labels the rest."""
        summary = node.find("summary")
        if summary is None:
            return
        label, text = one_line(text_of(summary)), "\n".join(lines_of(node, without=[summary]))
        self._add(summary, Source.HEADING, label, ("name", "question"), "summary", level=NAME_LEVEL)
        if text:
            labels = (fold(label), "answer", "text", "description")
            rest = node if summary.getnext() is None else summary.getnext()
            more = {"column": "details", "items": marks.items_of(node), "is_whole": True}
            self._add(rest, Source.SECTION, text, labels, "text under a summary", **more)

    def _image(self, node: HtmlElement) -> None:
        several = (node.get("srcset") or node.get("data-srcset") or "").split(" ")[0]
        said = (node.get("src"), node.get("data-src"), several)
        address = next(filter(None, map(self._finder.address, said)), None)
        if address:
            labels = ("image", fold(node.get("alt", "")))
            self._add(node, Source.ROLE, "", labels, "image", image=address, link=None)

    def _items(self, node: HtmlElement) -> None:
        """A list of short texts, labelled by its class, or by the line before it."""
        items, before = marks.items_of(node), node.getprevious()
        if not items:
            return
        lead = one_line(text_of(before)) if before is not None and before.tag in LEADS else ""
        labels = [fold(lead) if len(lead) <= LONGEST_LABEL else "", *marks.class_labels(node)]
        source = Source.SECTION if lead.endswith(":") else Source.CLASS
        column = f"{marks.path_of(node, self._root)}[]"
        self._add(node, source, "\n".join(items), labels, "list of texts", items=items, column=column)

    def _role(self, node: HtmlElement) -> None:
        """Elements that say by their kind what they hold: times, addresses, links for mail and phone."""
        text, href = one_line(text_of(node)), node.get("href", "").strip()
        where, role, scheme = f"kind of element: {node.tag}", Source.ROLE, href.split(":")[0].lower()
        if node.tag == "time":
            is_published = "published" in class_words(node.get("class", ""))
            stamp = node.get("datetime") or text
            kinds = ("published" if is_published else "date", "start")
            self._add(node, role, text or stamp, kinds, where, exact=stamp)
        elif node.tag == "address":
            self._add(node, role, text_of(node), ("address",), where, is_whole=True)
        elif scheme == "mailto":
            self._add(node, role, clean(unquote(href[7:]).split("?")[0]), ("email",), "mail link", link=None)
        elif scheme in {"tel", "callto"}:
            number = unquote(href.split(":", 1)[1])
            shown = text if sum(map(str.isdigit, text)) > 4 else number
            self._add(node, role, shown, ("phone",), "telephone link", link=None, exact=number)
        elif address := self._finder.address(href):
            text = text or clean(node.get("aria-label") or node.get("title") or "")
            rel = {"author": "author", "tag": "tags"}.get(node.get("rel", "").split(" ")[0], "")
            more = {"link": address, "column": f"{marks.path_of(node, self._root)}@"}
            labels = (rel, fold(text), *marks.class_labels(node))
            self._add(node, Source.LINK, text, labels, f"link “{text[:40]}”", **more)

    def _labelled_by_class(self, node: HtmlElement) -> None:
        """An element that is a label by its class, with what follows; or one that a screen reader labels."""
        value = node.getnext()
        if spoken := node.get(SPOKEN):
            self._pair(spoken, node, text_of(node))
        elif value is not None and value.tag not in HEADINGS:
            self._pair(one_line(text_of(node)), value, text_of(value))

    def _bold(self, node: HtmlElement) -> None:
        """A label in a line, with a colon: `<b>Orbits:</b> Earth`; its value ends at the next such label."""
        label, tail = clean("".join(node.itertext())), node.tail or ""
        if not 1 < len(label) <= LONGEST_LABEL or not (label.endswith(":") or tail.lstrip().startswith(":")):
            return
        inner: list[HtmlElement] = []
        parts, after = [tail.lstrip(" :\n\xa0")], node.getnext()
        while after is not None and after.tag not in ENDS_BOLD and after.tag != node.tag:
            is_beside = texts.is_old(after) or texts.is_noise(after)
            parts += ["" if is_beside else one_line(text_of(after)), after.tail or ""]
            inner.append(after)
            after = after.getnext()
        text = clean(" ".join(parts))
        if not text and after is not None and after.tag != "br":
            text, inner = text_of(after), [after]
        exact = marks.exact_of(inner[0]) if len(inner) == 1 else None
        self._pair(label, inner[0] if inner else node, text, exact=exact)

    def _pair_of_children(self, node: HtmlElement) -> None:
        """Two elements side by side, one of which is a label: `<span>Mileage</span> <b>45,000 km</b>`."""
        first, second = node
        if clean((node.text or "") + (second.tail or "")) or (first.tail or "").strip(" \n\t:–-"):
            return
        label, value = one_line(text_of(first)), text_of(second)
        if not label or not value or first.tag in HEADINGS or max(len(label), len(value)) > LONGEST_LINE:
            return
        for name, text, holder in ((label, value, second), (value, label, first)):
            if len(name) > 30 or any(map(str.isdigit, name)) or "\n" in name or LABEL.match(text):
                continue
            is_in_order = holder is second or text[:1].isdigit() or text[:1] in "$€£"
            is_known = bool(concept_of(fold(name))) and not concept_of(fold(text))
            if name.endswith(":") or (is_in_order and (is_known or _has_twins(node))):
                self._pair(name, holder, text)
                return

    def _texts(self, node: HtmlElement) -> None:
        """Texts of their own: whole lines, the parts of a line, and what their first words or amounts say."""
        said = (node.text, *(child.tail for child in node))
        own = [text for part in said if part and (text := clean(part))]
        labels = marks.class_labels(node)
        if not own:
            is_value = not len(node) or (len(node) > 1 and any(map(concept_of, labels)))
            text = text_of(node) if is_value else ""
            if not text or len(text) > LONGEST_LABEL:
                return
            own = [text]
        is_leaf = not any(child.tag in BLOCKS and child.tag != "br" for child in node)
        lines = lines_of(node) if is_leaf and len(node) else own
        is_inline = node.tag not in BLOCKS
        if node.tag not in HEADINGS and is_leaf:
            source = Source.CLASS if labels else Source.TEXT
            where = f"class name “{' '.join(node.get('class', '').split()[:3])}”" if labels else "text"
            level = STRONG_LEVEL if node.tag in {"strong", "b", "dt"} else OTHER_LEVEL
            more = {"exact": marks.exact_of(node), "level": level, "is_whole": True}
            self._add(node, source, "\n".join(lines), labels, where, **more)
        for place, line in enumerate(lines[:MOST_PARTS]):
            if len(line) <= LONGEST_LINE and (not is_inline or node is self._root or len(lines) == 1):
                self._line(line, node, place, is_inline=is_inline)

    def _line(self, line: str, node: HtmlElement, number: int, *, is_inline: bool) -> None:
        parts = [part for part in SEPARATOR.split(line) if part]
        for place, part in enumerate(parts):
            pair, lead = LABEL.fullmatch(part), LEAD.fullmatch(part)
            if pair and len(pair[1].split()) <= MOST_LABEL_WORDS:
                self._pair(pair[1], node, clean(pair[2]))
                continue
            if len(parts) > 1 and not is_inline:
                column = f"{marks.path_of(node, self._root)}|{number}/{place}"
                more = {"part": (place + 1) / 100, "column": column}
                self._add(node, Source.TEXT, part, (), f"part of “{line[:40]}”", **more)
            if lead and len(lead[2].split()) <= MOST_LEAD_WORDS:
                self._lead(lead[1].split(), part, node)
            for match in QUANTITY.finditer(part):
                phrase = fold(match[2])
                labels = dict.fromkeys([phrase, phrase.split(" ")[0]])
                more = {"link": None, "column": f"amount:{phrase.split(' ')[0]}"}
                self._add(node, Source.QUANTITY, match[0], tuple(labels), f"amount in “{part[:40]}”", **more)

    def _lead(self, words: Sequence[str], part: str, node: HtmlElement) -> None:
        """Add what first words that name something label: “By Jane Doe”, “Serves 4”."""
        for count in range(len(words), 0, -1):
            phrase = fold(" ".join(words[:count]))
            concept = concept_of(phrase)
            if concept and (count == len(words) or concept in {"published", "author"}):
                text = part[len(" ".join(words[:count])) :].strip()
                self._pair(phrase, node, text, Source.LEAD, column=f"lead:{phrase}")
                return


def _has_twins(node: HtmlElement) -> bool:
    """Whether an element stands beside others of its shape with other labels, none of which is a link."""
    parent = node.getparent()
    if parent is None or node.find(".//a") is not None:
        return False
    shape = (node.tag, node.get("class"), [child.tag for child in node])
    twins = [one for one in parent if (one.tag, one.get("class"), [child.tag for child in one]) == shape]
    return len(twins) > 1 and len({clean("".join(twin[0].itertext())) for twin in twins}) == len(twins)


def _with_own_link(fields: list[Field]) -> Iterator[Field]:
    """Label the link whose text is the record's heading as the record's own address."""
    heading = next((fold(field.text) for field in fields if field.source is Source.HEADING), "")
    for one in fields:
        is_own = heading and one.source is Source.LINK and heading in fold(one.text)
        yield replace(one, labels=("website", *one.labels), source=Source.ROLE) if is_own else one
