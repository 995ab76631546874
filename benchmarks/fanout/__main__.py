"""Compare batchfish with what people use instead, on the same runs of the same server, in turn.

    make bench                                     # a fifth of two workloads, in about five minutes
    make bench ARGS="--all --save"                 # all of them; writes benchmarks/RESULTS.md
    make bench ARGS="wide --sides batchfish sdk"   # one workload, two sides

A figure is the median of the rounds. Each round runs the sides one after the other, each against a server of
its own with the same seed. Journals are written below --folder: name a folder on the disk to be measured.
"""

from __future__ import annotations

import argparse
import compileall
import signal
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.fanout import report
from benchmarks.fanout.measure import Measured, measure, median
from benchmarks.fanout.serving import ROOT, Failed
from benchmarks.fanout.sides import SIDES, Side
from benchmarks.fanout.workloads import QUICK, QUICK_SHARE, WORKLOADS, Workload

BENCHMARKS = Path(__file__).parents[1]
USUAL_SIDES = ("batchfish", "sdk", "httpx", "expert")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fanout",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="workloads:\n"
        + "".join(f"  {name:10} {workload.title}\n" for name, workload in WORKLOADS.items())
        + "\nsides:\n"
        + "".join(f"  {name:10} {side.title}\n" for name, side in SIDES.items()),
    )
    parser.add_argument(
        "workloads", nargs="*", metavar="WORKLOAD", help=f"by name (default: {', '.join(QUICK)}, in part)"
    )
    parser.add_argument("--all", action="store_true", help="measure all workloads")
    parser.add_argument(
        "--sides",
        nargs="+",
        choices=SIDES,
        metavar="SIDE",
        default=USUAL_SIDES,
        help=f"what is compared (default: {' '.join(USUAL_SIDES)})",
    )
    parser.add_argument(
        "--rounds", type=int, default=3, help="measurements of each side (default: %(default)s)"
    )
    parser.add_argument(
        "--share",
        type=float,
        help=f"share of the runs of each workload (default: {QUICK_SHARE} if none is named)",
    )
    parser.add_argument("-j", dest="window", metavar="N", help="tell batchfish this concurrency")
    parser.add_argument(
        "--folder", type=Path, default=Path(), help="where journals are written (default: here)"
    )
    parser.add_argument(
        "--save", action="store_true", help="write RESULTS.md and results.json in benchmarks/"
    )
    given = parser.parse_args(arguments)
    for name in given.workloads:
        if name not in WORKLOADS:
            parser.error(f"there is no workload {name!r}; there are: {', '.join(WORKLOADS)}")
    if given.rounds < 1:
        parser.error("--rounds: at least 1")
    return given


def chosen(given: argparse.Namespace) -> list[Workload]:
    """Return the workloads that the command line asks for."""
    names = list(WORKLOADS) if given.all else given.workloads or list(QUICK)
    share = given.share or (1.0 if given.all or given.workloads else QUICK_SHARE)
    return [replace(WORKLOADS[name].scaled(share), window=given.window) for name in names]


def compare(workload: Workload, sides: list[Side], rounds: int, folder: Path) -> report.Result:
    """Measure the sides in turn, round by round."""
    found: dict[str, list[Measured]] = {side.name: [] for side in sides}
    for number in range(1, rounds + 1):
        for side in sides:
            sys.stderr.write(f"{workload.title}: round {number} of {rounds}, {side.name}\n")
            with TemporaryDirectory(dir=folder, prefix="fanout-benchmark-") as place:
                found[side.name].append(measure(side, workload, Path(place)))
    medians = {name: median(measured) for name, measured in found.items()}
    return report.Result(workload=workload, rounds=rounds, medians=medians)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the tables, and return the exit code."""
    given = parse(arguments)
    sides = [SIDES[name] for name in given.sides]
    for side in sides:
        if not side.is_installed:
            sys.stderr.write(f"{side.name} needs the package {side.needs}: make bench installs it\n")
            return 2
    signal.signal(
        signal.SIGTERM, lambda number, _: sys.exit(128 + number)
    )  # the server and the side end, too
    # An installed package comes compiled; a work tree may not, and would be compiled at each start.
    compileall.compile_dir(ROOT / "batchfish", quiet=1)
    about = report.machine(given.folder)
    print(about, end="\n\n", flush=True)
    results = []
    try:
        for workload in chosen(given):
            results.append(compare(workload, sides, given.rounds, given.folder))
            print(report.table(results[-1]), end="\n\n", flush=True)
    except Failed as why:
        sys.stderr.write(f"{why}\n")
        return 1
    print(report.EXPLANATION)
    if given.save:
        report.save(results, about, BENCHMARKS / "RESULTS.md", BENCHMARKS / "results.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
