"""The report: a table for each workload on the terminal and in Markdown, and the figures as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from benchmarks.fanout.sides import SIDES
from benchmarks.fanout.workloads import WORKLOADS
from benchmarks.machine import file_system, processor, sync_time, versions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from benchmarks.fanout.measure import Measured
    from benchmarks.fanout.workloads import Workload

SERVER_BOUND = 0.8
PACKAGES = ("httpx", "aiohttp", "tinyfish", "uvicorn", "uvloop")
EXPLANATION = """\
The workloads of `make bench` come first, then what other benchmarks have printed. Each side of a workload is
a process of its own, pinned to one core. The server is `batchfish serve --engine simulate` on uvloop and
httptools; it has another core, and is started anew for each side with the same seed, so that all sides meet
the same runs.

- **makespan**: from the first run on the server until the client knows of the last end. **ideal**: the time
  that the server needs for these runs if all of them wait from the start (the list schedule of their
  durations under its cap); without a cap that is the longest run.
- **wall**: from the start of the process to its end, in seconds.
- **requests**: for each run. **lag**: between the end of a run and the moment when the client knows of it, in
  seconds; the median, and the 99th percentile.
- **CPU**: user and system seconds of the client for 1,000 runs.
- **connections**: accepted in all, and the most that were open at one moment.
- **alive**: the most runs that were PENDING or RUNNING at one moment. **paid**: runs that were created.
- **start / finish**: from the start of the process to the first run on the server; from the moment when the
  client knows of the last end to the end of the process.
- **server**: the share of the wall time that the server was busy; from 80 % (marked with *) the server is
  what is measured, not the client.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of the tables: its heading, and how a cell is written."""

    heading: str
    cell: Callable[[Measured], str]


COLUMNS = (
    Column(heading="makespan / ideal", cell=lambda m: f"{m.makespan / m.ideal:.3f}"),
    Column(heading="makespan s", cell=lambda m: f"{m.makespan:.1f}"),
    Column(heading="wall s", cell=lambda m: f"{m.wall:.1f}"),
    Column(heading="requests", cell=lambda m: f"{m.requests:.2f}"),
    Column(heading="lag p50 / p99", cell=lambda m: f"{m.lag_p50:.2f} / {m.lag_p99:.2f}"),
    Column(heading="CPU s", cell=lambda m: f"{m.cpu:.2f}"),
    Column(heading="connections", cell=lambda m: f"{m.connections:.0f}, {m.most_connections:.0f} open"),
    Column(heading="alive", cell=lambda m: f"{m.alive:,.0f}"),
    Column(heading="paid", cell=lambda m: f"{m.created:,.0f}"),
    Column(heading="start / finish s", cell=lambda m: f"{m.start:.2f} / {m.finish:.2f}"),
    Column(
        heading="server", cell=lambda m: f"{m.server_busy:.0%}{'*' if m.server_busy >= SERVER_BOUND else ''}"
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The medians of all sides on one workload, by the name of the side."""

    workload: Workload
    rounds: int
    medians: Mapping[str, Measured]


def table(result: Result) -> str:
    """Return the table of one workload in Markdown, its columns aligned."""
    ideal = next(iter(result.medians.values())).ideal
    rows = [["side", *(column.heading for column in COLUMNS)]]
    rows += [
        [SIDES[name].title, *(column.cell(measured) for column in COLUMNS)]
        for name, measured in result.medians.items()
    ]
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    told = f"; batchfish with -j {result.workload.window}" if result.workload.window else ""
    heading = f"{result.workload.title}; ideal {ideal:.2f} s; medians of {result.rounds}{told}"
    return "\n".join([heading, "", *lines])


def machine(folder: Path) -> str:
    """Return what the figures were measured on: processor, versions, file system of the journals, date."""
    sync = 1000 * sync_time(folder)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}; {processor()}; {versions(*PACKAGES)};"
        f" journals on {file_system(folder)}, fsync p50 {sync:.2f} ms."
    )


def save(results: Sequence[Result], about: str, markdown: Path, figures: Path) -> None:
    """Write the tables as Markdown, and all figures as JSON; other saved results are kept."""
    saved = load(figures)
    by_name = {one["workload"]["name"]: one for one in saved["results"]}
    for result in results:
        by_name[result.workload.name] = {
            "workload": asdict(result.workload),
            "title": result.workload.title,
            "rounds": result.rounds,
            "about": about,
            "table": table(result),
            "medians": {name: asdict(measured) for name, measured in result.medians.items()},
        }
    saved["results"] = [by_name[name] for name in WORKLOADS if name in by_name]
    write(saved, markdown, figures)


def load(figures: Path) -> dict[str, Any]:
    """Return what was saved: `results` of workloads, and `outputs` of the other benchmarks by their name."""
    saved = json.loads(figures.read_text(encoding="utf-8")) if figures.exists() else {}
    return {"results": [], "outputs": {}, **saved}


def write(saved: Mapping[str, Any], markdown: Path, figures: Path) -> None:
    """Write what is saved as Markdown and as JSON."""
    tables = [f"## {one['table']}\n\n{one['about']}" for one in saved["results"]]
    outputs = [
        f"## {one['title']}\n\n`{one['command']}`\n\n{_block(one['text'])}\n\n{one['about']}"
        for _, one in sorted(saved["outputs"].items())
    ]
    parts = ["# Results of the benchmarks", EXPLANATION.rstrip(), *tables, *outputs]
    markdown.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    figures.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")


def _block(text: str) -> str:
    """Return what a benchmark has printed as it is to stand in Markdown: a table by itself."""
    return text if text.startswith("|") else f"```text\n{text}\n```"
