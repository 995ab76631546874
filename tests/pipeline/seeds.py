"""Seeds of histories: the first few on every run of the tests, the others in the long sweep."""

from __future__ import annotations

from typing import Any

import pytest


def seeds(first: int, *, of: int) -> list[Any]:
    """Return the seeds below `of` as parameters; those from `first` on are marked slow."""
    return [*range(first), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(first, of))]
