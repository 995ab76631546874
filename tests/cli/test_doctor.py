"""`doctor`: each thing that can be wrong is found, with what to do about it, and no run is made."""

from __future__ import annotations

import fcntl
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from batchfish.cli import diagnosis
from batchfish.cli.agreement import Agreement
from batchfish.cli.diagnosis import Finding, State
from batchfish.cli.factory import owned_journal
from batchfish.cli.system_clock import SystemClock
from batchfish.core.runs import RunSnapshot
from batchfish.errors import NotPermitted, WebAgentUnavailable, WrongInput
from batchfish.webagent.base import Listing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from batchfish.errors import BatchfishError
    from tests.cli.conftest import Command
    from tests.endtoend.serving import Server

NOW = 1_790_000_000.0
MARKED = RunSnapshot(run_id="r1", status="COMPLETED", goal="Read it.\n[ref bf-abcdefgh-abcdefghijklm-1.]")
ANSWER = Listing(rows=(MARKED,), is_complete=True, total=1, server_date=NOW)


@dataclass(frozen=True, slots=True)
class Agent:
    """An API that answers a listing like this, and nothing else."""

    answer: Listing | BatchfishError

    async def find_by_marker(
        self, text: str, *, limit: int | None = None, since: float | None = None
    ) -> Listing:
        assert text == "[ref bf-"
        if isinstance(self.answer, Listing):
            return self.answer
        raise self.answer


class FixedClock(SystemClock):
    """A clock that stands still."""

    def now(self) -> float:
        return NOW


async def checked(answer: Listing | BatchfishError, **env: str) -> dict[str, Finding]:
    found = await diagnosis.check_api(Agent(answer), "https://api.example", FixedClock(), env)  # type: ignore[arg-type]
    return {one.check: one for one in found}


def wrong(findings: Iterable[Finding]) -> list[Finding]:
    found = [one for one in findings if one.state is State.WRONG]
    assert all(one.remedy for one in found)
    return found


async def test_an_api_that_answers_well_is_fine() -> None:
    found = await checked(ANSWER)
    assert list(found) == ["key", "API", "clock", "markers"]
    assert {one.state for one in found.values()} == {State.OK}


@pytest.mark.parametrize(
    ("error", "check", "remedy"),
    [
        (NotPermitted("401"), "key", "TINYFISH_API_KEY"),
        (WebAgentUnavailable("ConnectError"), "API", "HTTPS_PROXY"),
        (WrongInput("404 Not Found"), "API", "--base-url"),
    ],
)
async def test_a_listing_that_fails_says_what_to_correct(
    error: BatchfishError, check: str, remedy: str
) -> None:
    (only,) = wrong((await checked(error)).values())
    assert only.check == check
    assert remedy in (only.remedy or "")


async def test_an_address_from_the_environment_is_named() -> None:
    found = await checked(WebAgentUnavailable("ConnectError"), BATCHFISH_BASE_URL="https://old.example")
    assert "BATCHFISH_BASE_URL is set" in (found["API"].remedy or "")


@pytest.mark.parametrize(
    ("server_date", "state", "said"),
    [
        (NOW + 5, State.OK, "agrees"),
        (NOW - 300, State.WRONG, "5m ahead of the API's"),
        (NOW + 7200, State.WRONG, "2h behind the API's"),
        (None, State.NOTE, "sends no date"),
    ],
)
async def test_a_clock_that_is_wrong_is_found(server_date: float | None, state: State, said: str) -> None:
    clock = (await checked(replace(ANSWER, server_date=server_date)))["clock"]
    assert (clock.state, said in clock.message) == (state, True)


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ((), State.OK),
        ((MARKED, replace(MARKED, goal=None)), State.WRONG),
        ((replace(MARKED, goal="Read it."),), State.WRONG),
    ],
)
async def test_listings_that_hide_markers_are_found(rows: tuple[RunSnapshot, ...], state: State) -> None:
    assert (await checked(replace(ANSWER, rows=rows)))["markers"].state is state


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return a journal that nobody owns."""
    path = tmp_path / "shop.db"
    with owned_journal(path, Agreement()):
        pass
    return path


def test_a_journal_in_order_is_fine(journal: Path) -> None:
    found = list(diagnosis.check_journals([journal], journal.parent))
    assert [(one.check, one.state) for one in found] == [("file system", State.OK), ("journal", State.OK)]


def test_a_damaged_journal_is_found(journal: Path) -> None:
    size = journal.stat().st_size
    with journal.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 4))
    (only,) = wrong(diagnosis.check_journals([journal], journal.parent))
    assert "backup" in (only.remedy or "")


def test_a_copied_journal_is_found(journal: Path) -> None:
    copied = journal.with_name("copied.db")
    shutil.copy(journal, copied)
    (only,) = wrong(diagnosis.check_journals([journal, copied], journal.parent))
    assert "--accept moved-journal" in (only.remedy or "")
    assert str(copied) in only.message


def test_a_file_that_is_no_journal_is_found(journal: Path) -> None:
    journal.write_text("not a database, and long enough to be taken for one" * 100)
    assert len(wrong(diagnosis.check_journals([journal], journal.parent))) == 1


def test_a_file_system_without_locks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    (only,) = wrong(diagnosis.check_journals([], tmp_path))
    assert "a lock keeps nobody out" in only.message


def test_a_folder_that_cannot_be_written_is_found(tmp_path: Path) -> None:
    (only,) = wrong(diagnosis.check_journals([], tmp_path / "nosuch"))
    assert "No such file" in only.message


@pytest.mark.parametrize(
    ("free", "state", "size"),
    [
        (10**12, State.OK, "1,000.0 GB"),
        (5 * 10**8, State.NOTE, "500.0 MB"),
        (284_000, State.WRONG, "0.3 MB"),
    ],
)
def test_a_full_disk_is_found(tmp_path: Path, free: int, state: State, size: str) -> None:
    found = diagnosis.check_disk(tmp_path, free)
    assert found.state is state
    assert found.message == f"{tmp_path}: {size} free"


def test_a_missing_browser_is_a_note(tmp_path: Path) -> None:
    found = diagnosis.check_local_agent(tmp_path / "nosuch")
    assert (found.state, "--chromium" in (found.remedy or "")) == (State.NOTE, True)


@pytest.mark.process
def test_with_a_key_that_is_accepted_nothing_is_wrong(command: Command, quick: Server) -> None:
    before = len(quick.books.runs())
    command.use(quick.base_url)
    done = command("doctor", "--json")
    assert (done.code, done.summary["ok"]) == (0, True)
    assert {one["check"] for one in done.summary["checks"]} >= {"key", "API", "clock", "markers", "disk"}
    assert len(quick.books.runs()) == before
    assert not (command.folder / ".batchfish").exists()


@pytest.mark.process
def test_a_key_that_is_refused_is_wrong(command: Command, quick: Server) -> None:
    command.use(quick.base_url, key="sk-another")
    done = command("doctor", "-q")
    assert done.code == 1
    assert done.out.startswith("wrong key ")
    assert "ok " not in done.out
    assert "sk-another" not in done.out + done.err


def test_without_a_key_the_rest_is_checked_all_the_same(command: Command) -> None:
    done = command("doctor")
    assert (done.code, "\nok    disk " in done.out) == (1, True)
    message, remedy, *_ = done.out.splitlines()
    assert message.startswith("wrong access ")
    assert "TINYFISH_API_KEY" in remedy


@pytest.mark.process
def test_the_local_agent_is_checked_like_an_api(command: Command) -> None:
    done = command("doctor", "--local", "--engine", "simulate", "--simulate", "duration=0", "--json")
    assert (done.code, done.summary["ok"]) == (0, True)


def test_a_journal_that_is_named_has_to_be_there(command: Command) -> None:
    done = command("doctor", "--journal", "nosuch.db")
    assert (done.code, "there is no journal nosuch.db" in done.err) == (2, True)
