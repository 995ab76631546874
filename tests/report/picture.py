"""Takes docs/report.png and docs/report-times.png: the report of a made-up batch, as Chromium shows it.

`make picture` runs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, sync_playwright

from batchfish.localagent.engines.browser.chromium import find_chromium
from benchmarks.made_up_batch import NAME, make_batch

DOCS = Path(__file__).parents[2] / "docs"
ITEMS = 600
WIDTH, HEIGHT = 1120, 4000  # so high that nothing has to be scrolled


MARGIN = 20


def take(page: Path) -> None:
    """Save the top of a page, and its charts."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # root may not have one
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium(), args=sandbox)
        tab = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        tab.goto(page.as_uri())
        _take_part(tab, "header", "#overview", "report.png")
        _take_part(tab, "#times", "#times figure:last-of-type + .legend", "report-times.png")
        browser.close()


def _take_part(tab: Page, first: str, last: str, name: str) -> None:
    """Save what is between the upper edge of one element and the lower edge of another."""
    upper, lower = (tab.locator(one).bounding_box() for one in (first, last))
    assert upper is not None
    assert lower is not None
    height = lower["y"] + lower["height"] - upper["y"] + MARGIN
    tab.screenshot(path=DOCS / name, clip={"x": 0, "y": upper["y"], "width": WIDTH, "height": height})


def main() -> None:
    """Make a batch, write its report as a person would, and take the pictures."""
    with TemporaryDirectory() as folder:
        journal = Path(folder, ".batchfish", f"{NAME}.db")
        journal.parent.mkdir()
        make_batch(journal, ITEMS)
        page = Path(folder, "report.html")
        command = [sys.executable, "-m", "batchfish", "report", "-o", page.name]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        take(page)
    for name in ("report.png", "report-times.png"):
        sys.stdout.write(f"wrote docs/{name}, {(DOCS / name).stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
