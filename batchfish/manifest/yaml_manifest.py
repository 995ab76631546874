"""The YAML manifest apart from its items: name, period, variables, defaults, source and rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from msgspec import Struct, field

from batchfish.core.block_pages import BlockSearch
from batchfish.core.budget import PER, RESERVES, Budget
from batchfish.core.describe import Keys, cut, name_kind, quote
from batchfish.core.expressions import InvalidExpression, compile_condition, compile_template
from batchfish.core.periods import PERIODS
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
from batchfish.manifest.document import Document, PassedOver
from batchfish.manifest.notifications import NOTIFY_KEYS, read_notify
from batchfish.manifest.problems import Problems, Refused, RefusedLine
from batchfish.manifest.request import REQUEST_FIELDS, SECRET_HINTS, check_request, check_text
from batchfish.manifest.row import ITEM_KEYS, RESERVED, read_variables
from batchfish.manifest.text_files import TextFile, open_text
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

FORMAT_VERSION = 1
LONGEST_NAME = 80
"""In bytes, so that a file can still be named so with a suffix."""
_NAME = re.compile(r"\w(?:[\w-]|\.(?![0-9]+$)(?!db$))*")
_TEXTS = ("name", "description", "vars")
CAUSES = ("system_failure", "unknown", "run_timeout")
"""The failures that `retry.on` may name."""
_LONGEST_REASON = 60
MOST_USD, MOST_USD_PER_STEP = 1_000_000, 10
_BUDGET_EXAMPLES = {"usd": "20", "usd_per_step": "0.015"}
_OUTPUT_VARIABLES = ("batch",)


class SourceSettings(Struct, frozen=True, kw_only=True):
    """The section `source` of a manifest."""

    path: str
    id: str | None = None
    url: str | None = None
    where: str | None = None


class Settings(Struct, frozen=True, kw_only=True):
    """The sections of a YAML manifest other than its items; a CSV or JSONL file has none of them."""

    name: str | None = None
    description: str | None = None
    period: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)
    has_items: bool = False
    source: SourceSettings | None = None
    document: Document = field(default_factory=lambda: Document(value={}, lines={}))

    def line_of(self, *keys: str | int) -> int | None:
        """Return the line of a key in the manifest; None if the manifest is not YAML."""
        return self.document.line_of(keys) if self.document.lines else None


def read_settings(file: TextFile, problems: Problems) -> Settings | None:
    """Return the sections of a YAML manifest other than its items; None if it cannot be read at all."""
    from batchfish.manifest.yaml_events import read_document

    try:
        with open_text(file) as stream:
            document = read_document(stream, skip="items", as_text=_TEXTS)
    except RefusedLine as error:
        problems.add(file.path, error.line, str(error), error.remedy)
        return None
    for notation in document.faults:
        problems.add(file.path, notation.line, notation.message, notation.remedy)
    faults: list[Fault] = []
    settings = _read_settings(document, faults)
    for fault in faults:
        problems.add(file.path, document.line_of(fault.keys), fault.message, fault.remedy)
    return settings


def read_rules(sections: Mapping[str, Any], faults: list[Fault]) -> Rules:
    """Return the rules in the sections of a manifest; what is wrong keeps its default."""
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


def read_name(value: object) -> str:
    """Return the name of a batch; raise Refused if a file could not be named so.

    An `@`, a `/` and a number after a dot have meanings of their own.
    """
    text = read_text(value)
    if not _NAME.fullmatch(text) or len(text.encode()) > LONGEST_NAME:
        raise Refused(f"{quote(text)} cannot name a batch", "Use letters, digits, - and _, at most 80.")
    return text


def name_after(path: Path) -> str:
    """Return a name for a batch whose manifest gives none, made of its file's name."""
    letters = re.sub(r"[^\w-]+", "-", path.stem).encode("utf-8", "ignore")
    return letters[:LONGEST_NAME].decode("utf-8", "ignore").strip("-_") or "batch"


def _read_settings(document: Document, faults: list[Fault]) -> Settings:
    if not isinstance(document.value, Mapping):
        message = f"a manifest is a map, not {name_kind(document.value)}"
        faults.append(Fault(keys=(), message=message, remedy="It begins with `batchfish: 1`."))
        return Settings(document=document)
    found = read_map(document.value, _TOP, (), faults, _TOP_HINTS)
    if "batchfish" not in document.value:
        message = "the format version is missing"
        faults.append(
            Fault(keys=(), message=message, remedy=f"Write `batchfish: {FORMAT_VERSION}` at the top.")
        )
    if "items" not in document.value and "source" not in document.value:
        message = "there are neither items nor a source"
        faults.append(Fault(keys=(), message=message, remedy="List `items`, or name a `source` file."))
    source = found.get("source")
    return Settings(
        name=found.get("name"),
        description=found.get("description"),
        period=found.get("period"),
        constants=read_variables(found["vars"], ("vars",), faults) if "vars" in found else {},
        defaults=_read_defaults(found.get("defaults", {}), faults),
        rules=read_rules(found, faults),
        has_items="items" in found,
        source=_read_source(source, faults) if source is not None else None,
        document=document,
    )


def _read_defaults(value: object, faults: list[Fault]) -> dict[str, Any]:
    where: Keys = ("defaults",)
    if not isinstance(value, Mapping):
        faults.append(Fault(keys=where, message=f"defaults: expected a map, got {name_kind(value)}"))
        return {}
    defaults = dict(value)
    for name in ("url", "goal"):
        if name in defaults:
            read_map({name: defaults[name]}, {name: read_text}, where, faults)
    if "id" in defaults:
        del defaults["id"]
        faults.append(Fault(keys=(*where, "id"), message="an id belongs to one item", remedy="Remove it."))
    request = {name: member for name, member in defaults.items() if name not in RESERVED}
    faults += [
        Fault(keys=where + fault.keys, message=fault.message, remedy=fault.remedy)
        for fault in check_request(request)
    ]
    return defaults


def _read_source(value: object, faults: list[Fault]) -> SourceSettings | None:
    found = read_map(value, _SOURCE, ("source",), faults)
    if "path" not in found:
        if isinstance(value, Mapping) and "path" not in value:
            message = "the source has no path"
            faults.append(Fault(keys=("source",), message=message, remedy="Write `path: rows.csv` in it."))
        return None
    return SourceSettings(**found)


def _read_version(value: object) -> int:
    if value != FORMAT_VERSION or isinstance(value, bool):
        raise Refused(
            f"the format version {quote(value)} is unknown", f"Write `batchfish: {FORMAT_VERSION}`."
        )
    return FORMAT_VERSION


def _read_items(value: object) -> bool:
    if not isinstance(value, PassedOver):
        raise Refused(f"expected a list, got {name_kind(value)}", "Begin each item with a dash.")
    if value.count == 0:
        raise Refused("the list is empty", "Add an item, or leave it out and name a `source` file.")
    return True


def _keep(value: object) -> object:
    return value


def _read_clean_text(value: object) -> str:
    text = read_text(value)
    check_text(text)
    return text


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
        found = read_map(written, _CHECK, where, faults)
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


_CHECK: Table = {"expr": _read_condition, "reason": _read_reason}
_TABLES: Mapping[str, Table] = {
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
RULE_KEYS = {section: tuple(table) for section, table in _TABLES.items()}
"""The keys of each section of rules."""
_SOURCE: Table = {"id": read_text, "path": read_text, "url": read_text, "where": read_text}
_TOP: Table = {
    "batchfish": _read_version,
    "budget": _keep,
    "blocked": _read_block_search,
    "checks": _keep,
    "compare": _read_comparisons,
    "defaults": _keep,
    "description": _read_clean_text,
    "fresh_for": optional(parse_duration),
    "items": _read_items,
    "limits": _keep,
    "name": read_name,
    "notify": _keep,
    "output": _keep,
    "period": one_of(*PERIODS),
    "retry": _keep,
    "source": _keep,
    "unanswered": _keep,
    "vars": _keep,
}
KEYS: Table = {
    **_TOP,
    **_TABLES,
    "checks": _CHECK,
    "defaults": {"url": read_text, "goal": read_text, **REQUEST_FIELDS},
    "items": {name: REQUEST_FIELDS.get(name, _keep) for name in ITEM_KEYS},
    "notify": NOTIFY_KEYS,
    "source": _SOURCE,
}
"""Every key of a YAML manifest; below a list's name the keys of its entries."""
# A key one level too high is not a typo: the hint says where it belongs.
_TOP_HINTS = {
    **{name: f"It belongs under `{section}`." for section, names in RULE_KEYS.items() for name in names},
    **dict.fromkeys(("url", "goal", *REQUEST_FIELDS), "It belongs under `defaults`."),
    **SECRET_HINTS,
}
