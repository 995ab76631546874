"""What `run` would do with a manifest now, computed without sending anything."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batchfish.cli import batch_choice, locate, selection
from batchfish.cli.console import put, put_object
from batchfish.cli.counts import Counts, count
from batchfish.cli.exits import ExitCode
from batchfish.cli.factory import SystemClock
from batchfish.cli.locate import load
from batchfish.core.describe import several
from batchfish.core.items import Status
from batchfish.journal import queries
from batchfish.journal.files import connect_or_empty

if TYPE_CHECKING:
    import sqlite3
    from argparse import Namespace

    from batchfish.journal.ingest import Difference
    from batchfish.manifest.manifest import Manifest


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A `run` started now. `to_submit` may cost `most_runs` at most; `alive` counts open attempts.

    `leaves` names the batch that has not finished and that `--new` would leave.
    """

    batch: str
    begins: bool
    leaves: str | None
    difference: Difference
    counts: Counts
    alive: int
    to_submit: int
    most_runs: int


def make_plan(args: Namespace, connection: sqlite3.Connection, manifest: Manifest) -> Plan:
    """Compare a manifest with its journal, as `run` would."""
    intention = batch_choice.intend(
        connection, manifest, recorded_as=None, now=SystemClock().now(), anew=args.new
    )
    batch, difference = intention.batch, intention.difference
    counts = Counts() if batch is None else count(connection, batch.pk)
    to_submit = selection.count_to_submit(args, connection, manifest.variables)
    return Plan(
        batch=intention.name,
        begins=batch is None,
        leaves=None if intention.leaves is None else intention.leaves.name,
        difference=difference,
        counts=counts,
        alive=queries.alive_count(connection),
        to_submit=to_submit,
        most_runs=to_submit * manifest.rules.retry.attempts,
    )


def put_plan(found: Plan) -> None:
    """Print a plan for a person."""
    difference, counts = found.difference, found.counts
    begins = "would begin" if found.begins else "goes on"
    put(f"{found.batch} {begins}: {several(difference.wanted, 'item')}")
    for name, number, examples in (
        ("new", difference.new, difference.new_examples),
        ("changed", difference.changed, difference.changed_examples),
        ("removed", difference.removed, difference.removed_examples),
        ("queued", counts[Status.QUEUED], ()),
        ("alive", found.alive, ()),
        ("held", counts[Status.HELD], ()),
        ("done", counts.ended, ()),
    ):
        such_as = f"  such as {', '.join(examples)}" if number and examples else ""
        put(f"  {name:<8}{number:>9,}{such_as}")
    put(
        f"`run` with the same flags would submit {several(found.to_submit, 'item')}, "
        f"and pay for at most {several(found.most_runs, 'run')}."
    )
    if found.leaves is not None:
        put(f"{found.leaves} has not finished: `run` asks, or takes --accept unfinished-batch.")
    if difference.changed:
        put("Changed items have begun and would be paid for again: `run` asks, or takes --accept changes.")


def as_object(found: Plan) -> dict[str, Any]:
    """Return a plan as `--json` prints it."""
    difference = found.difference
    return {
        "type": "plan",
        "batch": found.batch,
        "begins": found.begins,
        "leaves": found.leaves,
        "items": difference.wanted,
        "new": difference.new,
        "changed": difference.changed,
        "removed": difference.removed,
        "alive": found.alive,
        "counts": dict(found.counts.by_status),
        "to_submit": found.to_submit,
        "most_runs": found.most_runs,
    }


def show_plan(args: Namespace) -> int:
    """Say what `run` would do: what is new, changed, removed, held, alive and done."""
    manifest = load(args)
    if not manifest.check().items:
        put(f"{args.file}: nothing is selected: the manifest has no items")
        return ExitCode.OK
    path = args.journal or locate.journal_of(manifest.folder.absolute(), manifest.name, is_local=args.local)
    with closing(connect_or_empty(path)) as connection:
        found = make_plan(args, connection, manifest)
    if args.json:
        put_object(**as_object(found))
    else:
        put_plan(found)
    return ExitCode.OK
