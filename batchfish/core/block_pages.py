"""The words of block pages and human checks, and the search for them in results."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from batchfish.core.describe import cut

LONGEST_BLOCK_TEXT = 120
"""A longer text tells of something else, even if it begins with the words of a block page."""

_SHOWN = 120
_WORDS = (
    "403 forbidden",
    "access denied",
    "access to this page has been denied",
    "are you a robot",
    "are you human",
    "attention required! | cloudflare",
    "bot detected",
    "checking if the site connection is secure",
    "checking your browser",
    "complete the captcha",
    "confirm you are human",
    "ddos protection by",
    "enable javascript and cookies to continue",
    "error 1020",
    "just a moment...",
    "pardon our interruption",
    "please complete the security check",
    "please verify you are",
    "press & hold to confirm",
    "prove you are human",
    "request blocked",
    "robot or human",
    "sorry, you have been blocked",
    "unusual traffic from your computer network",
    "verify that you are not a robot",
    "verify you are human",
    "verifying you are human",
    "you have been blocked",
)


class BlockSearch(StrEnum):
    """The search of results for block pages: none, for such texts, or for such words in any text."""

    OFF = "off"
    STRICT = "strict"
    LOOSE = "loose"


def find_block_page(result: object, search: BlockSearch) -> str | None:
    """Return the first text of a result that a block page would show, with its path; None without one.

    `strict` finds texts of at most LONGEST_BLOCK_TEXT characters that begin with the words of a block page,
    `loose` finds these words anywhere in a text.
    """
    if search is BlockSearch.OFF:
        return None
    open_values: list[tuple[str, Any]] = [("result", result)]
    while open_values:
        path, value = open_values.pop()
        match value:
            case Mapping():
                members = [(f"{path}.{cut(str(name), 40)}", one) for name, one in value.items()]
                open_values += reversed(members)
            case list():
                open_values += reversed([(f"{path}[{index}]", one) for index, one in enumerate(value)])
            case str() if _is_of_block_page(value, search):
                return f"{path} is {cut(' '.join(value.split()), _SHOWN)!r}"
    return None


def _is_of_block_page(text: str, search: BlockSearch) -> bool:
    words = " ".join(text.lower().split())
    if search is BlockSearch.LOOSE:
        return any(known in words for known in _WORDS)
    return len(words) <= LONGEST_BLOCK_TEXT and words.startswith(_WORDS)
