"""A goal in words, understood as far as rules can: what is wanted, how many of it, from how many pages."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from batchfish.localagent.page.asked.fields import (
    finished,
    is_plural,
    schema_of,
    sketch_in,
    spell,
    split_fields,
)
from batchfish.localagent.page.words import DATA, concept_of, fold, folded, singular

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_PAGES = 20
"""The pages of one list that are gone through at most, whatever a goal says."""
UNCLEAR = "The goal names no field to look for: give an output_schema, or “all products with name and price”."


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


REFERENCE = re.compile(r"\s*\[ref [^\]]*\]\s*$")
"""The marker at the end of a goal, which is for those who look a run up."""
NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}
_COUNT = rf"(\d{{1,4}}|{'|'.join(NUMBERS)})"
_NO_COUNT = (
    r"(?!\s*[-–]?\s*(?:pages?|words|characters|sentences|lines|decimals|digits|columns|fields|values|keys"
    r"|stars?|days|weeks|months|years|hours|minutes)\b|\s*[.,]\d|\s*%)"
)
VERBS = (
    r"(?:extract|get|list|find|read|give me|give|return|collect|scrape|fetch|show me|show|gather|pull|grab"
    r"|retrieve|capture|record|parse|provide|output|compile|identify|tell me|what(?:'s| is| are)|which"
    r"|i want|i need|include|crawl|look up)"
)
TOP = _compiled(rf"\b(?:top|first|latest|next)\s+{_COUNT}\b{_NO_COUNT}")
COUNTED = _compiled(
    rf"\b{VERBS}\s+(?:me\s+)?(?:the\s+)?(?:up to\s+|at most\s+|a maximum of\s+"
    rf"|no more than\s+)?{_COUNT}\b{_NO_COUNT}"
    r"\s+(?=[a-z])"
)
PAGES = _compiled(
    rf"\b(?:first|top|next|up\s+to)\s+{_COUNT}\s+pages\b|\b{_COUNT}\s+pages\b|\bpages\s+1\s*(?:-|–"
    rf"|to)\s*(\d+)\b"
)
ONE_PAGE = _compiled(
    r"\b(?:only (?:the )?first page|first page only|just (?:the first|this) page|only (?:this page|page (?:1"
    r"|one))|(?:this page|page 1) only)\b|\b(?:do not|don't|never|without"
    r"|no need to)\s+(?:\w+\s+){0,4}?(?:next page|other pages|more pages|further pages|paginat\w+|click next"
    r"|load more)\b"
)
ALL_PAGES = _compiled(
    r"\b(?:(?:all|both|every|each)(?: of)?(?: the)?(?: result)? pages?|across (?:all )?pages|through (?:all "
    r"|the )?pages|(?:following|further|other|subsequent|multiple) pages|next page|click(?:ing)? next"
    r"|pagination|paginate\w*|until (?:there|no)|no more|load more|show more)\b(?!\s+than\b)"
)
SENTENCES = re.compile(r"(?<=[.!?;])\s+|\n\s*\n|\n(?=\s*\d+\.\s)")
VERB = _compiled(rf"^(?:.*?\b(?:please|and|then|to|can you|could you)\s+)??{VERBS}\b\s*")
NO_NOUN = _compiled(
    r"^(?:please|help|how|why|who|when|what do|is|are|do|does|can|go|click|log|sign|open|close|accept|if"
    r"|take|play|add|reply|start|upvote|wait|subscribe|download|tell|submit|buy|book|register|scroll|visit"
    r"|search|press)\b"
)
UNDOABLE = _compiled(
    r"(?:^|\b(?:and|then) )(?:translate|book|call|follow|tell me (?:if|whether)|summari[sz]e|compare"
    r"|recommend|explain|calculate|count|guess|write|draw)\b"
)
DETERMINERS = _compiled(
    r"^(?:(?:me|us|all|of|the|every|each|any|a|an|this|these|its|their|only|just|available|current|both|some"
    r"|following|list of|table of|array of|set of|json array of|list with|structured|complete|full"
    r"|from)\s+)+"
)
BULLET = re.compile(r"^[ \t]*(?:[-*•–]|\d+[.)])[ \t]+(.+)$", re.MULTILINE)
KEYS = _compiled(
    r"\b(?:keys|fields|columns|properties|attributes)\b[^:\n]{0,20}?:?\s+((?:\S+\s*,|\"|`).+?)(?:\n\n"
    r"|(?<=\w)\.\s|\.?$)"
)
FOR_EACH = _compiled(
    rf"\b(?:for|from|of) (?:each|every|any"
    rf"|all(?: of)?(?: the)?)(?: of the)?(?: \d+)?\s+([\w' -]+?)(?:\s+(?:on|in) (?:the"
    rf"|this) \w+)?\s*(?:[,:]\s*(?:{VERBS}|include)?|\s(?:{VERBS}|include))\s*[,:]?\s*(?:the\s+|its\s+)?(.+)"
)
OF_EACH = _compiled(
    r"^(?!(?:an? |the )?(?:json )?(?:list|table|array|set)\b)(.+?)\s+(?:of|for|from) (?:each|every|all"
    r"|all the|all of the|the (?:top|first) \w+)\s+(.+)"
)
COLON = re.compile(r"^([^:(]+?):\s+(.+)$")
BRACKETS = re.compile(r"^([^(]+?)\s*\(([^)]+,[^)]+)\)")
WITH = _compiled(
    r",?\s+(?:with|including|along with|together with|showing|containing|having|and (?:their|its)"
    r"|as well as)\s+(?:(?:the|their|its|these|following)\s+)*(?:fields|keys|columns)?:?\s*"
)
TAIL = _compiled(
    r"\s*\b(?:as (?:a )?(?:json|csv|list|array|table)|in json|(?:on|from|in|of|for) (?:the|this|that|our|a"
    r"|an)\b|from (?:all|up to|pages?)|where (?:available|present|given)|(?:if|when) (?:available|present"
    r"|any|given|shown)|return|then|across|listed|shown|displayed|offered|for each|for every|over \d"
    r"|near)\b.*$"
)
AFTER_NOUN = _compiled(r"\s+(?:in|on|from|for|of|at|near|as|that|which|offered|listed|and|under|by)\b.*$")
EACH = _compiled(r"^(?:for )?(?:each|every)\s+|^(?:up to\s+)?\d+\s+")
OWNER = _compiled(r"^(?:the|this|a|an)?\s*[\w -]+?['’]s\s+(?=\S)")
DATA_WORDS = _compiled(r"^(.+?)\s*(?:data|details?|info(?:rmation)?|metadata|facts|specs?)$")
VAGUE = folded("vague")
Wish: TypeAlias = "tuple[Mapping[str, Any] | None, str, str]"
"""A schema, what the list is called, and the kind of thing all of whose data is wanted."""
KINDS: Mapping[str, str] = DATA["kinds"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """The parsed goal: a schema, the most records of a list, the most pages to read.

    `schema` is None where the goal is not understood, or where it asks for all the data of a kind of thing:
    then `kind` says which (“product”), and `is_several` whether more than one may be meant. `nouns` are what
    the list is called. `pages` is None where the goal says nothing of pages, 0 where it wants all.
    `is_own`: the schema is the goal's own, so the types of its fields are guesses.
    """

    schema: Mapping[str, Any] | None
    most: int | None = None
    pages: int | None = None
    nouns: tuple[str, ...] = ()
    goal: str = ""
    kind: str = ""
    is_several: bool = False
    is_own: bool = False

    def wants_more(self, found: int, pages: int) -> bool:
        """Whether another page is wanted after so many records and pages; never more than `MOST_PAGES`."""
        if self.most is not None:
            return found < self.most and pages < (self.pages or MOST_PAGES)
        return self.pages is not None and pages < (self.pages or MOST_PAGES)


def understand(goal: str, schema: Mapping[str, Any] | None) -> Asked:
    """Understand a goal; where there is a schema, it says what is wanted, and the goal the rest."""
    text = REFERENCE.sub("", goal).strip()
    made, noun, kind = _wish(text)
    return Asked(
        schema=made if schema is None else schema,
        most=_most(text),
        pages=_pages(text),
        nouns=(noun,) if noun else (),
        goal=text,
        kind=kind if schema is None else "",
        is_own=schema is None,
        is_several=is_plural(noun) or re.search(r"\b(?:all|every|each)\b", text, re.IGNORECASE) is not None,
    )


def kinds_of(noun: str) -> list[str]:
    """Return the last words of the schema.org types that a noun means, such as `event` of `MusicEvent`."""
    word = singular(fold(noun).split(" ")[-1])
    return KINDS.get(word, word).split()


def _most(text: str) -> int | None:
    text = PAGES.sub(" ", text)
    found = TOP.search(text) or COUNTED.search(text)
    return _count(found) if found else None


def _pages(text: str) -> int | None:
    if ONE_PAGE.search(text):
        return 1
    if found := PAGES.search(text):
        return _count(found)
    return 0 if ALL_PAGES.search(text) else None


def _count(found: re.Match[str]) -> int:
    word = next(filter(None, found.groups())).lower()
    return NUMBERS.get(word) or int(word)


def _wish(text: str) -> Wish:
    """Return the schema that a goal asks for, what the list is called, the kind of thing it wants all of."""
    if drawn := sketch_in(text):
        noun = _noun(text[: drawn[1]])
        return finished(drawn[0], noun), noun, ""
    bullets = [one for one in BULLET.finditer(text) if not (VERB.match(one[1]) or NO_NOUN.match(one[1]))]
    keys = KEYS.search(text)
    if bullets:
        fields = [one[1] for one in bullets if not one[1].lower().startswith("do not")]
        return _under(text[: bullets[0].start()], fields)
    if keys and (fields := split_fields(keys[1])):
        return _under(text[: keys.start()], fields)
    clause = " ".join(_clause(text).split())
    if not clause and (named := _named(text, clause)):
        return named
    if not clause or UNDOABLE.search(text):
        return None, "", ""
    is_counted = COUNTED.search(text) is not None
    return _named(text, clause) or _listed(clause) or _plain(clause, is_counted=is_counted)


def _under(head: str, fields: list[str]) -> Wish:
    """Return the schema of fields; the words before them say what the thing or the list is called."""
    noun = _noun(head)
    is_each = re.search(r"\b(?:each|every|all|top \d+|first \d+|list of|array of)\b", head, re.IGNORECASE)
    return schema_of(fields, noun, is_several=is_plural(noun) or is_each is not None), noun, ""


def _clause(text: str) -> str:
    """Return what stands after the verb that says to read something; without one, a few words as they are."""
    sentences = [one.strip().rstrip(".!?") for one in SENTENCES.split(text)]
    for sentence in sentences:
        found = VERB.match(sentence)
        if found and len(sentence) > found.end():
            return sentence[found.end() :].strip()
    first = sentences[0]
    is_bare = len(first.split()) <= 8 or COLON.match(first) is not None
    return first if is_bare and not NO_NOUN.match(first) else ""


def _named(text: str, clause: str) -> Wish | None:
    """Read goals that say whose the fields are: “for each hotel, get …”, “the price of every room”."""
    if found := FOR_EACH.search(clause) or FOR_EACH.search(text):
        noun, fields = found[1], SENTENCES.split(found[2])[0].rstrip(".")
    elif (found := OF_EACH.match(clause)) and not WITH.search(clause):
        noun, fields = TAIL.sub("", found[2]), found[1]
    else:
        return None
    noun = DETERMINERS.sub("", noun).strip()
    names = split_fields(TAIL.sub("", fields))
    return (schema_of(names, noun, is_several=True), noun, "") if names else None


def _listed(clause: str) -> Wish | None:
    """Read goals that name a thing, then its fields: “hotels: name, price”, “hotels with name and price”."""
    parts = WITH.split(clause, maxsplit=1)
    found = COLON.match(clause) or BRACKETS.match(clause)
    named = (parts[0], TAIL.sub("", parts[1])) if len(parts) == 2 else ("", "")
    head, rest = (found[1], found[2]) if found else named
    fields = split_fields(rest)
    return _under(head, fields) if fields else None


def _plain(clause: str, *, is_counted: bool) -> Wish:
    """Read goals that only name what they want: “title, author and date”, “product names”, “recipes”."""
    plain = TAIL.sub("", clause if DATA_WORDS.match(clause) else OWNER.sub("", clause)).strip()
    noun = DETERMINERS.sub("", TOP.sub("", DETERMINERS.sub("", plain)).strip()).strip()
    if VAGUE.issuperset(fold(noun).split()):
        return None, "", ""
    if fold(noun) in {"page title", "title"}:
        return {"type": "object", "properties": {spell(noun): {"type": "string"}}}, "", ""
    if data := DATA_WORDS.match(noun):
        return None, data[1], singular(fold(data[1]))
    fields = split_fields(noun)
    words = [fold(one).split() for one in fields]
    if len(fields) > 1 and len(words[0]) > 1 and all(is_plural(one[-1]) for one in words if one):
        thing = f"{' '.join(words[0][:-1])}s"  # “product names and prices” are of several products
        names = [words[0][-1], *map(" ".join, words[1:])]
        return schema_of(map(singular, names), thing, is_several=True), thing, ""
    if len(fields) > 1 or (fields and concept_of(fold(noun)) and not is_plural(noun) and not is_counted):
        return schema_of(fields, "", is_several=False), "", ""
    if is_plural(noun) and concept_of(singular(fold(noun).split(" ")[-1])) == "name":
        texts = {"type": "array", "items": {"type": "string"}}
        return {"type": "object", "properties": {spell(noun): texts}}, noun, ""
    is_thing = bool(noun) and len(noun.split()) <= 4
    return None, noun if is_thing else "", singular(fold(noun)) if is_thing else ""


def _noun(head: str) -> str:
    """Return what a list is called before its fields: “tours” of “Search for tours in Lisbon”."""
    clause = re.sub(r"^(?:search|look) for\s+", "", (_clause(head) or head).strip(), flags=re.IGNORECASE)
    clause = WITH.split(re.split(r"[:.(\n]|,\s", clause)[0], maxsplit=1)[0]
    clause = DETERMINERS.sub("", TOP.sub("", DETERMINERS.sub("", clause)).strip())
    clause = EACH.sub("", clause.strip(" ,:"))
    words = fold(AFTER_NOUN.sub("", clause)).split()
    return "" if not words or len(words) > 4 or VAGUE.issuperset(words) else " ".join(words)
