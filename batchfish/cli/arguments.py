"""The flags of every verb."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli import values
from batchfish.cli.agreement import NEVER_BY_YES, Question
from batchfish.cli.parser import Parser
from batchfish.core.backoff import MAX_OUTAGE

if TYPE_CHECKING:
    import argparse

    Verbs = argparse._SubParsersAction["Parser"]  # noqa: SLF001 - argparse gives it no public name

SETTLE_HELP = "how long an unanswered create is looked for"
NO_PACE = {
    "concurrency": 1,
    "halt": None,
    "poll_interval": None,
    "max_outage": MAX_OUTAGE,
    "max_duration": None,
    "drain": False,
    "if_running": "skip",
}
"""The values of options that `run` has and commands about one item do not have."""

NO_SUBMITTING = {"concurrency": None, "halt": None, "drain": True, "fail_on_error": None}
"""The values of options that `run` has and a command that submits nothing does not have."""

CAN_ASK = ("run", "try", "resume", "retry", "cancel", "held", "results")
"""The commands that may have to ask a person something."""

REHEARSE = "rehearse: the agent on this machine instead of TinyFish; its journals are kept apart"
REHEARSALS = "list only the rehearsals (default: all batches)"

EPILOG = "Exit codes, manifests and how to go on after anything: README.md."


def build() -> Parser:
    """Build the parser of the whole command."""
    parser = Parser(
        prog="batchfish",
        description="Run many URLs through a web agent, and never pay twice for one.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="store_true", help="show the version and leave")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB")
    _add_verbs_that_run(verbs)
    _add_verbs_that_look(verbs)
    _add_verbs_that_decide(verbs)
    serve = verbs.add_parser("serve", help="speak the same API on this machine, and really read pages")
    serve.add_argument("--port", type=int, default=8765, help="(default: %(default)s; 0 takes a free one)")
    serve.add_argument("--store", type=Path, help="file that keeps the runs (default: memory)")
    serve.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="keep the API key that clients must send in this file (default: .batchfish/agent/serve.key)",
    )
    _add_local_agent(serve)
    for name, verb in verbs.choices.items():
        verb.allow_abbrev = False  # what abbreviates one flag today abbreviates two tomorrow
        if name not in {"serve", "validate"}:
            _add_place(verb, REHEARSALS if name == "ls" else REHEARSE)
        if name != "serve":
            verb.add_argument("--json", action="store_true", help="speak JSON on standard output")
        if name in CAN_ASK:
            _add_agreement(verb)
        _add_common(verb)
    return parser


def _add_verbs_that_run(verbs: Verbs) -> None:
    run = verbs.add_parser("run", help="bring a manifest's batch to completion; rerun it to go on")
    _add_file(run)
    _add_submitting(run)
    _add_following(run)
    run.add_argument("--new", action="store_true", help="start another batch, paying for every item again")
    run.add_argument("-n", "--dry-run", action="store_true", help="say what would be done, send nothing")
    try_one = verbs.add_parser("try", help="run one item and watch it: for writing goals")
    _add_file(try_one)
    _add_access(try_one)
    _add_local_agent(try_one)
    try_one.add_argument("--item", metavar="ID", help="the item's id (default: the first one)")
    try_one.add_argument(
        "--sync", action="store_true", help="wait over /run, which shows and cancels nothing"
    )
    try_one.add_argument("--settle", type=values.duration, metavar="TIME", help=SETTLE_HELP)
    try_one.set_defaults(**NO_PACE)
    resume = verbs.add_parser("resume", help="go on from the journal alone, without the manifest")
    _add_batch(resume)
    _add_submitting(resume)
    _add_following(resume)
    retry = verbs.add_parser("retry", help="queue one more attempt for items that are not fine, and run")
    _add_batch(retry)
    _add_submitting(retry)
    _add_following(retry)
    which = retry.add_mutually_exclusive_group(required=True)
    which.add_argument("--failed", action="store_true", help="those that failed or were cancelled")
    which.add_argument("--held", action="store_true", help="those that wait for a person")
    which.add_argument("--reason", help="those that failed for this reason")
    cancel = verbs.add_parser(
        "cancel", help="cancel a batch or items of it; finished runs keep their results"
    )
    _add_batch(cancel)
    cancel.add_argument(
        "items", nargs="*", metavar="ITEM", help="ids of items; none: all that have not ended"
    )
    _add_selection(cancel, "cancel")
    _add_following(cancel)
    cancel.set_defaults(**NO_SUBMITTING)


def _add_verbs_that_look(verbs: Verbs) -> None:
    _add_file(verbs.add_parser("validate", help="show every error of a manifest at once; sends nothing"))
    plan = verbs.add_parser("plan", help="show what `run` would do; sends nothing")
    _add_file(plan)
    _add_selection(plan, "plan")
    _add_part(plan, "plan")
    plan.add_argument("--new", action="store_true", help="as if another batch were to start")
    plan.set_defaults(drain=False)
    status = verbs.add_parser("status", help="show how far a batch is, also beside a running one")
    _add_batch(status)
    status.add_argument("--watch", action="store_true", help="repeat until it has ended, or interrupted")
    results = verbs.add_parser("results", help="write the table as it stands now")
    _add_batch(results)
    _add_output(results)
    results.add_argument("--failed", action="store_true", help="only the items that are not fine")
    explain = verbs.add_parser("explain", help="tell everything about one item")
    explain.add_argument("item", metavar="ITEM")
    explain.add_argument("--batch", help="a batch's name or manifest (default: the newest)")
    audit = verbs.add_parser("audit", help="compare a batch's runs with all that the account lists of it")
    _add_batch(audit)
    audit.add_argument(
        "--cancel", action="store_true", help="cancel the runs that are one too many and still alive"
    )
    _add_max_outage(audit)
    _add_access(audit)
    _add_local_agent(audit)
    verbs.add_parser("ls", help="list the batches here")


def _add_verbs_that_decide(verbs: Verbs) -> None:
    held = verbs.add_parser("held", help="list the attempts that wait for a person, or decide")
    held.add_argument("decision", nargs="?", choices=("list", "adopt", "resubmit", "drop"), default="list")
    held.add_argument("item", nargs="?", metavar="ITEM")
    held.add_argument("run_id", nargs="?", metavar="RUN")
    held.add_argument(
        "--attempt", type=values.count, metavar="K", help="the attempt, for an item with several held ones"
    )
    held.set_defaults(**NO_PACE, settle=None)
    held.add_argument("--batch", help="a batch's name or manifest (default: the newest)")
    _add_access(held)
    _add_local_agent(held)


def _add_file(verb: Parser) -> None:
    verb.add_argument(
        "file", metavar="FILE", help="a manifest (.yaml) or rows (.csv .tsv .jsonl); - is standard input"
    )
    verb.add_argument("--goal", help="the goal of rows that bring none, with {{ variables }}")
    verb.add_argument("--goal-file", metavar="FILE", help="the same, from a file")
    verb.add_argument("--schema", metavar="FILE", help="the output_schema, from a JSON or YAML file")
    verb.add_argument(
        "--var", metavar="K=V", action="append", default=[], type=values.variable, help="set a variable"
    )
    verb.add_argument(
        "--allow-duplicates", action="store_true", help="number repeated rows instead of refusing"
    )


def _add_batch(verb: Parser) -> None:
    verb.add_argument(
        "batch", nargs="?", metavar="BATCH", help="a batch's name or its manifest (default: the newest)"
    )


def _add_output(verb: Parser) -> None:
    verb.add_argument("-o", "--output", metavar="FILE", help="the table: .parquet, .csv or .jsonl")
    verb.add_argument("--csv-raw", action="store_true", help="leave cells alone that a spreadsheet would run")
    verb.add_argument("--head", type=values.count, metavar="N", help="show the first N rows of the table")


def _add_access(verb: Parser) -> None:
    verb.add_argument("--base-url", metavar="URL", help="the API (default: $BATCHFISH_BASE_URL, or TinyFish)")
    verb.add_argument(
        "--api-key-file", metavar="FILE", help="a file with the key (default: $TINYFISH_API_KEY)"
    )


def _add_local_agent(verb: Parser) -> None:
    verb.add_argument(
        "--site", type=Path, help="folder served as http://….example (default: the nearest sample site)"
    )
    verb.add_argument(
        "--engine",
        help="how the local agent reads: auto (the default), extract (as served), browser (Chromium), "
        "model (yours), simulate (nothing)",
    )
    verb.add_argument("--chromium", metavar="FILE", help="the browser's program (default: found on PATH)")
    verb.add_argument("--cap", type=int, help="how many runs the local agent works on at once")
    verb.add_argument(
        "--simulate", metavar="K=V,…", help="durations, outcomes and faults of --engine simulate"
    )
    verb.add_argument(
        "--allow-origin",
        metavar="ORIGIN",
        action="append",
        default=[],
        help="a local server that it may read and send webhooks to",
    )
    verb.add_argument(
        "--page-interval",
        type=float,
        metavar="SECONDS",
        help="time between two pages of one real host, 0 for none (default: 1)",
    )


def _add_selection(verb: Parser, what: str) -> None:
    verb.add_argument(
        "--item", action="append", default=[], metavar="ID", help=f"{what} only this item (repeatable)"
    )
    verb.add_argument("--where", metavar="EXPR", help=f"{what} only the items that this holds for")


def _add_part(verb: Parser, what: str) -> None:
    verb.add_argument("--limit", type=values.count, metavar="N", help=f"{what} only the first N items")
    verb.add_argument("--sample", type=values.count, metavar="N", help=f"{what} only N random items")


def _add_submitting(verb: Parser) -> None:
    _add_selection(verb, "submit now")
    _add_part(verb, "submit now")
    verb.add_argument("-j", "--concurrency", type=values.count, metavar="N", help="runs alive at once")
    verb.add_argument(
        "--halt", type=values.share, metavar="N|P%", help="stop submitting past so many failures"
    )
    verb.add_argument("--drain", action="store_true", help="submit nothing, follow what is alive")
    verb.add_argument(
        "--fail-on-error", type=values.share, metavar="N|P%", help="how many failures still are a success"
    )
    verb.add_argument(
        "--if-running", choices=("skip", "wait"), default="skip", help="when another process has the batch"
    )


def _add_following(verb: Parser) -> None:
    _add_output(verb)
    _add_access(verb)
    _add_local_agent(verb)
    verb.add_argument("--settle", type=values.duration, metavar="TIME", help=SETTLE_HELP)
    verb.add_argument(
        "--poll-interval", type=values.duration, metavar="TIME", help="how often runs are looked at"
    )
    verb.add_argument("--max-duration", type=values.duration, metavar="TIME", help="leave after so long")
    _add_max_outage(verb)
    verb.add_argument("--allow-empty", action="store_true", help="nothing selected is fine")
    verb.add_argument(
        "--progress", choices=("auto", "bar", "line", "json", "none"), default="auto", help="(auto)"
    )


def _add_max_outage(verb: Parser) -> None:
    verb.add_argument(
        "--max-outage",
        type=values.duration,
        default=MAX_OUTAGE,
        metavar="TIME",
        help="give up after the API has been unreachable this long (default: 15m)",
    )


def _add_place(verb: Parser, local: str) -> None:
    verb.add_argument("--local", action="store_true", help=local)
    verb.add_argument(
        "--journal",
        type=Path,
        metavar="FILE",
        help="the journal's file (default: .batchfish/NAME.db beside the manifest)",
    )


def _add_agreement(verb: Parser) -> None:
    verb.add_argument(
        "--accept",
        metavar="QUESTION",
        action="append",
        default=[],
        choices=[question.value for question in Question],
        help="agree to this question (repeatable): " + ", ".join(Question),
    )
    verb.add_argument(
        "-y",
        "--yes",
        action="store_true",
        help="agree to the first question that would end with exit code 6; never to "
        + " or ".join(sorted(NEVER_BY_YES)),
    )


def _add_common(verb: Parser) -> None:
    verb.add_argument("-q", "--quiet", action="store_true", help="say nothing unless something is wrong")
    verb.add_argument("-v", "--verbose", action="store_true", help="log what is asked of the API")
    verb.add_argument("--no-color", action="store_true", help="for scripts that set it: nothing is coloured")
