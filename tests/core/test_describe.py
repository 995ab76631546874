"""Texts of pages are shown without what would control a terminal or reorder words."""

from __future__ import annotations

import pytest

from batchfish.core.describe import harmless


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("café – 100 €, שלום", "café – 100 €, שלום"),
        ("\x1b[2J\x00", "\\x1b[2J\\x00"),
        ("a\u202egpj.exe", "a\\u202egpj.exe"),
        ("a\u2066b\u2069c\u200fd", "a\\u2066b\\u2069c\\u200fd"),
        ("half \ud83d of one", "half \\ud83d of one"),
        ("hidden\U000e0041", "hidden\\U000e0041"),
        ("back\rover", "back\\x0dover"),
    ],
)
def test_control_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    assert harmless(text) == shown
