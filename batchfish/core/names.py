"""The names of batches."""

from __future__ import annotations

TRY_SUFFIX = "@try"
"""The end of a name whose batches are tries of single items."""


def full_name(name: str, period: str | None, number: int) -> str:
    """Return a batch's full name: `name`, `name@2026-11-24`, `name.2` or `name@2026-11-24.2`."""
    return name + (f"@{period}" if period else "") + (f".{number}" if number > 1 else "")
