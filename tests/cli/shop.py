"""A batch of a few items at a server that other tests use as well: its name and URLs are this test's own."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchfish.cli.system_clock import SystemClock
from tests.endtoend.commands import Desk, JournalView, read_table

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Mapping
    from pathlib import Path

    from tests.cli.conftest import Command, Outcome
    from tests.endtoend.books import Booked
    from tests.endtoend.serving import Server

SETTLE = ("--settle", "2s")


@dataclass(frozen=True, slots=True)
class Shop:
    """A manifest, its journal, and the server at which it is run."""

    command: Command
    server: Server
    name: str

    @property
    def file(self) -> Path:
        return self.command.folder / f"{self.name}.csv"

    @property
    def journal(self) -> JournalView:
        return JournalView(self.command.folder / ".batchfish" / f"{self.name}.db")

    def url(self, item: int) -> str:
        return f"https://{self.name}.example/{item}"

    def write(self, *items: int, ids: bool = True, goals: Mapping[int, str] | None = None) -> None:
        """Write the CSV: with or without ids, with a goal of each row's own where `goals` are given."""
        columns = [*(["id"] if ids else []), "url", *(["goal"] if goals is not None else [])]
        rows = [
            [
                *([f"i{item}"] if ids else []),
                self.url(item),
                *([goals.get(item, "Read it.")] if goals is not None else []),
            ]
            for item in items
        ]
        self.file.write_text("".join(",".join(row) + "\n" for row in (columns, *rows)))

    def write_manifest(self, *items: int, rules: str = "") -> str:
        """Write a YAML manifest with these rules; return its name."""
        rows = "".join(f"  - {{id: i{item}, url: '{self.url(item)}'}}\n" for item in items)
        text = f"batchfish: 1\nname: {self.name}\ndefaults: {{goal: Read it.}}\nitems:\n{rows}{rules}"
        path = self.file.with_suffix(".yaml")
        path.write_text(text)
        return path.name

    def run(self, *flags: str, goal: str | None = "Read it.") -> Outcome:
        """Run the CSV in this process."""
        return self.command(
            "run", self.file.name, *([] if goal is None else ["--goal", goal]), *SETTLE, *flags
        )

    def start(self, *flags: str, **streams: int) -> subprocess.Popen[str]:
        """Run the CSV in a process of its own."""
        desk = Desk(folder=self.command.folder, base_url=self.server.base_url, started=self.command.started)
        return desk.start("run", self.file.name, "--goal", "Read it.", *SETTLE, *flags, **streams)

    def up_to(self, runs: int) -> tuple[str, str]:
        """Return options by which a run in this process stops, its time over, once so many runs were made.

        The boot-time clock is an hour ahead from then on.
        """
        boottime = SystemClock.boottime

        def ahead(clock: SystemClock) -> float:
            return boottime(clock) + (3600.0 if len(self.paid()) >= runs else 0.0)

        self.command.monkeypatch.setattr(SystemClock, "boottime", ahead)
        return ("--max-duration", "30m")

    def runs(self) -> list[Booked]:
        """Return this batch's runs, as the server has stored them."""
        return self.server.books.runs(below=f"https://{self.name}.example/")

    def paid(self) -> list[int]:
        """Return the numbers of the items that were paid for, one for each run."""
        return sorted(int(run.url.rpartition("/")[2]) for run in self.runs())

    def table(self) -> list[dict[str, Any]]:
        return list(read_table(self.command.folder / "results" / f"{self.name}.parquet"))


def open_shop(command: Command, server: Server, test: str) -> Shop:
    """Return a batch with a name of the test's own at a server, which the environment then names."""
    command.use(server.base_url)
    return Shop(command, server, f"s{zlib.crc32(test.encode()):x}")
