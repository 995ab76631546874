"""The policy of a batch: its rules, and the verdict on its completed runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from batchfish.core.rules import rules_from
from batchfish.core.verdict import REACHED, Verdict, compile_checks, judge_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from batchfish.core.rules import Rules
    from batchfish.core.runs import RunSnapshot
    from batchfish.core.verdict import CompiledCheck
    from batchfish.journal.records import Batch, Request


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchPolicy:
    """The rules of a batch, its compiled checks, and the variables of its manifest."""

    rules: Rules
    checks: Sequence[CompiledCheck] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)

    def judge(self, request: Request, item_id: str, run: RunSnapshot) -> Verdict:
        """Return the verdict on an ended run of an item; REACHED for one that did not complete."""
        if run.status != "COMPLETED":
            return REACHED
        values = {**self.variables, **request.inputs, "id": item_id, "url": request.url}
        return judge_run(run, request.fields.get("output_schema"), self.checks, values)


def policy_of(batch: Batch) -> BatchPolicy:
    """Return the policy of a batch, from the manifest that the journal holds."""
    rules = rules_from(batch.manifest)
    return BatchPolicy(
        rules=rules,
        checks=compile_checks(rules.checks),
        variables=batch.manifest.get("variables", {}),
    )
