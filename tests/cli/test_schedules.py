"""Starts by a schedule, in virtual time: overlaps, missed periods, daylight saving, clocks that are set."""

from __future__ import annotations

import json
import os
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

import pytest

from batchfish.cli.agreement import Agreement
from batchfish.cli.batch_choice import begin_or_amend, choose_batch
from batchfish.cli.factory import owned_journal
from batchfish.errors import BatchBusy, WrongInput
from batchfish.journal.row_file import RowFile
from batchfish.manifest.load import load_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from batchfish.journal.sqlite import SqliteJournal
    from batchfish.manifest.manifest import Manifest

API = "https://api.example"
ZONES = (
    "Africa/Casablanca",  # daylight saving all year but for Ramadan
    "America/New_York",
    "America/St_Johns",
    "Antarctica/Troll",  # two hours at once
    "Australia/Lord_Howe",  # half an hour
    "Europe/Berlin",
)


class Schedule:
    """A manifest that is started at given moments; each start chooses its batch as `run` does."""

    def __init__(self, journal: SqliteJournal, manifest: Manifest) -> None:
        self.journal = journal
        self.manifest = manifest
        self.number = 0

    def start(self, moment: datetime) -> str:
        """Begin or continue the batch of this moment, and return its full name."""
        self.number += 1
        now = moment.timestamp()
        with RowFile() as rows:
            self.manifest.check(rows)
            choice = choose_batch(
                self.journal.reader, self.manifest, rows, recorded_as=API, now=now, begins_new=False
            )
        begin_or_amend(self.journal, self.manifest, choice, base_url=API, now=now, can_search=True)
        return choice.name

    def batches(self) -> list[str]:
        return [batch.name for batch in self.journal.reader.batches()]


@contextmanager
def scheduled(folder: Path, period: str) -> Iterator[Schedule]:
    path = folder / f"{period}.json.yaml"
    items = [{"id": "i1", "url": "https://shop.example/1"}]
    text = {
        "batchfish": 1,
        "name": "shop",
        "period": period,
        "defaults": {"goal": "Read it."},
        "items": items,
    }
    path.write_text(json.dumps(text))
    with owned_journal(folder / f"{period}.db", Agreement()) as journal:
        yield Schedule(journal, load_manifest(path))


@pytest.fixture
def daily(tmp_path: Path) -> Iterator[Schedule]:
    """Return the schedule of a manifest with a period of a day."""
    with scheduled(tmp_path, "day") as schedule:
        yield schedule


def fires(zone: str, first: datetime, days: int, hours: set[int]) -> Iterator[datetime]:
    """Yield the moments at which cron starts `10 HOURS * * *` by the local time of a zone.

    It looks at the clock each minute, so that a repeated hour starts twice and a skipped one never.
    """
    for minute in range(days * 24 * 60):
        moment = first + timedelta(minutes=minute)
        local = moment.astimezone(ZoneInfo(zone))
        if local.minute == 10 and local.hour in hours:
            yield moment


def transitions(zone: str, year: int) -> list[datetime]:
    """Return the days of a year, in UTC, in which the offset of a zone changes."""
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(366)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return [days[at] for at in range(365) if offsets[at] != offsets[at + 1]]


def check_days(zone: str, daily: Schedule) -> int:
    """Start the schedule around each change of a zone's offset; return the number of changes."""
    changes = transitions(zone, 2026)
    for day in changes:
        chosen = set()
        for moment in fires(zone, day - timedelta(days=1), 3, {0, 1, 2, 3, 23}):
            assert daily.start(moment) == f"shop@{moment:%Y-%m-%d}"
            chosen.add(f"{moment:%Y-%m-%d}")
        assert sorted(chosen) == [f"{day + timedelta(days=one):%Y-%m-%d}" for one in (-1, 0, 1)]
    assert len(daily.batches()) == len(set(daily.batches())) == 3 * len(changes)
    return len(changes)


@pytest.mark.parametrize("zone", ZONES)
def test_changes_of_daylight_saving_neither_repeat_nor_skip_a_day(zone: str, daily: Schedule) -> None:
    assert check_days(zone, daily) == 2


@pytest.mark.slow
def test_no_zone_repeats_or_skips_a_day(tmp_path: Path) -> None:
    """Zones whose clocks show the same all year are checked once."""
    year = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(366)]
    kinds = {
        tuple(day.astimezone(ZoneInfo(zone)).utcoffset() for day in year): zone
        for zone in available_timezones()
    }
    changes = 0
    for number, zone in enumerate(kinds.values()):
        (folder := tmp_path / str(number)).mkdir()
        with scheduled(folder, "day") as daily:
            changes += check_days(zone, daily)
    assert changes > 40


def test_an_hour_that_is_repeated_is_two_periods_of_an_hour(tmp_path: Path) -> None:
    with scheduled(tmp_path, "hour") as hourly:
        for moment in fires("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), 1, {1, 2, 3}):
            hourly.start(moment)
        assert hourly.batches() == [f"shop@2026-10-{day}" for day in ("24T23", "25T00", "25T01", "25T02")]


def test_the_later_starts_of_a_period_find_its_batch(daily: Schedule) -> None:
    first = datetime(2026, 11, 24, 5, 10, tzinfo=UTC)
    assert {daily.start(first + timedelta(hours=hours)) for hours in (0, 2, 4, 18)} == {"shop@2026-11-24"}


def test_periods_that_were_missed_stay_missed(daily: Schedule) -> None:
    first = datetime(2026, 11, 24, 5, 10, tzinfo=UTC)
    for days in (0, 1, 5, 40):
        daily.start(first + timedelta(days=days))
    assert daily.batches() == [
        f"shop@{day}" for day in ("2026-11-24", "2026-11-25", "2026-11-29", "2027-01-03")
    ]


@pytest.mark.parametrize("seconds", [-3600, -60, 60, 3600])
def test_a_clock_that_is_corrected_within_a_period_changes_nothing(daily: Schedule, seconds: int) -> None:
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert daily.start(noon) == daily.start(noon + timedelta(seconds=seconds))


def test_a_clock_that_is_set_back_runs_no_period_again(daily: Schedule) -> None:
    """A clock that was ahead has begun a period too early: until it comes, starts are refused."""
    today = datetime(2026, 11, 24, 12, tzinfo=UTC)
    daily.start(today)
    daily.start(today + timedelta(days=2))
    for days in (0, 1):
        with pytest.raises(WrongInput, match="Is the clock right"):
            daily.start(today + timedelta(days=days))
    assert daily.start(today + timedelta(days=2, hours=3)) == "shop@2026-11-26"
    assert daily.start(today + timedelta(days=3)) == "shop@2026-11-27"
    assert len(daily.batches()) == 3


def test_of_many_starts_at_once_one_owns_the_batch(tmp_path: Path) -> None:
    path, busy = tmp_path / "shop.db", 0
    with owned_journal(path, Agreement()):
        for _ in range(59):
            with pytest.raises(BatchBusy, match="another process"), owned_journal(path, Agreement()):
                pass
            busy += 1
    with owned_journal(path, Agreement()):
        assert busy == 59


def test_a_start_that_waits_goes_on_when_the_owner_has_ended(tmp_path: Path) -> None:
    path, waited, told = tmp_path / "shop.db", [], list[str]()
    with ExitStack() as owner:
        owner.enter_context(owned_journal(path, Agreement()))

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 600:
                owner.close()

        with owned_journal(path, Agreement(), on_wait=told.append, sleep=sleep) as journal:
            assert list(journal.reader.batches()) == []
    assert waited == [1.0] * 600
    busy = f"{path}: another process (pid {os.getpid()}) is working on it"
    assert told == [f"{busy}; waiting until it has ended"]
