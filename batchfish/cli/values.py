"""How the values of flags are read; argparse gives each complaint the name of its flag."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.core.rules import Share

T = TypeVar("T")


def variable(text: str) -> tuple[str, str]:
    """Read `name=value`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    return name, value


def duration(text: str) -> float:
    """Read a duration in seconds."""
    from batchfish.manifest.values import parse_duration

    return _read(parse_duration, text)


def share(text: str) -> Share:
    """Read a count or a share in percent."""
    from batchfish.manifest.values import parse_share

    return _read(parse_share, text)


def count(text: str) -> int:
    """Read a whole number from 1 on."""
    from batchfish.manifest.values import parse_count

    return _read(parse_count, int(text) if text.isdecimal() else text)


def _read(parse: Callable[[object], T], value: object) -> T:
    from batchfish.manifest.problems import Refused

    try:
        return parse(value)
    except Refused as error:
        remedy = f" ({error.remedy.rstrip('.')})" if error.remedy else ""
        raise argparse.ArgumentTypeError(f"{error}{remedy}") from None
