"""Names in a page's markup: which classes say what a thing is, and which only how it looks."""

from __future__ import annotations

import re

from batchfish.localagent.page.vocabulary import UTILITY_STARTS, UTILITY_WORDS

HASHED = re.compile(
    r"(?=.*\d)(?=.*[a-zA-Z])[\w-]*(?:[a-z]\d[a-z]|\d[a-z]\d|[A-Z]\w?[a-z]?\d)[\w-]*|(?:css|sc|jsx|_)-?\w{5,}"
)
SIZED = re.compile(r"-?(?:[a-z]{1,4}-)+(?:\d[\w./%-]*|\[.*\]|xs|sm|md|lg|xl|auto|full|px)")


def is_useful(name: str) -> bool:
    """Whether a class may say what an element holds, not how it is set or by which tool it was made."""
    plain = name.lower()
    if ":" in plain or len(plain) == 1 or plain in UTILITY_WORDS:
        return False
    return not (
        plain.startswith(UTILITY_STARTS)
        or SIZED.fullmatch(plain)
        or HASHED.fullmatch(name)
        or plain.isdigit()
    )
