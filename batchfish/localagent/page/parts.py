"""The parts of one element's text: lines under labels of their own, amounts with nouns, what is between."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batchfish.localagent.page.labels import is_label
from batchfish.localagent.page.lines import (
    BYLINE,
    LABELLED,
    SEPARATOR,
    amounts_in,
    clock_in,
    led_by_label,
    nouns_in,
)
from batchfish.localagent.page.mail import unveiled
from batchfish.localagent.page.model import Source
from batchfish.localagent.page.money import EMAIL, find_money, is_phone
from batchfish.localagent.page.naming import has_own_text
from batchfish.localagent.page.tree import HEADINGS, clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.html import HtmlElement

SHORT = 90
TAIL = re.compile(r"[\s\-–—:|·.…,]+$")
TRIMMED = " \t\n,;:|·•–—-()[]/"
ENDS_NAME = re.compile(r"\s*[(,|·•»\[\d]|\s[–—-]\s|\n")
NUMBERED = re.compile(r"(?<![\w&])#\s?(\d+)\b")
IDENTIFIER = re.compile(
    r"(?<!\w)(Artikel-?Nr|Art\.? ?-?Nr|Article no|Item no|SKU|MPN|EAN|ISBN|Réf|Cód)\.?:?"
    r"\s*((?=\S*\d)[\w/-]{4,})",
    re.IGNORECASE,
)
"""What a thing is numbered by, wherever in a text it stands."""
HANGING = re.compile(r"\s(?:on|am|at|in|le|el|il|op|den|em|updated|posted)$")
WORD_THEN_NUMBER = re.compile(
    r"([^\W\d_]{3,}(?: [^\W\d_]{3,})?|[^\W\d_]{2,6}\.)\s*(\d[\d.,]*(?:\s?/\s?\d+)?)"
)
DASHED = re.compile(r"(\S.{0,78}?)\s[–—-]\s(\S.*)", re.DOTALL)
IN_BRACKETS = re.compile(r"\S.*\s\(([^()]*[^\W\d_][^()]*)\)")
NO_HEADS = ("from ", "ab ", "now ", "was ", "à partir", "desde ", "da ", "vanaf ")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a text: what it is called (empty: nothing calls it), and then its place in the element."""

    text: str
    name: str = ""
    source: Source = Source.MARK
    line: int = 0
    place: str = ""


def parts_of(element: HtmlElement, text: str) -> Iterator[Part]:
    """Find what the lines of a text say under labels of their own, and what stands before a price."""
    lines = SEPARATOR.split(text)
    is_one = len(element) <= 1 or has_own_text(element)
    for number, line in enumerate(lines, start=1):
        if len(lines) > 1 and line.strip():
            yield Part(text=line, line=number, place=f"|{number}")
        if found := LABELLED.fullmatch(line):
            name, value = found.groups()
            if is_label(name):
                yield Part(name=name, text=value, source=Source.PAIR, line=number)
                yield from _halves(name, value, number)
        elif (found := DASHED.fullmatch(line)) and not find_money(line):
            yield from _halves(found[1], found[2], number)
        elif (found := BYLINE.fullmatch(line)) and is_one:
            yield _author(found[1], number)
        if is_one and element.tag not in HEADINGS and (led := led_by_label(line)):
            yield Part(name=led[0], text=led[1], source=Source.PAIR, line=number)
        if is_one and (clock := clock_in(line)):
            yield Part(name="start time", text=clock, source=Source.QUANTITY, line=number)
        if numbered := IDENTIFIER.search(line):
            yield Part(name=numbered[1], text=numbered[2], source=Source.PAIR, line=number)
        if len(line) <= SHORT:
            yield from _short(line, number, is_one=is_one)


def _halves(first: str, second: str, line: int) -> Iterator[Part]:
    """Give what stands on both sides of a colon or a dash: a day and its hours, a name and what it is."""
    yield Part(text=first, line=line, place="@first")
    yield Part(text=second, line=line, place="@second")


def _short(line: str, number: int, *, is_one: bool) -> Iterator[Part]:
    """Give what a short line holds; in one made of several elements, numbers may have run together."""
    amounts = amounts_in(line) if is_one else []
    for amount, noun in amounts:
        text = line if len(amounts) == 1 else f"{amount} {noun}"
        for name in nouns_in(noun):
            yield Part(name=name, text=text, source=Source.QUANTITY, line=number)
    if found := WORD_THEN_NUMBER.fullmatch(line):
        yield Part(name=found[1], text=found[2], source=Source.QUANTITY, line=number)
    if found := NUMBERED.search(line):
        yield Part(name="number", text=found[1], source=Source.QUANTITY, line=number)
    if mail := EMAIL.search(unveiled(line)):
        yield Part(name="email", text=mail[0], source=Source.ROLE, line=number)
    elif is_phone(line):
        yield Part(name="phone", text=line, source=Source.ROLE, line=number)
    if found := IN_BRACKETS.fullmatch(line):
        yield Part(text=found[1], line=number, place="@()")
    money = find_money(line)
    head = TAIL.sub("", line[: line.find(money[0].text)]) if money else ""
    if head and not line.casefold().startswith(NO_HEADS):
        yield Part(text=head, line=number, place="@head")


def tails_of(element: HtmlElement) -> Iterator[Part]:
    """Give the texts that stand after the children of an element: each is a part of its own."""
    for number, child in enumerate(element, start=1):
        text = clean(child.tail or "").strip(TRIMMED)
        if re.search(r"\w", text):
            yield Part(text=text, line=number, place=f"~{number}")
            if found := BYLINE.match(text):
                yield _author(found[1], number)


def _author(text: str, line: int) -> Part:
    name = HANGING.sub("", ENDS_NAME.split(text)[0].strip())
    return Part(name="author", text=name, source=Source.ROLE, line=line)
