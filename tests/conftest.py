"""How hard hypothesis tries, how tests are collected, and how local agents are started: for all tests."""

from __future__ import annotations

import gc
import os
import re
from pathlib import Path
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

SHELLS_OWN = re.compile(r"TINYFISH_\w+|BATCHFISH_\w+|(?i:\w+_proxy)|COLUMNS|LINES")


def pytest_configure(config: pytest.Config) -> None:
    """Collect other files first in each worker: what one worker has compiled, the others only load.

    In a fresh checkout that is half of the time of the collection.
    """
    worker = getattr(config, "workerinput", None)
    if worker is not None and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        files = sorted(str(file) for file in Path(__file__).parent.rglob("test_*.py"))
        first = len(files) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
        config.args = files[first:] + files[:first]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests into the same order in all workers."""
    items.sort(key=lambda item: item.path)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Collect no garbage while tests are collected, nor later among what stays to the end."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def plain_environment() -> Iterator[None]:
    """Remove what a shell may set for an API, a proxy, a model or a terminal: tests set their own."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if SHELLS_OWN.fullmatch(name):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def forked_agents() -> Iterator[None]:
    """Fork the local agents that commands start in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "posix_spawn", forking.posix_spawn)
        yield
