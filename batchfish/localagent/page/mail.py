"""Addresses of mail that are written so that no machine should read them: “info [at] firm [dot] example”."""

from __future__ import annotations

import re

_AT, _DOT = r"(?:at|ät|@|arroba|chiocciola|malpa)", r"(?:dot|punkt|point|punto|\.)"
AT = re.compile(rf"\s*(?:\[\s*{_AT}\s*\]|\(\s*{_AT}\s*\)|\{{\s*{_AT}\s*\}})\s*", re.IGNORECASE)
DOT = re.compile(rf"\s*(?:\[\s*{_DOT}\s*\]|\(\s*{_DOT}\s*\)|\{{\s*{_DOT}\s*\}})\s*", re.IGNORECASE)
SPELLED = re.compile(r"([\w.+-]+) at ([\w-]+(?: dot [\w-]+)+)", re.IGNORECASE)
"""Words alone mean so only together: “info at firm dot example”."""


def unveiled(text: str) -> str:
    """Write the addresses of mail in a text as they are meant."""
    return SPELLED.sub(_spelled, DOT.sub(".", AT.sub("@", text)))


def _spelled(found: re.Match[str]) -> str:
    return f"{found[1]}@{re.sub(' dot ', '.', found[2], flags=re.IGNORECASE)}"
