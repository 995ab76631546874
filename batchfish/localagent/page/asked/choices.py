"""Choices among the records of a list that a goal asks for: filters and orders, none of which is carried out.

A list that was read without them would pass for the one that was asked for, so such a goal is refused. Only
what clearly restricts or orders the records counts: “the lowest price” is a field, “the top 5” are the first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

QUOTED = re.compile(r"“[^”]*”|\"[^\"]*\"|«[^»]*»|(?<!\w)'[^']*'(?!\w)|`[^`]*`|\{[^{}]*\}")
NUMBER = r"(?<![\d.,])\d[\d.,]{0,14}(?<![.,])k?"
UNIT = r"(?:stars?|dollars?|euros?|eur|usd|gbp|pounds?|bucks|percent|points|upvotes|reviews|ratings)"
AMOUNT = rf"(?:(?:[$€£¥]|(?:usd|eur|gbp)\b)\s?{NUMBER}|{NUMBER}\s?(?:[$€£¥%]|{UNIT}\b))"
ALONE = rf"{NUMBER}(?=\s*(?:$|[.,;:\n]|(?:with|and|including)\s))"
STATE = r"(?:in[- ]stock|out[- ]of[- ]stock|on sale|discounted|sold[- ]out|reduced|for free)"
BEST = (
    r"(?:(?:\d+|three|four|five|ten)\s+)?(?:cheapest|most expensive|priciest|newest|oldest|best[- ]selling"
    r"|(?:highest|best|lowest|top)[- ]rated|(?:highest|lowest)[- ]priced|least expensive|most popular)"
)
FIELD = r"(?:prices?|versions?|bids?|dates?|values?|rates?|room['’]s|edition|number|score)"
SIZE = r"(?:under|below|over|above|(?:less|more|cheaper|fewer|greater|higher|lower) than)"


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


ANYWHERE = _any(
    rf"\b(?<!number ){SIZE}\s+(?:{AMOUNT}|{ALONE})",
    rf"\b(?:at least|at most|up to|no more than|not more than|between)\s+(?:{NUMBER}\s+and\s+)?{AMOUNT}",
    rf"(?:{AMOUNT}|{NUMBER})\s+(?:or (?:less|more|under|below|over|above|higher|lower|fewer|better)"
    r"|and (?:up|above|over|higher|under))(?=\s*(?:$|[.,;:)\n])|\s+with\s)",
    rf"\b{NUMBER}\s?\+\s?{UNIT}\b",
    rf"(?<!number )(?<![-=<>])(?:[<>]=?|[≤≥])\s*(?:{AMOUNT}|{NUMBER})",
    r"(?<!\bis )(?<!\bare )\b(?:sort(?:ed)?(?: them| the results| results| the list)? by|order(?: them"
    r"| the results)? by|ordered by(?= (?:price|date|rating|name))|in (?:descending|ascending|alphabetical"
    r"|chronological|reverse)|sorted (?:in|from))\s+\w+",
    r"\bfilter(?:ed)?\s+(?:by|for|to|under|out|the|them)\s+\S+",
    r"\b(?:cheapest|oldest|newest|highest|lowest|best|largest|smallest|most recent"
    r"|latest)\s+(?:\w+\s+)?first\b",
    r"\b(?:low(?:est)? to high(?:est)?|high(?:est)? to low(?:est)?)\b",
    rf"\bonly\s+(?:(?:the|those|ones|return|show|include|list|items?|products?"
    rf"|that are)\s+)*(?:\w+\s+)?{STATE}",
    rf"\bonly\s+(?:\w+\s+)?available (?:ones|products|items)\b|\b{STATE}(?:\s+\w+)?\s+only\b",
    rf"\b(?:(?:that|which|who) (?:are|is)|excluding|exclude|except|skip|ignore|omit"
    rf"|without)\s+(?:the\s+)?{STATE}",
    r"\b(?:published|posted|released|added|dated)\s+(?:in|since|after|before)\s+(?:the\s+(?:last"
    r"|past)\s+)?\d+",
    r"\b(?:in|from|of|over)\s+the\s+(?:last|past)\s+(?:\d+\s+|few\s+)?(?:days?|weeks?|months?|years?"
    r"|hours?)\b(?! average)",
)
IN_HEAD = _any(
    rf"^(?:the\s+)?(?:(?:top|first)\s+\d+\s+)?{BEST}\b(?!\s+{FIELD}\b)(?!.*\b{FIELD}$)",
    rf"^(?!.*\b(?:number|quantity|count|amount)\b).*\b{STATE}(?! (?:this|today|now|at|here|in|from"
    rf"|currently)\b)",
    r"\b(?:\d|one|two|three|four|five)[- ]star\s+(?!rating|reviews?)\w+",
    r"\b(?:posted|published|added)\s+(?:today|yesterday|this week|recently)\b",
)
THE_ONE = re.compile(rf"(?i)^(?:the\s+)?{BEST}\s+(?!{FIELD}\b)[^\W\d_]+(?!['’]s)\b")
CONDITION = re.compile(r"(?i)\b(?<!only\s)(?:if|when|unless|otherwise|null)\b[^,.;\n]*")
VERB = re.compile(
    r"(?i)\b(?:extract|get|list|find|read|give me|return|collect|scrape|fetch|show(?: me)?"
    r"|pull)\b\s+(?:all(?: of)?\s+)?(?:the\s+)?"
)
HEAD_ENDS = re.compile(r"\s+(?:with|including|along with|showing)\s+|[.,;:(\n]|\s(?:of|for|and)\s")


def choice_in(goal: str, schema: Mapping[str, Any]) -> str | None:
    """Return the words by which a goal chooses among a list's records or orders them; None where it does not.

    `schema` is what is wanted; where it holds no list, only the best of several things can be meant.
    """
    text = CONDITION.sub("", QUOTED.sub(" ", goal))
    verb = VERB.search(text)
    head = HEAD_ENDS.split(text[verb.end() if verb else 0 :], maxsplit=1)[0].strip()
    properties: Mapping[str, Mapping[str, Any]] = schema.get("properties", {})
    arrays = [one for one in properties.values() if one.get("type") == "array"]
    has_things = any((one.get("items") or {}).get("type") == "object" for one in arrays)
    is_list = has_things or len(arrays) == len(properties) == 1
    found = ANYWHERE.search(text) or IN_HEAD.search(head) if is_list else THE_ONE.search(head)
    return " ".join(found[0].split()) if found else None
