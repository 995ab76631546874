"""Run benchmarks, and keep what they print in RESULTS.md, with versions and machine.

    .venv/bin/python -m benchmarks.keep hidden_caps table     # these, one after the other
    .venv/bin/python -m benchmarks.keep                       # all that are listed below

`make bench ARGS=--save` keeps those of whole batches. Nothing else should run on the machine meanwhile.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.fanout.report import load, machine, write

BENCHMARKS = Path(__file__).parent
TITLES = {
    "hidden_caps": "Caps that are not told, and two batches of one account",
    "first_request": "From the start of a command to its first request, a million rows",
    "table": "A million results to Parquet",
    "commands": "Commands beside bare Python",
    "journal": "The journal's price of an item in batches of a few and of many",
}
OPTIONS = {"journal": ["--rows", "1000", "10000", "100000", "1000000"]}


def keep(name: str, markdown: Path, figures: Path) -> None:
    """Run one benchmark, print what it prints, and save it; CalledProcessError if it fails."""
    command = command_of(name)
    about = machine(BENCHMARKS)
    lines: list[str] = []
    with subprocess.Popen(command, cwd=BENCHMARKS.parent, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own program
        for line in process.stdout or ():
            sys.stdout.write(line)
            sys.stdout.flush()
            lines.append(line)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    saved = load(figures)
    saved["outputs"][name] = {
        "title": TITLES[name],
        "command": " ".join(["python", *command[1:]]),
        "text": "".join(lines).strip(),
        "about": about,
    }
    write(saved, markdown, figures)


def command_of(name: str) -> list[str]:
    """Return the command line of a benchmark."""
    return [sys.executable, "-m", f"benchmarks.{name}", *OPTIONS.get(name, [])]


def main() -> None:
    """Run and keep what the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TITLES)} (default: all)")
    names = parser.parse_args().names or list(TITLES)
    if unknown := set(names) - TITLES.keys():
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    for name in names:
        keep(name, BENCHMARKS / "RESULTS.md", BENCHMARKS / "results.json")


if __name__ == "__main__":
    main()
