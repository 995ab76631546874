"""Fixtures: a journal in a real file for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.journal.sqlite import SqliteJournal
from tests.journal.building import Driver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "books.db"


@pytest.fixture
def journal(path: Path) -> Iterator[SqliteJournal]:
    journal = SqliteJournal(path)
    yield journal
    journal.close()


@pytest.fixture
def driver(journal: SqliteJournal) -> Driver:
    return Driver(journal=journal)
