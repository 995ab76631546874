"""The policy of a batch: its rules, the verdict on its completed runs, and what its runs may cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from batchfish.core.budget import max_steps_of, spell_usd, worst_case
from batchfish.core.describe import several
from batchfish.core.events import Adopted, Intended, RunEnded
from batchfish.core.rules import rules_from
from batchfish.core.runs import REACHED, Verdict
from batchfish.core.verdict import compile_checks, judge_result, judge_run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from batchfish.core.budget import Reservation
    from batchfish.core.events import Event
    from batchfish.core.results import ResultText
    from batchfish.core.rules import Rules
    from batchfish.core.runs import RunSnapshot
    from batchfish.core.verdict import CompiledCheck
    from batchfish.journal.records import Batch, Request


class BatchPolicy(Struct, frozen=True, kw_only=True):
    """The rules of a batch, its compiled checks, and the variables of its manifest."""

    rules: Rules
    checks: Sequence[CompiledCheck] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)

    def judge(self, request: Request, item_id: str, run: RunSnapshot) -> Verdict:
        """Return the verdict on an ended run of an item; REACHED for one that did not complete."""
        if run.status != "COMPLETED":
            return REACHED
        schema, values = self._question(request, item_id)
        return judge_run(run, schema, self.checks, values, block_search=self.rules.block_search)

    def judge_result(self, request: Request, item_id: str, result: ResultText | None) -> Verdict:
        """Return the verdict on the stored result of an item's completed run."""
        schema, values = self._question(request, item_id)
        return judge_result(result, schema, self.checks, values, block_search=self.rules.block_search)

    def _question(self, request: Request, item_id: str) -> tuple[Mapping[str, Any] | None, Mapping[str, Any]]:
        """Return the schema of the result, and the values that checks can use besides it."""
        values = {**self.variables, **request.inputs, "id": item_id, "url": request.url}
        return request.fields.get("output_schema"), values

    def reservation_of(self, event: Event, request: Callable[[], Request]) -> Reservation | None:
        """Return what an attempt reserves with an event: its intent, or the adoption of its run."""
        match event:
            case Intended(reservation=reservation):
                return reservation
            case Adopted() if self.rules.budget is not None:
                return worst_case(self.rules.budget, max_steps_of(request().fields))
            case _:
                return None

    def overrun_of(self, event: Event, request: Callable[[], Request]) -> str | None:
        """Return a message about a run of a request that cost more than any reservation covers, or None."""
        budget = self.rules.budget
        if budget is None or not isinstance(event, RunEnded) or event.run.steps is None:
            return None
        steps, most = event.run.steps, max_steps_of(request().fields)
        if steps <= most:
            return None
        cost, expected = spell_usd(steps * budget.step_price), spell_usd(most * budget.step_price)
        return (
            f"run {event.run.run_id} took {several(steps, 'step')} ({cost}), more than the {most:,} "
            f"({expected}) that it may take: it counts in full"
        )


def policy_of(batch: Batch) -> BatchPolicy:
    """Return the policy of a batch, from the manifest that the journal holds."""
    return policy_from(batch.manifest)


def policy_from(manifest: Mapping[str, Any]) -> BatchPolicy:
    """Return the policy that a manifest sets, as a journal stores it (see `Manifest.resolved`)."""
    rules = rules_from(manifest)
    return BatchPolicy(
        rules=rules,
        checks=compile_checks(rules.checks),
        variables=manifest.get("variables", {}),
    )
