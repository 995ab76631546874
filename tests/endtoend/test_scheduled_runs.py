"""A manifest that is run day after day on pages that change and fail: diffs, exit codes, notifications."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.documents import check_document
from tests.endtoend.commands import Desk, JournalView, read_table
from tests.endtoend.serving import serving
from tests.notify.listener import Listener, listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.process

# The command, so many seconds from now.
LATER = """
import os, sys, time
from batchfish.cli import system_clock
system_clock.SystemClock.now = lambda _: time.time() + int(os.environ["SECONDS_LATER"])
from batchfish.cli.main import main
sys.exit(main())
"""
DAY = 86_400
PAGE = """<!doctype html><html><head><title>{title}</title><script type="application/ld+json">
{{"@context": "https://schema.org", "@type": "Product", "name": "{title}",
 "offers": {{"@type": "Offer", "price": "{price}", "priceCurrency": "GBP"}}}}
</script></head><body><h1>{title}</h1><p>Price: £{price}</p></body></html>"""
MANIFEST = """\
batchfish: 1
name: prices
period: day
source: {path: rows.csv, id: id, url: "http://shop.example/{{ id }}"}
defaults:
  goal: Read the title and the price.
  output_schema:
    type: object
    properties: {title: {type: string}, price: {type: number}}
    required: [title, price]
retry: {attempts: 1}
output: {path: "{{ batch }}.parquet"}
compare: {price: 0.01}
notify:
  - webhook: {url_env: PRICES_HOOK}
    only_if: "failed > 0 or changed > 0"
"""


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A shop's pages, the manifest that reads them, who is notified, and the day."""

    desk: Desk
    listener: Listener
    day: int = 0
    ahead: int = 0

    def on_day(self, day: int) -> Shop:
        env = {"SECONDS_LATER": str(self.ahead + DAY * day), "PRICES_HOOK": self.listener.url}
        return replace(self, day=day, desk=replace(self.desk, env=env))

    def put(self, **pages: tuple[str, float] | None) -> None:
        """Write pages of a title and a price; None removes a page."""
        for name, page in pages.items():
            path = self.desk.folder / "site" / "shop.example" / f"{name}.html"
            path.parent.mkdir(parents=True, exist_ok=True)
            if page is None:
                path.unlink()
            else:
                path.write_text(PAGE.format(title=page[0], price=page[1]))

    def ask_for(self, *names: str) -> None:
        (self.desk.folder / "rows.csv").write_text("".join(f"{name}\n" for name in ("id", *names)))

    def run(self, *, expect: int) -> list[dict[str, Any]]:
        """Run the day's batch, which ends with this exit code; return the rows of its table."""
        ended = self.desk.run("run", "prices.yaml", "--json", expect=expect)
        summary = json.loads(ended.stdout.splitlines()[-1])
        return list(read_table(self.desk.folder / summary["table"]))

    def diff(self, *words: str) -> tuple[list[tuple[Any, ...]], dict[str, Any]]:
        """Return the table of changes without its URLs, and the document that `diff` prints."""
        file = f"changes-{self.day}.parquet"
        ended = self.desk.run("diff", *words, "-o", file, "-y", "--json")
        rows = [tuple(row.values()) for row in read_table(self.desk.folder / file)]
        return [(row[0], *row[2:]) for row in rows], json.loads(ended.stdout)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """Return a shop whose pages a local agent reads."""
    (tmp_path / "prices.yaml").write_text(MANIFEST)
    (tmp_path / "site" / "shop.example").mkdir(parents=True)
    later = (sys.executable, "-c", LATER)
    with (
        listening() as listener,
        serving(tmp_path / "server", site=tmp_path / "site") as server,
        Desk(folder=tmp_path, base_url=server.base_url, python=later) as desk,
    ):
        yield Shop(desk=desk, listener=listener, ahead=seconds_to_morning(time.time()))


def seconds_to_morning(now: float) -> int:
    """Return how far the clock is put forward, so that no test goes on past midnight (UTC)."""
    left = DAY - int(now) % DAY
    return left if left < DAY // 12 else 0


def test_three_days_of_prices(shop: Shop) -> None:
    shop = shop.on_day(0)
    shop.put(kim=("Kim", 7.5), emma=("Emma", 5), walden=("Walden", 12.99), gone=("Dracula", 8))
    shop.ask_for("kim", "emma", "walden", "gone")
    first = shop.run(expect=0)[0]["batch"]
    changes, document = shop.diff()
    assert [row[:3] for row in changes] == [
        (name, "added", None) for name in ("kim", "emma", "walden", "gone")
    ]
    assert (document["batch"], document["since"]) == (first, None)
    assert shop.listener.requests == [], "nothing failed, and nothing can have changed"

    shop = shop.on_day(1)  # one price falls, one page fails, one price moves by less than matters
    shop.put(kim=None, emma=("Emma", 5.01), walden=("Walden", 9.99))
    assert [row["status"] for row in shop.run(expect=1)] == ["failed"] + ["succeeded"] * 3
    changes, document = shop.diff()
    second = document["batch"]
    assert changes == [("walden", "changed", "price", "12.99", "9.99", -3.0, first, second)]
    counts = {"added": 0, "removed": 0, "changed": 1, "unchanged": 3, "cells": 1, "records": 0}
    assert document["counts"] == {**counts, "carried": 1, "without": 0}
    (told,) = shop.listener.bodies
    assert (told["batch"], told["event"], told["exit_code"]) == (second, "finished", 1)
    assert told["counts"] == {"failed": 1, "succeeded": 3}
    assert told["changes"] == {"added": 0, "changed": 1, "removed": 0}
    assert told["failed"] == {"total": 1, "ids": ["kim"]}

    shop = shop.on_day(2)  # the page is back with another price, one book is new, one is asked for no longer
    shop.put(kim=("Kim", 6), emma=("Emma, annotated", 5.01), new=("Ulysses", 3))
    shop.ask_for("new", "kim", "emma", "walden")
    shop.run(expect=0)
    changes, document = shop.diff()
    third = document["batch"]
    assert changes == [
        ("new", "added", None, None, '{"title":"Ulysses","price":3.0}', None, None, third),
        ("kim", "changed", "price", "7.5", "6", -1.5, first, third),
        ("emma", "changed", "title", "Emma", "Emma, annotated", None, second, third),
        ("gone", "removed", None, '{"title":"Dracula","price":8.0}', None, None, second, None),
    ]
    assert len({first, second, third}) == 3
    changes, _ = shop.diff(third, first)
    assert [row[:3] for row in changes if row[1] == "changed"] == [
        ("kim", "changed", "price"),
        ("emma", "changed", "title"),
        ("walden", "changed", "price"),
    ]
    told = shop.listener.bodies[-1]
    assert (told["batch"], told["exit_code"]) == (third, 0)
    assert told["changes"] == {"added": 1, "changed": 2, "removed": 1}
    # Run again, the batches are finished: nothing is read or told, and the exit codes are the same.
    shop.run(expect=0)
    assert shop.diff()[0] == shop.diff(third, second)[0]
    shop = shop.on_day(3)  # nothing has changed
    shop.run(expect=0)
    assert [told["batch"] for told in shop.listener.bodies] == [second, third]
    for told in shop.listener.bodies:
        check_document(told)


def test_a_mail_of_cron_is_empty_unless_something_failed(shop: Shop) -> None:
    shop = shop.on_day(0)
    shop.put(kim=("Kim", 7.5))
    shop.ask_for("kim")
    shop.desk.run("run", "prices.yaml", expect=0)  # the first day alone has nothing to compare with
    shop = shop.on_day(1)
    shop.put(kim=("Kim", 6))
    quiet = shop.desk.run("run", "prices.yaml", "-q", expect=0)
    assert (quiet.stdout, quiet.stderr) == ("", "")
    assert [told["changes"]["changed"] for told in shop.listener.bodies] == [1]
    shop = shop.on_day(2)
    shop.put(kim=None)
    mail = shop.desk.run("run", "prices.yaml", "-q", expect=1)
    assert "notified webhook $PRICES_HOOK: finished" in mail.stderr
    assert all(letter == "\n" or letter.isprintable() for letter in mail.stdout + mail.stderr)


def test_results_that_are_fresh_are_not_read_again(shop: Shop) -> None:
    shop = shop.on_day(0)
    shop.put(kim=("Kim", 7.5), emma=("Emma", 5))
    shop.ask_for("kim", "emma")
    first = shop.run(expect=0)[0]["batch"]
    manifest = shop.desk.folder / "prices.yaml"
    manifest.write_text(f"{MANIFEST}fresh_for: 36h\n")
    shop.put(kim=("Kim", 1), emma=("Emma", 1), new=("Ulysses", 3))
    shop.ask_for("kim", "emma", "new")
    shop = shop.on_day(1)
    rows = shop.run(expect=0)
    assert [row["reused_from"] for row in rows] == [first, first, None]
    assert [row["price"] for row in rows] == [7.5, 5.0, 3.0]
    assert [row["attempts"] for row in rows] == [0, 0, 1]
    changes, document = shop.diff()
    assert [row[:2] for row in changes] == [("new", "added")]
    assert document["counts"]["carried"] == 0

    shop = shop.on_day(2)  # too late: runs end by the server's clock, which stands at the first day
    rows = shop.run(expect=0)
    assert [row["reused_from"] for row in rows] == [None, None, None]
    assert [row["price"] for row in rows] == [1.0, 1.0, 3.0]
    assert [row[:3] for row in shop.diff()[0]] == [("kim", "changed", "price"), ("emma", "changed", "price")]
    journal = JournalView(shop.desk.folder / ".batchfish" / "prices.db")
    assert journal.count() == 2 + 1 + 3
