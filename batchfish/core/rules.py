"""The rules of a batch, which its manifest may set, and their defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from batchfish.core.block_pages import BlockSearch
from batchfish.core.budget import Budget
from batchfish.core.notifications import BatchEvent, Channel, Target
from batchfish.core.window import Bounds

if TYPE_CHECKING:
    from collections.abc import Mapping

OUTPUT_TYPES = ("bool", "date", "datetime", "float64", "int64", "string")
"""The types that `output.columns` may name."""

TABLE_SUFFIXES = (".parquet", ".csv", ".jsonl")
"""The suffixes of table files, which decide their format."""


class Share(Struct, frozen=True, kw_only=True):
    """A bound on a number of items: a count, or a share in percent if `is_percent`."""

    value: float
    is_percent: bool = False

    def is_passed(self, count: int, total: int) -> bool:
        """Whether `count` of `total` exceeds the bound."""
        return count * 100 > self.value * total if self.is_percent else count > self.value

    def __str__(self) -> str:
        """Return it as a manifest spells it: `20`, or `2.5%`."""
        return f"{self.value:g}{'%' if self.is_percent else ''}"


class Limits(Struct, frozen=True, kw_only=True):
    """The limits of a batch; times in seconds, None means no limit.

    `concurrency` bounds the runs alive at once (None where a manifest sets none), `run_timeout` cancels a
    run, `queue_timeout` reports one that does not start, `stuck` ends a batch of which only runs without a
    change are left, and `halt` stops submitting when that many items have failed.
    """

    concurrency: Bounds | None = None
    run_timeout: float | None = None
    queue_timeout: float | None = 7200.0
    stuck: float = 86400.0
    halt: Share | None = None


class RetryRules(Struct, frozen=True, kw_only=True):
    """The failures after which an item is tried again, its attempts at most, and the waits in seconds."""

    attempts: int = 2
    on: tuple[str, ...] = ("system_failure",)
    wait_initial: float = 5.0
    wait_max: float = 300.0


class UnansweredRules(Struct, frozen=True, kw_only=True):
    """The handling of unanswered creates: `then` is `reconcile` or `hold`, `settle` is in seconds.

    `marker` is whether goals carry markers.
    """

    then: str = "reconcile"
    settle: float = 300.0
    marker: bool = True


class Check(Struct, frozen=True, kw_only=True):
    """A condition on the result of a completed run; `reason` becomes the item's reason where it fails."""

    expr: str
    reason: str = "check_failed"


class OutputRules(Struct, frozen=True, kw_only=True):
    """The table's path, as written (relative to the manifest, with {{ batch }}), and its columns."""

    path: str | None = None
    explode: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


class ColumnComparison(Struct, frozen=True, kw_only=True):
    """The comparison of two values of a result's property.

    `use` is `compare`, `ignore` (they count as equal) or `key` (they tell which records of an exploded list
    belong together). Numbers count as equal if they differ by no more than `tolerance`, which is a share of
    the earlier number in percent if `is_percent`.
    """

    use: str = "compare"
    tolerance: float = 0.0
    is_percent: bool = False


class Rules(Struct, frozen=True, kw_only=True):
    """All rules of one batch; they are not part of an item's identity, so a change applies at once.

    An item takes a result of an earlier batch that is at most `fresh_for` seconds old; None: never.
    """

    limits: Limits = field(default_factory=Limits)
    retry: RetryRules = field(default_factory=RetryRules)
    unanswered: UnansweredRules = field(default_factory=UnansweredRules)
    checks: tuple[Check, ...] = ()
    block_search: BlockSearch = BlockSearch.OFF
    output: OutputRules = field(default_factory=OutputRules)
    compare: Mapping[str, ColumnComparison] = field(default_factory=dict)
    fresh_for: float | None = None
    budget: Budget | None = None
    notify: tuple[Target, ...] = ()


def rules_from(manifest: Mapping[str, Any]) -> Rules:
    """Return the rules of a manifest that is stored in a journal (see `Manifest.resolved`).

    A journal of an earlier version lacks some of them, which then have their defaults.
    """
    found = manifest["rules"]
    limits, retry, output = found["limits"], found["retry"], found["output"]
    halt, bounds = limits["halt"], limits["concurrency"]
    return Rules(
        limits=Limits(
            **{
                **limits,
                "concurrency": Bounds(**bounds) if isinstance(bounds, dict) else Bounds.fixed(bounds),
                "halt": None if halt is None else Share(**halt),
            }
        ),
        retry=RetryRules(**{**retry, "on": tuple(retry["on"])}),
        unanswered=UnansweredRules(**found["unanswered"]),
        checks=tuple(Check(**check) for check in found["checks"]),
        block_search=BlockSearch(found.get("block_search", BlockSearch.OFF)),
        output=OutputRules(**output),
        compare={name: ColumnComparison(**one) for name, one in found.get("compare", {}).items()},
        fresh_for=found.get("fresh_for"),
        budget=budget_from(manifest),
        notify=tuple(map(_target_from, found.get("notify", ()))),
    )


def budget_from(manifest: Mapping[str, Any]) -> Budget | None:
    """Return the budget of a manifest that is stored in a journal; those of earlier versions have none."""
    found = manifest.get("rules", {}).get("budget")
    return None if found is None else Budget(**found)


def _target_from(found: Mapping[str, Any]) -> Target:
    return Target(
        **{
            **found,
            "channel": Channel(found["channel"]),
            "argv": tuple(found["argv"]),
            "on": tuple(map(BatchEvent, found["on"])),
            "include": tuple(found["include"]),
        }
    )
