"""The words of `grammar.toml` as the patterns that goals are taken apart with."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

_DATA = tomllib.loads(files(__package__).joinpath("grammar.toml").read_text("utf-8"))


def one_of(name: str) -> str:
    """Give a pattern for any of the phrases of a list, the longest first; spaces are any space."""
    phrases = sorted(_DATA[name], key=len, reverse=True)
    return "(?:" + "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in phrases) + ")"


def compiled(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Compile a pattern for words as people write them, in capitals or not."""
    return re.compile(pattern, re.IGNORECASE | flags)


NUMBERS: dict[str, int] = _DATA["numbers"]
SINGLE = frozenset[str](_DATA["single"])
_NUMBER = rf"(\d{{1,4}}|{'|'.join(NUMBERS)})"

REFERENCE = compiled(r"\s*\[ref [^\]]*\]\s*$")
"""The marker at the end of a goal, which is for those who look a run up."""
VERB = compiled(rf"\b{one_of('verbs')}\b\s+")
DETERMINERS = compiled(rf"^(?:{one_of('determiners')}\s+)+")
TOP = compiled(rf"\b{one_of('first')}\s+{_NUMBER}\b")
PAGES = compiled(rf"\b(?:first|top|next|up\s+to)\s+{_NUMBER}\s+pages\b|\b{_NUMBER}\s+pages\b")
ALL_PAGES = compiled(rf"\b{one_of('all_pages')}\b")
SEVERAL = compiled(rf"\b{one_of('several')}\b")
WITH = compiled(rf"\s+{one_of('with')}\s+")
COLON = compiled(r"\s*:\s+")
BRACKET = compiled(r"\s*\((?=[^()]*,)")
KEYS = compiled(rf"\b{one_of('keys')}\b(?:\s+(?:are|of|named|called))?\s*[:=]?\s*(.+)", re.DOTALL)
ENDS = compiled(rf"[.;!?\n](?:\s|$)|(?:^|\s+){one_of('ends')}\b")
AND = compiled(rf"\s*(?:,\s*{one_of('and')}\s+|,|;|\s+(?:{one_of('and')}|&)\s+)\s*")
LEADING = compiled(rf"^(?:{one_of('leading')}\s+)+")
YES_OR_NO = compiled(r"\s*(?:whether|if)\s")
BULLET = compiled(
    r"^[^\S\n]*(?:[-*•]|\d{1,2}[.)])\s+[`\"“]?([a-zÀ-ÿ_][\wÀ-ÿ ./-]{0,50}?)[`\"”]?[^\S\n]*"
    r"(?:[:(–—-][^\S\n]*(.*))?$",
    re.MULTILINE,
)
OF_EACH = compiled(
    rf"\s+(?:of|for|from|von|de|di|van|per)\s+{one_of('each')}\s+(?P<noun>[^\W\d_]+(?:\s[^\W\d_]+)?)(?=\s*(?:$|[.,;:\n])|\s+(?:on|in|at|from|as|and|listed|shown)\s)"
)
"""Where fields come before the things that have them: “title and date of each talk”."""
FOR_EACH = compiled(
    rf"\b{one_of('for_each')}\s+(?P<noun>[^\W\d_]+(?:\s[^\W\d_]+){{0,2}}?)(?:\s+on\s+the\s+page)?,?\s+{one_of('verbs')}\s+(?P<fields>.+)",
    re.DOTALL,
)
"""Where the things come first: “For each talk, give the title and the date”."""
EACH = compiled(rf"\b{one_of('each_one')}\s+$")
"""What stands before one thing where several are meant, in the language whose plurals are known."""
COLLECTIVE = frozenset[str](_DATA["collective"])
AFTER_NOUN = compiled(r"[,:(\[{]|\s+(?:and|as|that|which|where|under|in|at|on|for)\b")
