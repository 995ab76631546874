"""The options that several commands share: their types, and their groups."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from batchfish.cli.agreement import NEVER_BY_YES, Question
from batchfish.cli.parser import Arguments, argument, flag, group, one_of, option
from batchfish.core.backoff import MAX_OUTAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.core.rules import ColumnComparison, Rules, Share
    from batchfish.core.window import Bounds

T = TypeVar("T")


def variable(text: str) -> tuple[str, str]:
    """Parse `name=value`."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    return name, value


def duration(text: str) -> float:
    """Parse a duration with its unit, such as 30s; return seconds."""
    from batchfish.manifest.values import parse_duration

    return _parse(parse_duration, text)


def spell_seconds(seconds: float) -> str:
    """Return a duration as an option gives it, to the millisecond."""
    return f"{seconds:.0f}s" if seconds.is_integer() else f"{seconds * 1000:.0f}ms"


def share(text: str) -> Share:
    """Parse a count, or a share in percent."""
    from batchfish.manifest.values import parse_share

    return _parse(parse_share, text)


def comparison(text: str) -> tuple[str, ColumnComparison]:
    """Parse `property=rule`, where the rule is `ignore`, `key` or a tolerance."""
    from batchfish.manifest.values import parse_comparison

    name, rule = variable(text)
    return name, _parse(parse_comparison, rule)


def count(text: str) -> int:
    """Parse a whole number from 1 on."""
    from batchfish.manifest.values import parse_count

    return _parse(parse_count, int(text) if text.isdecimal() else text)


def concurrency(text: str) -> Bounds:
    """Parse a number of runs alive at once: a count, auto or MIN-START-MAX."""
    from batchfish.manifest.values import parse_concurrency

    return _parse(parse_concurrency, text)


def _parse(parse: Callable[[object], T], value: object) -> T:
    from batchfish.manifest.problems import Refused

    try:
        return parse(value)
    except Refused as error:
        remedy = f" ({error.remedy.rstrip('.')})" if error.remedy else ""
        raise argparse.ArgumentTypeError(f"{error}{remedy}") from None


class ManifestSource(Arguments, frozen=True, kw_only=True):
    """The manifest, and what options add to it."""

    file: str = argument("FILE", "a manifest (.yaml) or its rows (.csv .tsv .jsonl); - reads standard input")
    goal: str | None = option(
        "--goal", metavar="TEXT", help="set the goal of rows without one; may contain {{ variables }}"
    )
    goal_file: Path | None = option(
        "--goal-file", metavar="FILE", parse=Path, help="read the goal from a file instead"
    )
    schema: Path | None = option(
        "--schema", metavar="FILE", parse=Path, help="read the output_schema from a JSON or YAML file"
    )
    var: tuple[tuple[str, str], ...] = option(
        "--var",
        metavar="K=V",
        parse=variable,
        spell="=".join,
        repeats=True,
        help="set a variable of the manifest",
    )
    allow_duplicates: bool = flag(
        "--allow-duplicates", help="number repeated rows; without this they are an error"
    )


def batch_argument() -> Any:  # noqa: ANN401 - stands for a text or None
    """Return the field of a positional argument that names a batch."""
    return argument(
        "BATCH", "a batch's name or its manifest (default: the batch that began last)", is_optional=True
    )


def batch_option() -> Any:  # noqa: ANN401 - stands for a text or None
    """Return the field of an option that names a batch, for commands whose first argument is an item."""
    return option(
        "--batch",
        metavar="BATCH",
        help="choose a batch by its name or its manifest (default: the batch that began last)",
    )


class Selection(Arguments, frozen=True, kw_only=True):
    """The items that a command is about: those that all given options select."""

    item: tuple[str, ...] = option("--item", metavar="ID", repeats=True, help="select this item (repeatable)")
    where: str | None = option(
        "--where", metavar="EXPR", help="select the items for which this condition holds"
    )
    limit: int | None = option(
        "--limit", metavar="N", parse=count, help="select the first N items (default: all)"
    )
    sample: int | None = option(
        "--sample", metavar="N", parse=count, help="select N items at random (default: all)"
    )

    @property
    def is_given(self) -> bool:
        """Whether some items are to be selected, rather than all."""
        return bool(self.item) or any(one is not None for one in (self.where, self.limit, self.sample))


class Pace(Arguments, frozen=True, kw_only=True):
    """The pace and limits of a run; times in seconds, None means the manifest's value."""

    concurrency: Bounds | None = option(
        "-j",
        "--concurrency",
        metavar="N",
        parse=concurrency,
        help="keep up to N runs alive; auto (or MIN-START-MAX) keeps as many alive as the API has slots for "
        "(default: the manifest's, or auto, which is 1-10-100)",
    )
    halt: Share | None = option(
        "--halt",
        metavar="N|P%",
        parse=share,
        help="stop submitting when more than N items (or P %) have failed (default: never)",
    )
    max_duration: float | None = option(
        "--max-duration",
        metavar="TIME",
        parse=duration,
        spell=spell_seconds,
        help="stop after this long (default: no limit)",
    )
    drain: bool = flag("--drain", help="submit nothing; follow the runs that are alive to their end")
    if_running: str = option(
        "--if-running",
        metavar="skip|wait",
        parse=one_of("skip", "wait"),
        default="skip",
        help="exit, or wait, when another process has the batch (default: skip)",
    )
    max_outage: float = option(
        "--max-outage",
        metavar="TIME",
        parse=duration,
        spell=spell_seconds,
        default=MAX_OUTAGE,
        help=f"give up after the API has been unreachable this long (default: {MAX_OUTAGE / 60:g}m)",
    )
    poll_interval: float | None = option(
        "--poll-interval",
        metavar="TIME",
        parse=duration,
        spell=spell_seconds,
        help="poll running runs this often (default: by how long they take, 1s or more; 25ms or more for an "
        "API on this machine)",
    )
    settle: float | None = option(
        "--settle",
        metavar="TIME",
        parse=duration,
        spell=spell_seconds,
        help="search this long for the run of an unanswered create before it is sent again "
        "(default: the manifest's, or 5m)",
    )

    def applied_to(self, rules: Rules) -> Rules:
        """Return a manifest's rules with the values that were given in place of its own."""
        limits, unanswered = rules.limits, rules.unanswered
        if self.concurrency is not None:
            limits = replace(limits, concurrency=self.concurrency)
        if self.halt is not None:
            limits = replace(limits, halt=self.halt)
        if self.settle is not None:
            unanswered = replace(unanswered, settle=self.settle)
        return replace(rules, limits=limits, unanswered=unanswered)


class TableOptions(Arguments, frozen=True, kw_only=True):
    """The table that a command writes."""

    output: Path | None = option(
        "-o",
        "--output",
        metavar="FILE",
        parse=Path,
        help="write the table to FILE: .parquet, .csv or .jsonl (default: the manifest's, or "
        "results/BATCH.parquet)",
    )
    head: int | None = option(
        "--head",
        metavar="N",
        parse=count,
        help="print the first N rows of the table (default: 5 on a terminal, else none)",
    )
    csv_raw: bool = flag("--csv-raw", help="do not escape cells that a spreadsheet would run as formulas")


class Reporting(Arguments, frozen=True, kw_only=True):
    """The options for progress, report, summary and exit code."""

    progress: str = option(
        "--progress",
        metavar="KIND",
        parse=one_of("auto", "bar", "line", "json", "none"),
        default="auto",
        help="show progress as bar, line (one a minute), json or none (default: auto, which is bar on a "
        "terminal and line elsewhere)",
    )
    report: Path | None = option(
        "--report",
        metavar="FILE",
        parse=Path,
        help="write a page about the batch to FILE (.html) at the end (default: none)",
    )
    joblog: Path | None = option(
        "--joblog",
        metavar="FILE",
        parse=Path,
        help="write a line to FILE for each run that ends, in the columns of GNU parallel (default: none)",
    )
    metrics: Path | None = option(
        "--metrics",
        metavar="FILE",
        parse=Path,
        help="write metrics to FILE (.prom) every 15s, for Prometheus' node_exporter (default: none)",
    )
    json: bool = flag("--json", help="print JSON on standard output")
    fail_on_error: Share | None = option(
        "--fail-on-error",
        metavar="N|P%",
        parse=share,
        help="exit 0 if no more than N items (or P %) have failed (default: 0)",
    )
    allow_empty: bool = flag("--allow-empty", help="exit 0, not 5, if no item is selected")


class AgentOptions(Arguments, frozen=True, kw_only=True):
    """The options of the local agent."""

    engine: str | None = option(
        "--engine",
        metavar="NAME",
        help="read pages with auto, extract (as served), browser (Chromium), model (your language model) or "
        "simulate (not at all) (default: auto)",
    )
    site: Path | None = option(
        "--site",
        metavar="FOLDER",
        parse=Path,
        help="serve the pages of a folder as http://….example (default: the nearest sample_inputs/site)",
    )
    simulate: str | None = option(
        "--simulate", metavar="K=V,…", help="set the durations, outcomes and faults of --engine simulate"
    )
    cap: int | None = option(
        "--cap", metavar="N", parse=int, help="work on up to N runs at once (default: 2)"
    )
    page_interval: float | None = option(
        "--page-interval",
        metavar="SECONDS",
        parse=float,
        help="wait this long between two pages of one real host (default: 1)",
    )
    allow_origin: tuple[str, ...] = option(
        "--allow-origin",
        metavar="ORIGIN",
        repeats=True,
        help="allow reads from, and webhooks to, a server on this machine (repeatable)",
    )
    chromium: str | None = option(
        "--chromium", metavar="FILE", help="start this browser program (default: the one on PATH)"
    )


class ApiOptions(Arguments, frozen=True, kw_only=True):
    """The address and key of the API, and how the local agent works if that is used."""

    base_url: str | None = option(
        "--base-url",
        metavar="URL",
        help="send requests to this address (default: $BATCHFISH_BASE_URL, or TinyFish)",
    )
    api_key_file: Path | None = option(
        "--api-key-file",
        metavar="FILE",
        parse=Path,
        help="read the API key from a file (default: $TINYFISH_API_KEY)",
    )
    agent: AgentOptions = group(AgentOptions, "local agent")


class JournalLocation(Arguments, frozen=True, kw_only=True):
    """The location of the journal: a named file, or the folder of rehearsals."""

    local: bool = flag(
        "--local",
        title="local agent",
        help="rehearse: use the agent on this machine instead of TinyFish, with journals of its own",
    )
    journal: Path | None = option(
        "--journal",
        metavar="FILE",
        parse=Path,
        help="use this journal file (default: .batchfish/NAME.db beside the manifest)",
    )


class Questions(Arguments, frozen=True, kw_only=True):
    """The questions of exit code 6 that a command line answers with yes."""

    accept: tuple[str, ...] = option(
        "--accept",
        metavar="QUESTION",
        parse=one_of(*Question, what="question"),
        repeats=True,
        help=f"agree to this question (repeatable): {', '.join(Question)}",
    )
    yes: bool = flag(
        "-y",
        "--yes",
        help="agree to the first question that would end with exit code 6; never to "
        + " or ".join(sorted(NEVER_BY_YES)),
    )


class JournalChange(Arguments, frozen=True, kw_only=True):
    """The options of a command that sends nothing, and writes to a journal, if only which file is its own."""

    reporting: Reporting = group(Reporting, "output", only=("json",))
    location: JournalLocation = group(JournalLocation, "journal")
    questions: Questions = group(Questions, "questions")


class Execution(Arguments, frozen=True, kw_only=True):
    """The options of every command that runs a batch to completion, except those that name or select."""

    pace: Pace = group(Pace, "pace and limits")
    table: TableOptions = group(TableOptions, "output")
    reporting: Reporting = group(Reporting, "output")
    location: JournalLocation = group(JournalLocation, "journal")
    api: ApiOptions = group(ApiOptions, "API")
    questions: Questions = group(Questions, "questions")


class Messages(Arguments, frozen=True, kw_only=True):
    """The options for messages, which every command has."""

    quiet: bool = flag("-q", "--quiet", title="messages", help="print no message unless something is wrong")
    verbose: bool = flag("-v", "--verbose", title="messages", help="log the requests to the API")
