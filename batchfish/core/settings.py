"""The settings of a batch that a person changed after it began, and the rules that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from batchfish.core.budget import spell_usd
from batchfish.core.rules import Share
from batchfish.core.window import Bounds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.core.budget import Budget
    from batchfish.core.rules import Rules

BUDGET, CONCURRENCY, HALT, PAUSED = "budget", "concurrency", "halt", "paused"
"""The names under which a journal keeps them."""

NO_LIMIT = "none"


class Settings(Struct, frozen=True, kw_only=True):
    """The settings that a person changed after the batch began.

    `limits` are the limits that hold instead of the manifest's, by their fields in Limits; None there means
    no limit. `cap` is that of the budget, in micro-dollars; None: as the manifest has it. A batch that
    `is_paused` submits nothing.
    """

    limits: Mapping[str, Bounds | Share | None] = field(default_factory=dict)
    cap: int | None = None
    is_paused: bool = False

    def applied_to(self, rules: Rules) -> Rules:
        """Return the rules with these limits in place of the manifest's, and with this cap of its budget."""
        limits = replace(rules.limits, **self.limits)
        return replace(rules, limits=limits, budget=self.applied_to_budget(rules.budget))

    def applied_to_budget(self, budget: Budget | None) -> Budget | None:
        """Return a manifest's budget with this cap in place of its own."""
        return budget if budget is None or self.cap is None else replace(budget, cap=self.cap)

    def __bool__(self) -> bool:
        """Return whether anything was set."""
        return self.is_paused or bool(self.limits) or self.cap is not None

    @property
    def by_name(self) -> Mapping[str, str | bool | None]:
        """Every setting by its name, as a person writes it; None: as the manifest has it."""
        spelled = {name: NO_LIMIT if value is None else str(value) for name, value in self.limits.items()}
        cap = None if self.cap is None else spell_usd(self.cap).lstrip("$").replace(",", "")
        return {BUDGET: cap, CONCURRENCY: None, HALT: None, **spelled, PAUSED: self.is_paused}

    def __str__(self) -> str:
        """Return them as `paused, concurrency 20, halt none`; an empty text if nothing was set."""
        limits = [f"{name} {value}" for name, value in self.by_name.items() if isinstance(value, str)]
        return ", ".join([PAUSED, *limits] if self.is_paused else limits)


def settings_from(stored: Mapping[str, Any]) -> Settings:
    """Return the settings that a journal keeps under their names; None: as the manifest has it.

    Raises TypeError or ValueError where a value is not of the form that a journal keeps.
    """
    if unknown := stored.keys() - {BUDGET, CONCURRENCY, HALT, PAUSED}:
        raise ValueError(f"not settings: {unknown}")
    limits: dict[str, Bounds | Share | None] = {}
    if (bounds := stored.get(CONCURRENCY)) is not None:
        limits[CONCURRENCY] = Bounds(**bounds)
    if (halt := stored.get(HALT)) is not None:
        limits[HALT] = None if halt == NO_LIMIT else Share(**halt)
    cap = stored.get(BUDGET)
    if not (cap is None or (isinstance(cap, int) and not isinstance(cap, bool) and cap > 0)):
        raise ValueError(f"not a budget: {cap}")
    return Settings(limits=limits, cap=cap, is_paused=bool(stored.get(PAUSED)))
