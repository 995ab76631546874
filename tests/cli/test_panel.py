"""The live panel of `status --watch`: what it shows, on which terminals, and how it ends."""

from __future__ import annotations

import io
import os
import pty
import sys
import termios
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from rich.console import Console

from batchfish.cli.counts import Counts
from batchfish.cli.panel import PanelFacts, render
from batchfish.journal.records import LatestFailure
from tests.cli.test_progress import as_shown
from tests.endtoend.commands import Desk
from tests.endtoend.serving import PATIENCE

if TYPE_CHECKING:
    from tests.cli.shop import Shop

HOSTILE = "\x1b[2J\u202e[bold red]Access denied[/]\r\nnext\x07"
FACTS = PanelFacts(
    name="prices",
    counts=Counts(by_status={"queued": 5, "running": 3, "succeeded": 11, "failed": 1}),
    is_changing=True,
    now=1_000.0,
    pace="12 a minute, about 40s left",
    cost="31 steps, $0.47 spent",
    settings="paused, concurrency 20",
    next_step="process 7 is working on it",
    held="1 attempt is waiting: batchfish held list --batch prices",
    ages=[0.5, 9.9, 10.0, 299.0, 4_000.0],
    failures=[LatestFailure("walden", "check_failed", HOSTILE, 940.0)],
)


def drawn(facts: PanelFacts, *, width: int = 120, encoding: str = "utf-8") -> str:
    """Return what a terminal of this width shows."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width, force_terminal=True, color_system=None)
    console.print(render(facts))
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(encoding)


def test_it_shows_all_that_is_known() -> None:
    text = drawn(FACTS)
    for said in (
        "prices",
        "12 of 20 done",
        "5 queued, 3 running, 11 succeeded, 1 failed",
        "12 a minute, about 40s left",
        "5 runs: 2 up to 10s, 1 up to 1m, 1 up to 5m, 1 over 1h",
        "31 steps, $0.47 spent",
        "paused, concurrency 20",
        "1 attempt is waiting",
        "process 7 is working on it",
        "1m ago",
        "check_failed",
    ):
        assert said in text


def test_what_is_not_known_takes_no_line() -> None:
    text = drawn(replace(FACTS, pace="", cost="", settings="", held="", ages=[], failures=[]))
    assert not any(word in text for word in ("pace", "cost", "set ", "held", "alive", "failures"))


def test_text_of_a_page_controls_neither_terminal_nor_style() -> None:
    text = drawn(FACTS)
    assert "[bold red]Access denied" in text
    assert not set("\x07\r\u202e") & set(text.replace("\r\n", "\n"))
    assert "\x1b[2J" not in text


@pytest.mark.parametrize("width", [20, 40, 300])
def test_it_fits_any_terminal(width: int) -> None:
    assert all(len(line) <= width for line in drawn(FACTS, width=width).splitlines())


def test_a_terminal_without_unicode_gets_ascii() -> None:
    assert "12 of 20 done" in drawn(replace(FACTS, failures=[]), encoding="ascii")


@pytest.mark.process
def test_on_a_terminal_it_ends_with_the_batch(shop: Shop) -> None:
    shop.write(1, 2)
    shop.run()
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 100))
    raw = b""
    desk = Desk(
        folder=shop.command.folder,
        base_url=shop.server.base_url,
        env={"TERM": "xterm"},
        started=shop.command.started,
    )
    process = desk.start("status", shop.name, "--watch", stdout=end)
    os.close(end)
    try:
        while part := os.read(terminal, 4096):
            raw += part
    except OSError:  # the process has ended, and with it the terminal's other side
        pass
    finally:
        os.close(terminal)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert any("2 of 2 done" in line for line in as_shown(raw.decode()))


def test_without_a_terminal_each_change_is_a_line(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.write(1)
    shop.run()
    outcome = shop.command("status", shop.name, "--watch")
    assert outcome.out == f"{shop.name}: 1 of 1 done (1 succeeded); 1 step\n"
    monkeypatch.setitem(sys.modules, "rich", None)
    assert shop.command("status", shop.name, "--watch").out == outcome.out


def test_a_batch_that_no_process_works_on_is_not_waited_for(shop: Shop) -> None:
    shop.write(1, 2)
    shop.run("--limit", "1")
    out = shop.command("status", shop.name, "--watch").out
    assert out.endswith(f"no process is working on it; go on with: batchfish resume {shop.name}\n")
