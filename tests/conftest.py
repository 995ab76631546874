"""How hard hypothesis tries, and how local agents are started: for all tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import forking

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same examples on every fast run, many new ones when all tests run.
# No deadline: tests share the cores with others, and a slow example is not a wrong one.
settings.register_profile("fast", deadline=None, derandomize=True, max_examples=40)
settings.register_profile("thorough", deadline=None, max_examples=500, print_blob=True)
settings.load_profile("fast")


@pytest.fixture(scope="session", autouse=True)
def forked_agents() -> Iterator[None]:
    """Fork the local agents that commands start in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "posix_spawn", forking.posix_spawn)
        yield
