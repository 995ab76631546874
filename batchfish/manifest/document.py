"""A document as it was read: its value, the line of each part, and the faults of its notation."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct

from batchfish.core.describe import Keys

MAX_DEPTH = 50
"""The number of levels to which the values of a manifest and of its rows may be nested."""

Lines: TypeAlias = dict[Keys, int]
"""The line of each part of a value, by its path; the empty path is the value itself."""


class YamlFault(Struct, frozen=True, kw_only=True):
    """Notation that a manifest does not allow, such as an alias; reading goes on behind it."""

    line: int
    message: str
    remedy: str


class PassedOver(Struct, frozen=True, kw_only=True):
    """A list that was skipped, with the number of its entries."""

    count: int


class Document(Struct, frozen=True, kw_only=True):
    """A value read from YAML, with the lines of its parts and the faults of its notation."""

    value: Any
    lines: Lines
    faults: tuple[YamlFault, ...] = ()

    def line_of(self, keys: Keys) -> int:
        """Return the line of a key, or of the nearest key around it."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return self.lines.get(keys, 1)
