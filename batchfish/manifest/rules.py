"""The rules of a batch as a manifest writes them: limits, retry, unanswered, checks and output."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from batchfish.core.describe import Keys, cut, name_kind, quote
from batchfish.core.expressions import InvalidExpression, compile_condition, compile_template
from batchfish.core.rules import Check, Limits, OutputRules, RetryRules, Rules, Share, UnansweredRules
from batchfish.manifest.fields import Fault, Table, one_of, optional, read_boolean, read_map, read_text
from batchfish.manifest.problems import Refused
from batchfish.manifest.units import parse_count, parse_duration, parse_share

_CAUSES = ("system_failure", "unknown", "run_timeout")
_DTYPES = ("bool", "date", "datetime", "float64", "int64", "string")
_TABLE_FORMATS = (".parquet", ".csv", ".jsonl")
_LONGEST_REASON = 60
_OUTPUT_VARIABLES = ("batch",)


def read_rules(sections: Mapping[str, Any], faults: list[Fault]) -> Rules:
    """Read the sections of a manifest that are rules; a fault leaves the default in its place."""
    read = {
        name: read_map(sections[name], table, (name,), faults)
        for name, table in _TABLES.items()
        if name in sections
    }
    unanswered, retry = read.get("unanswered", {}), read.get("retry", {})
    wait = {f"wait_{name}": seconds for name, seconds in retry.pop("wait", {}).items()}
    rules = Rules(
        limits=Limits(**read.get("limits", {})),
        retry=RetryRules(**retry, **wait),
        unanswered=_read_unanswered(unanswered, faults),
        checks=_read_checks(sections["checks"], faults) if "checks" in sections else (),
        output=OutputRules(**read.get("output", {})),
    )
    if rules.retry.wait_initial > rules.retry.wait_max:
        message = "retry.wait.initial is longer than retry.wait.max"
        faults.append(Fault(keys=("retry", "wait"), message=message, remedy="Raise max, or lower initial."))
    return rules


def rules_from(resolved: Mapping[str, Any]) -> Rules:
    """Rebuild the rules from what `Manifest.resolved` gave, out of the journal."""
    found = resolved["rules"]
    limits, retry, output = found["limits"], found["retry"], found["output"]
    halt = limits["halt"]
    return Rules(
        limits=Limits(**{**limits, "halt": None if halt is None else Share(**halt)}),
        retry=RetryRules(**{**retry, "on": tuple(retry["on"])}),
        unanswered=UnansweredRules(**found["unanswered"]),
        checks=tuple(Check(**check) for check in found["checks"]),
        output=OutputRules(**output),
    )


def _read_unanswered(found: Mapping[str, Any], faults: list[Fault]) -> UnansweredRules:
    if found.get("marker") is not False:
        return UnansweredRules(**found)
    if found.get("then") == "reconcile":
        message = "unanswered.then: without the marker, a run cannot be found again"
        faults.append(Fault(keys=("unanswered", "then"), message=message, remedy="Write `then: hold`."))
    return UnansweredRules(**{**found, "then": "hold"})


def _read_checks(value: object, faults: list[Fault]) -> tuple[Check, ...]:
    if not isinstance(value, list):
        faults.append(Fault(keys=("checks",), message=f"checks: expected a list, got {name_kind(value)}"))
        return ()
    checks = []
    for index, entry in enumerate(value):
        where: Keys = ("checks", index)
        written = {"expr": entry} if isinstance(entry, str) else entry
        found = read_map(written, _CHECK, where, faults)
        if "expr" in found:
            checks.append(Check(**found))
        elif isinstance(written, Mapping) and "expr" not in written:
            faults.append(Fault(keys=where, message="a check has no expr", remedy='Write `expr: "…"` in it.'))
    return tuple(checks)


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
        raise Refused(f"{quote(text)} is no reason", "Use letters, digits and _ only, such as wrong_book.")
    return text


def _read_causes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Refused(f"expected a list, got {name_kind(value)}", f"Known here: {', '.join(_CAUSES)}.")
    read = one_of(*_CAUSES)
    return tuple(dict.fromkeys(read(entry) for entry in value))


def _read_output_path(value: object) -> str:
    text = read_text(value)
    try:
        template = compile_template(text)
    except InvalidExpression as error:
        raise Refused(str(error), error.remedy) from None
    if unknown := template.variables.difference(_OUTPUT_VARIABLES):
        raise Refused(f"{quote(min(unknown))} is not known in a path", "Only {{ batch }} is.")
    if PurePath(text).suffix.lower() not in _TABLE_FORMATS:
        raise Refused(f"{quote(text)} is no table file", f"End it with {', '.join(_TABLE_FORMATS)}.")
    return text


def _read_explode(value: object) -> str:
    text = read_text(value)
    parts = text.split(".")
    if parts[0] != "result" or not all(part.isidentifier() for part in parts):
        raise Refused(f"{quote(text)} is no place in the result", "Write it as result.products.")
    return text


def _read_columns(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise Refused(f"expected a map of columns and types, got {name_kind(value)}")
    read = one_of(*_DTYPES)
    columns = {}
    for name, dtype in value.items():
        try:
            columns[name] = read(dtype)
        except Refused as error:
            raise Refused(f"{cut(name)}: {error}", error.remedy) from None
    return columns


_CHECK: Table = {"expr": _read_condition, "reason": _read_reason}
_TABLES: Mapping[str, Table] = {
    "limits": {
        "concurrency": lambda value: parse_count(value, most=10_000),
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

RULE_KEYS = {section: tuple(table) for section, table in _TABLES.items()}
"""Which keys each section of rules has."""
