"""Metrics of a batch in Prometheus' text format, for the textfile collector of node_exporter."""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING

from batchfish.cli.cost import money_of
from batchfish.core.items import Status
from batchfish.errors import BatchfishError, StorageFailed, WrongInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from prometheus_client.core import Metric

    from batchfish.cli.cost import Money
    from batchfish.cli.progress import Companion
    from batchfish.journal.queries import JournalReader
    from batchfish.journal.records import Batch
    from batchfish.pipeline.context import Context

INTERVAL = 15.0
"""Seconds between two writes while a batch runs."""

MODE = 0o644
"""The collector runs as another user, and the file holds counts only."""

SUFFIX = ".prom"
"""The suffix of the files that the collector reads."""

_MICRO = 1_000_000
_BEGINNING = b"# HELP batchfish_"


def show_metrics(path: Path | None) -> list[Companion]:
    """Return the coroutine that writes the metrics while the stages of a run work; none without a path."""
    return [] if path is None else [lambda ctx: _write_regularly(ctx, path)]


async def _write_regularly(ctx: Context, path: Path) -> None:
    """Write the metrics every INTERVAL seconds; a file that cannot be written is reported and given up."""
    while True:
        bound = ctx.session.pacing.window.bounds.most
        reader, money = ctx.journal.reader, money_of(ctx)
        try:
            write_metrics(path, reader, ctx.batch, now=ctx.clock.now(), money=money, bound=bound)
        except BatchfishError as error:
            ctx.notice(str(error))
            return
        await ctx.clock.sleep(INTERVAL)


def write_metrics(
    path: Path,
    reader: JournalReader,
    batch: Batch,
    *,
    now: float,
    money: Money | None,
    bound: int | None = None,
    exit_code: int | None = None,
) -> None:
    """Replace a file by the metrics of a batch as they are now, at once.

    `now` is epoch seconds, `money` what counts against the budget, `bound` the most runs that may be alive,
    and `exit_code` that of a command that has ended. WrongInput if the file is not one of metrics,
    StorageFailed if it cannot be written.
    """
    _check_target(path)
    text = _render(reader, batch, now=now, money=money, bound=bound, exit_code=exit_code)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), MODE)  # whatever the umask of this process is
            file.write(text)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StorageFailed(f"{path}: the metrics cannot be written: {error.strerror}") from error


def _check_target(path: Path) -> None:
    """Raise WrongInput unless a file is missing, empty, or metrics that batchfish wrote.

    It is replaced without a question, so that a mistyped name must not cost a manifest or a journal.
    """
    if path.suffix != SUFFIX:
        raise WrongInput(f"{path} is no name for a file of metrics", remedy=f"End it with {SUFFIX}.")
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise WrongInput(f"{path} is not a regular file", remedy="Name another file.")
        with path.open("rb") as file:
            beginning = file.read(len(_BEGINNING))
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageFailed(f"{path}: the metrics cannot be written: {error.strerror}") from error
    if beginning not in {b"", _BEGINNING}:
        raise WrongInput(f"{path} was not written by batchfish", remedy="Name another file.")


def _render(
    reader: JournalReader,
    batch: Batch,
    *,
    now: float,
    money: Money | None,
    bound: int | None,
    exit_code: int | None,
) -> bytes:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    metrics: list[Metric] = []

    def add(
        name: str,
        text: str,
        value: float,
        kind: type[CounterMetricFamily | GaugeMetricFamily] = GaugeMetricFamily,
    ) -> None:
        family = kind(name, text, labels=["batch"])
        family.add_metric([batch.name], value)
        metrics.append(family)

    counts, taken = reader.counts(batch.pk), reader.steps_taken(batch.pk)
    items = GaugeMetricFamily("batchfish_items", "Items of the batch by status.", labels=["batch", "status"])
    for status in Status:
        items.add_metric([batch.name, status.value], counts.get(status.value, 0))
    metrics.append(items)
    open_runs = reader.count_open(batch.pk)
    add("batchfish_runs_open", "Runs that exist or may exist, and have not ended.", open_runs)
    add("batchfish_runs_ended", "Runs that have ended, with known steps.", taken.runs, CounterMetricFamily)
    add("batchfish_steps", "Steps that the ended runs took.", taken.steps, CounterMetricFamily)
    if money is not None:
        spending, cap = money.spending, money.budget.cap
        add("batchfish_budget_spent_dollars", "Dollars spent of the budget.", spending.spent / _MICRO)
        add("batchfish_budget_reserved_dollars", "Dollars reserved by open runs.", spending.reserved / _MICRO)
        add("batchfish_budget_limit_dollars", "Dollars that the budget allows.", cap / _MICRO)
    if bound is not None:
        add("batchfish_concurrency_limit", "The most runs that may be alive at once.", bound)
    if exit_code is not None:
        add("batchfish_exit_code", "The exit code of the command that ran the batch last.", exit_code)
        add("batchfish_ended_timestamp_seconds", "When that command ended, in epoch seconds.", now)
    registry = CollectorRegistry()
    registry.register(_Collected(metrics))
    return generate_latest(registry)


class _Collected:
    """Metrics as a registry asks for them."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        return self._metrics
