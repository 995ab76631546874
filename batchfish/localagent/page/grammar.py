"""The words of `grammar.toml` as the patterns that goals are taken apart with."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

_DATA = tomllib.loads(files(__package__).joinpath("grammar.toml").read_text("utf-8"))


def _one_of(name: str) -> str:
    """Give a pattern for any of the phrases of a list, the longest first; spaces are any space."""
    phrases = sorted(_DATA[name], key=len, reverse=True)
    return "(?:" + "|".join(re.escape(phrase).replace(r"\ ", r"\s+") for phrase in phrases) + ")"


def _compile(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | flags)


NUMBERS: dict[str, int] = _DATA["numbers"]
SINGLE = frozenset[str](_DATA["single"])
_NUMBER = rf"(\d{{1,4}}|{'|'.join(NUMBERS)})"

REFERENCE = _compile(r"\s*\[ref [^\]]*\]\s*$")
"""The marker at the end of a goal, which is for those who look a run up."""
VERB = _compile(rf"\b{_one_of('verbs')}\b\s+")
DETERMINERS = _compile(rf"^(?:{_one_of('determiners')}\s+)+")
TOP = _compile(rf"\b{_one_of('first')}\s+{_NUMBER}\b")
PAGES = _compile(rf"\b(?:first|top|next|up\s+to)\s+{_NUMBER}\s+pages\b|\b{_NUMBER}\s+pages\b")
ALL_PAGES = _compile(rf"\b{_one_of('all_pages')}\b")
SEVERAL = _compile(rf"\b{_one_of('several')}\b")
WITH = _compile(rf"\s+{_one_of('with')}\s+")
COLON = _compile(r"\s*:\s+")
BRACKET = _compile(r"\s*\((?=[^()]*,)")
KEYS = _compile(rf"\b{_one_of('keys')}\b(?:\s+(?:are|of|named|called))?\s*[:=]?\s*(.+)", re.DOTALL)
ENDS = _compile(rf"[.;!?\n](?:\s|$)|(?:^|\s+){_one_of('ends')}\b")
AND = _compile(rf"\s*(?:,\s*{_one_of('and')}\s+|,|;|\s+(?:{_one_of('and')}|&)\s+)\s*")
LEADING = _compile(rf"^(?:{_one_of('leading')}\s+)+")
YES_OR_NO = _compile(r"\s*(?:whether|if)\s")
BULLET = _compile(
    r"^[^\S\n]*(?:[-*•]|\d{1,2}[.)])\s+[`\"“]?([a-zÀ-ÿ_][\wÀ-ÿ ./-]{0,50}?)[`\"”]?[^\S\n]*"
    r"(?:[:(–—-][^\S\n]*(.*))?$",
    re.MULTILINE,
)
AFTER_NOUN = _compile(r"[,:(\[{]|\s+(?:and|as|that|which|where|under|in|at)\b")
