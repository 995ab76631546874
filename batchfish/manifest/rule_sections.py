"""The rules of a YAML manifest, read from its sections: limits, retries, checks, budget, output and so on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from batchfish.core.block_pages import BlockSearch
from batchfish.core.budget import PER, RESERVES, Budget
from batchfish.core.describe import Keys, cut, name_kind, quote
from batchfish.core.expressions import InvalidExpression, compile_condition, compile_template
from batchfish.core.rules import (
    OUTPUT_TYPES,
    TABLE_SUFFIXES,
    Check,
    ColumnComparison,
    Limits,
    OutputRules,
    RetryRules,
    Rules,
    UnansweredRules,
)
from batchfish.manifest.notifications import read_notify
from batchfish.manifest.problems import Refused
from batchfish.manifest.values import (
    Fault,
    Table,
    ValueReader,
    one_of,
    optional,
    parse_comparison,
    parse_concurrency,
    parse_count,
    parse_duration,
    parse_share,
    parse_usd,
    read_boolean,
    read_map,
    read_text,
)

CAUSES = ("system_failure", "unknown", "run_timeout")
"""The failures that `retry.on` may name."""
_LONGEST_REASON = 60
MOST_USD, MOST_USD_PER_STEP = 1_000_000, 10
_BUDGET_EXAMPLES = {"usd": "20", "usd_per_step": "0.015"}
_OUTPUT_VARIABLES = ("batch",)


def read_rules(sections: Mapping[str, Any], faults: list[Fault]) -> Rules:
    """Return the rules of a manifest; what is wrong keeps its default.

    `sections` are the keys of the manifest: those of RULE_VALUES have been read, the others are as written.
    """
    read = {
        name: read_map(sections[name], table, (name,), faults)
        for name, table in RULE_TABLES.items()
        if name in sections
    }
    unanswered, retry = read.get("unanswered", {}), read.get("retry", {})
    wait = {f"wait_{name}": seconds for name, seconds in retry.pop("wait", {}).items()}
    rules = Rules(
        limits=Limits(**read.get("limits", {})),
        retry=RetryRules(**retry, **wait),
        unanswered=_read_unanswered(unanswered, faults),
        checks=_read_checks(sections["checks"], faults) if "checks" in sections else (),
        block_search=sections.get("blocked", BlockSearch.OFF),
        output=OutputRules(**read.get("output", {})),
        compare=sections.get("compare", {}),
        fresh_for=sections.get("fresh_for"),
        budget=_read_budget(sections, read["budget"], faults) if "budget" in read else None,
        notify=read_notify(sections["notify"], faults, has_budget="budget" in sections)
        if "notify" in sections
        else (),
    )
    if rules.fresh_for is not None and "period" not in sections:
        message = "fresh_for: the manifest has no `period`, so that no batch reuses results of another"
        remedy = "Add `period: day`, or remove it: `run --new` pays for every item again."
        faults.append(Fault(keys=("fresh_for",), message=message, remedy=remedy))
    keys = [name for name, one in rules.compare.items() if one.use == "key"]
    if keys and rules.output.explode is None:
        message = f"compare.{cut(keys[0])}: a key tells which records of an exploded list belong together"
        remedy = "Name that list under `output.explode`, or remove the key: items are compared by their ids."
        faults.append(Fault(keys=("compare", keys[0]), message=message, remedy=remedy))
    if rules.retry.wait_initial > rules.retry.wait_max:
        message = "retry.wait.initial is longer than retry.wait.max"
        faults.append(Fault(keys=("retry", "wait"), message=message, remedy="Raise max, or lower initial."))
    return rules


def _read_unanswered(found: Mapping[str, Any], faults: list[Fault]) -> UnansweredRules:
    if found.get("marker") is not False:
        return UnansweredRules(**found)
    if found.get("then") == "reconcile":
        message = "unanswered.then: without the marker, a run cannot be found again"
        faults.append(Fault(keys=("unanswered", "then"), message=message, remedy="Write `then: hold`."))
    return UnansweredRules(**{**found, "then": "hold"})


def _read_budget(sections: Mapping[str, Any], found: Mapping[str, Any], faults: list[Fault]) -> Budget | None:
    """Return the budget; None if it is not complete."""
    where: Keys = ("budget",)
    written = sections["budget"]
    missing = [
        name for name in ("usd", "usd_per_step") if isinstance(written, Mapping) and name not in written
    ]
    for name in missing:
        remedy = f"Write `{name}: {_BUDGET_EXAMPLES[name]}` in it."
        faults.append(Fault(keys=where, message=f"the budget has no {name}", remedy=remedy))
    if found.get("per") == "period" and sections.get("period") is None:
        message = "budget.per: the manifest has no `period` that the budget could be for"
        faults.append(
            Fault(keys=(*where, "per"), message=message, remedy="Write `period: day`, or `per: batch`.")
        )
    if not {"usd", "usd_per_step"} <= found.keys():
        return None
    more = {name: found[name] for name in ("per", "reserve") if name in found}
    return Budget(cap=found["usd"], step_price=found["usd_per_step"], **more)


def _read_checks(value: object, faults: list[Fault]) -> tuple[Check, ...]:
    if not isinstance(value, list):
        faults.append(Fault(keys=("checks",), message=f"checks: expected a list, got {name_kind(value)}"))
        return ()
    checks = []
    for index, entry in enumerate(value):
        where: Keys = ("checks", index)
        written = {"expr": entry} if isinstance(entry, str) else entry
        found = read_map(written, CHECK_KEYS, where, faults)
        if "expr" in found:
            checks.append(Check(**found))
        elif isinstance(written, Mapping) and "expr" not in written:
            faults.append(Fault(keys=where, message="a check has no expr", remedy='Write `expr: "…"` in it.'))
    return tuple(checks)


def _read_block_search(value: object) -> BlockSearch:
    # YAML reads a bare `off` as false.
    return BlockSearch(one_of(*BlockSearch)(BlockSearch.OFF.value if value is False else value))


def _read_condition(value: object) -> str:
    text = read_text(value)
    try:
        compile_condition(text)
    except InvalidExpression as error:
        raise Refused(f"{error} in {quote(text)}", error.remedy) from None
    return text


def _read_reason(value: object) -> str:
    text = read_text(value)
    if len(text) > _LONGEST_REASON or not text.replace("_", "a").isalnum() or not text.isascii():
        raise Refused(
            f"{quote(text)} is not a valid reason", "Use letters, digits and _ only, such as wrong_book."
        )
    return text


def _read_causes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Refused(f"expected a list, got {name_kind(value)}", f"Known: {', '.join(CAUSES)}.")
    read = one_of(*CAUSES)
    return tuple(dict.fromkeys(read(entry) for entry in value))


def _read_output_path(value: object) -> str:
    text = read_text(value)
    try:
        template = compile_template(text)
    except InvalidExpression as error:
        raise Refused(str(error), error.remedy) from None
    if unknown := template.variables.difference(_OUTPUT_VARIABLES):
        raise Refused(f"{quote(min(unknown))} is not known in a path", "Only {{ batch }} is.")
    if PurePath(text).suffix.lower() not in TABLE_SUFFIXES:
        raise Refused(f"{quote(text)} is not a table file", f"End it with {', '.join(TABLE_SUFFIXES)}.")
    return text


def _read_explode(value: object) -> str:
    text = read_text(value)
    parts = text.split(".")
    if parts[0] != "result" or not all(part.isidentifier() for part in parts):
        raise Refused(f"{quote(text)} is not a path into the result", "Write it as result.products.")
    return text


def _read_columns(value: object) -> dict[str, str]:
    return _read_each(value, one_of(*OUTPUT_TYPES), "columns and types")


def _read_comparisons(value: object) -> dict[str, ColumnComparison]:
    return _read_each(value, parse_comparison, "result properties and tolerances")


def _read_each(value: object, read: ValueReader, what: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Refused(f"expected a map of {what}, got {name_kind(value)}")
    found = {}
    for name, member in value.items():
        try:
            found[name] = read(member)
        except Refused as error:
            raise Refused(f"{cut(name)}: {error}", error.remedy) from None
    return found


CHECK_KEYS: Table = {"expr": _read_condition, "reason": _read_reason}
"""The keys of an entry of `checks`."""

RULE_TABLES: Mapping[str, Table] = {
    "budget": {
        "per": one_of(*PER),
        "reserve": one_of(*RESERVES),
        "usd": lambda value: parse_usd(value, most=MOST_USD),
        "usd_per_step": lambda value: parse_usd(value, most=MOST_USD_PER_STEP),
    },
    "limits": {
        "concurrency": parse_concurrency,
        "halt": optional(parse_share),
        "queue_timeout": optional(parse_duration),
        "run_timeout": optional(parse_duration),
        "stuck": parse_duration,
    },
    "retry": {
        "attempts": lambda value: parse_count(value, most=100),
        "on": _read_causes,
        "wait": {"initial": parse_duration, "max": parse_duration},
    },
    "unanswered": {"marker": read_boolean, "settle": parse_duration, "then": one_of("reconcile", "hold")},
    "output": {"columns": _read_columns, "explode": _read_explode, "path": _read_output_path},
}
"""The keys of each section of rules."""

RULE_KEYS = {section: tuple(table) for section, table in RULE_TABLES.items()}
"""The names of these keys."""

RULE_VALUES: Table = {
    "blocked": _read_block_search,
    "compare": _read_comparisons,
    "fresh_for": optional(parse_duration),
}
"""The rules that have no section: keys of the manifest itself."""
