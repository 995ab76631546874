"""Durations, shares and counts as people write them, in manifests and flags alike."""

from __future__ import annotations

import re

from batchfish.core.describe import quote
from batchfish.core.rules import Share
from batchfish.manifest.problems import Refused

MAX_DURATION = 366 * 86400.0
_WHOLE = 100
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|m|h|d)", re.ASCII)
_SHARE = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(%?)", re.ASCII)


def parse_duration(text: object) -> float:
    """Read `10m`, `2h`, `1d`, `30s` or `250ms` as seconds; Refused where it is none or more than a year."""
    found = _DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise Refused(
            f"expected a duration, got {quote(text)}", "Write it with its unit: 250ms, 30s, 10m, 2h, 1d."
        )
    seconds = float(found[1]) * _SECONDS[found[2]]
    if not 0 < seconds <= MAX_DURATION:
        raise Refused(f"the duration {quote(text)} is out of range", "It is more than 0 and at most 366d.")
    return seconds


def parse_share(value: object) -> Share:
    """Read `20%` as a share and `20` as a count; Refused where it is neither."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    found = _SHARE.fullmatch(text.strip()) if isinstance(text, str) else None
    remedy = "Write a share as 20%, a count as a whole number."
    if found is None:
        raise Refused(f"expected a share or a count, got {quote(value)}", remedy)
    number, is_percent = float(found[1]), found[2] == "%"
    if (is_percent and number > _WHOLE) or (not is_percent and not number.is_integer()):
        raise Refused(f"{quote(value)} is neither a share of at most 100% nor a whole number", remedy)
    return Share(value=number, is_percent=is_percent)


def parse_count(value: object, *, least: int = 1, most: int = 1_000_000) -> int:
    """Take a whole number between two bounds; Refused where it is none."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Refused(f"expected a whole number from {least:,} to {most:,}, got {quote(value)}")
    return value
