"""The orders of a goal, one after the other: only those that say what to read are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.localagent.page.grammar import (
    ASKING,
    MORE_THAN_A_NAME,
    ORDER,
    PARTICLES,
    SENTENCE_ENDS,
    THINKING,
    UNKNOWN_ORDER,
    VERBAL_NOUNS,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Iterator


def clauses_of(text: str) -> list[str]:
    """Give what stands after each verb that says to read something, up to the next order.

    A text that orders nothing and asks no question names what is wanted, and is one clause a sentence. Where
    all that it orders is to be done (“Click on Login”), there is nothing to read.
    """
    sentences = [one.strip() for one in SENTENCE_ENDS.split(text) if one.strip()]
    orders = [(sentence, list(_orders(sentence))) for sentence in sentences]
    if not any(found for _, found in orders):
        return [
            PARTICLES.sub("", one) for one in sentences if not (ASKING.match(one) or UNKNOWN_ORDER.match(one))
        ]
    clauses = []
    for sentence, found in orders:
        ends = [*(order.start() for order in found[1:]), len(sentence)][: len(found)]
        for order, end in zip(found, ends, strict=True):
            if order["read"] and (said := PARTICLES.sub("", sentence[order.end() : end]).strip(" ,")):
                clauses.append(said)
    return clauses


def is_for_thought(text: str) -> bool:
    """Whether a goal orders what no reading of a page does: “compare”, “translate”."""
    orders = (order for sentence in SENTENCE_ENDS.split(text) for order in _orders(sentence.strip()))
    return any((order["act"] or "").lower() in THINKING for order in orders)


def _orders(sentence: str) -> Iterator[re.Match[str]]:
    """Find where orders begin; a word that is a noun as well begins one where more than a name follows."""
    for order in ORDER.finditer(sentence):
        is_first = order.start() == 0
        is_full = bool(MORE_THAN_A_NAME.match(sentence, order.end()))
        if order["read"]:
            is_order = is_first or is_full or order["read"].lower() not in VERBAL_NOUNS
        else:
            is_order = is_full or (is_first and order["act"] is not None)
        if is_order:
            yield order
