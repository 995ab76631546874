"""The verdict on a completed run: whether it reached its goal, which its status does not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from batchfish.core.block_pages import BlockSearch, find_block_page
from batchfish.core.describe import cut
from batchfish.core.expressions import Condition, ExpressionFailed, compile_condition
from batchfish.core.results import ResultText, UnreadableResult, decode_result, read_result
from batchfish.core.runs import REACHED, Verdict
from batchfish.core.schema import find_violations

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from batchfish.core.rules import Check
    from batchfish.core.runs import RunSnapshot

BLOCKED = "blocked"
EMPTY_RESULT = "empty_result"
GOAL_NOT_REACHED = "goal_not_reached"
SCHEMA_MISMATCH = "schema_mismatch"
UNREADABLE_RESULT = "unreadable_result"

_SHOWN_VIOLATIONS = 3


class CompiledCheck(Struct, frozen=True, kw_only=True):
    """A check of the manifest, compiled once."""

    condition: Condition
    reason: str


def compile_checks(checks: Iterable[Check]) -> tuple[CompiledCheck, ...]:
    """Compile the checks of a manifest; InvalidExpression for one that is wrong."""
    return tuple(
        CompiledCheck(condition=compile_condition(check.expr), reason=check.reason) for check in checks
    )


def judge_run(
    run: RunSnapshot,
    schema: Mapping[str, Any] | None,
    checks: Sequence[CompiledCheck],
    values: Mapping[str, Any],
    *,
    block_search: BlockSearch = BlockSearch.OFF,
) -> Verdict:
    """Return the verdict on a completed run; see `judge_result`."""
    raw = run.result
    text = None if raw is None else decode_result(raw, is_whole_answer=run.is_whole_answer)
    return judge_result(text, schema, checks, values, block_search=block_search)


def judge_result(
    text: ResultText | None,
    schema: Mapping[str, Any] | None,
    checks: Sequence[CompiledCheck],
    values: Mapping[str, Any],
    *,
    block_search: BlockSearch = BlockSearch.OFF,
) -> Verdict:
    """Return the verdict on the result of a completed run, with the first reason that applies; never raises.

    `values` are those that checks can use besides `result`: the item's variables, `url` and `id`.
    """
    try:
        result = read_result(text)
    except UnreadableResult as error:
        return Verdict(reason=UNREADABLE_RESULT, message=str(error))
    if is_empty(result):
        return Verdict(reason=EMPTY_RESULT, message="the run completed without a result")
    if (message := _own_failure(result)) is not None:
        return Verdict(reason=GOAL_NOT_REACHED, message=message)
    if (evidence := find_block_page(result, block_search)) is not None:
        return Verdict(reason=BLOCKED, message=evidence)
    if schema and (found := find_violations(result, schema, limit=_SHOWN_VIOLATIONS)):
        return Verdict(reason=SCHEMA_MISMATCH, message="; ".join(str(violation) for violation in found))
    return _ask_checks(checks, {**values, "result": result})


def is_empty(value: object) -> bool:
    """Whether a value holds no number, no boolean and no text except blanks, at any depth."""
    open_values = [value]
    while open_values:
        match open_values.pop():
            case Mapping() as members:
                open_values.extend(members.values())
            case list() as members:
                open_values.extend(members)
            case None:
                pass
            case str() as text if not text.strip():
                pass
            case _:
                return False
    return True


def _own_failure(result: object) -> str | None:
    """Return what a result itself says about a goal that was not reached; None where it says nothing."""
    if not isinstance(result, Mapping):
        return None
    status, error, validation = (result.get(name) for name in ("status", "error", "schema_validation"))
    if isinstance(status, str) and status.strip().lower() == "failure":
        said = "status: failure"
    elif result.get("success") is False:
        said = "success: false"
    elif error and not is_empty(error):
        said = "error"
    elif isinstance(validation, Mapping) and validation.get("valid") is False:
        said = "schema_validation.valid: false"
    else:
        return None
    for name in ("reason", "error_message", "error", "message", "error_type"):
        detail = result.get(name)
        if isinstance(detail, Mapping):
            detail = detail.get("message")
        if isinstance(detail, str) and detail.strip():
            return f"the result says {said}: {cut(detail.strip(), 200)}"
    return f"the result says {said}"


def _ask_checks(checks: Sequence[CompiledCheck], values: Mapping[str, Any]) -> Verdict:
    for check in checks:
        try:
            if check.condition.holds(values):
                continue
            message = f"the check {cut(check.condition.text, 200)} does not hold"
        except ExpressionFailed as error:
            message = (
                f"the check {cut(check.condition.text, 200)} cannot be evaluated: {cut(str(error), 200)}"
            )
        return Verdict(reason=check.reason, message=message)
    return REACHED
