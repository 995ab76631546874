"""Many starts of one manifest at once: one works on it, the others leave and say try later."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.endtoend.commands import Desk
from tests.endtoend.serving import serving, until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.process

ITEMS = 12
AT_THE_SIGNAL = """
import os, sys
from batchfish.cli.main import main
import batchfish.cli.commands.run
print("ready", flush=True)
os.read(int(sys.argv.pop(1)), 1)
sys.exit(main())
"""


@pytest.mark.parametrize("number", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_one_of_many_starts_owns_the_batch(tmp_path: Path, number: int) -> None:
    barrier, signal_to_start = os.pipe()
    python = (sys.executable, "-c", AT_THE_SIGNAL, str(barrier))
    with (
        serving(tmp_path / "server", "duration=0.1") as server,
        Desk(folder=tmp_path, base_url=server.base_url, python=python) as desk,
    ):
        desk.write_rows("shop.csv", ITEMS)
        command = ("run", "shop.csv", "--goal", "Read the price", "-j", "5", "--settle", "2s")
        starts = [desk.start(*command, pass_fds=[barrier]) for _ in range(number)]
        os.close(barrier)
        for start in starts:
            assert start.stdout is not None
            assert start.stdout.readline() == "ready\n"
        # While the server stands still no owner can end: whoever comes last still finds one.
        server.process.send_signal(signal.SIGSTOP)
        os.close(signal_to_start)
        until(lambda: sum(start.poll() is not None for start in starts) == number - 1)
        assert server.books.count() == 0
        server.process.send_signal(signal.SIGCONT)
        ended = [(start.communicate(), start.returncode) for start in starts]
        assert sorted(code for _, code in ended) == [0] + [os.EX_TEMPFAIL] * (number - 1)
        owner = next(start for start in starts if start.returncode == 0)
        by_its_number = f"another process (pid {owner.pid}) is working on it"
        for (_, said), code in ended:
            assert code == 0 or any(who in said for who in (by_its_number, "another process is working on"))
        assert server.books.count() == ITEMS
        assert server.books.paid_twice() == {}
