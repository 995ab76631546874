"""What a text says of whether something can be had."""

from __future__ import annotations

import re

from batchfish.localagent.page.vocabulary import STOCK

SHORT_NOTICE, LONGEST_NOTICE = 40, 120
"""How long a notice is, or its first part, and how long it is with all that it goes on to say."""
NOTICE_PARTS = re.compile(r"\s[–—-]\s|[,;.:(|•·]")


def read_stock(text: str) -> bool | None:
    """Whether a text says that something can be had; None where it says nothing of it."""
    for phrase, answer in STOCK:
        if phrase in text and re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text):
            return answer
    return None


def is_stock_notice(text: str) -> bool:
    """Whether a text says whether something can be had, and hardly anything else, or that first of all."""
    plain = text.casefold().strip()
    if len(plain) > LONGEST_NOTICE or read_stock(plain) is None:
        return False
    first = NOTICE_PARTS.split(plain)[0]
    return len(plain) <= SHORT_NOTICE or (len(first) <= SHORT_NOTICE and read_stock(first) is not None)
