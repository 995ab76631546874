"""The YAML manifest apart from its items: name, period, variables, defaults, source and rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from batchfish.core.describe import Keys, name_kind, quote
from batchfish.core.periods import PERIODS
from batchfish.core.rules import Rules
from batchfish.manifest.document import Document, PassedOver
from batchfish.manifest.notifications import NOTIFY_KEYS
from batchfish.manifest.problems import Problems, Refused, RefusedLine
from batchfish.manifest.request import REQUEST_FIELDS, SECRET_HINTS, check_request, check_text
from batchfish.manifest.row import ITEM_KEYS, RESERVED, read_variables
from batchfish.manifest.rule_sections import CHECK_KEYS, RULE_KEYS, RULE_TABLES, RULE_VALUES, read_rules
from batchfish.manifest.text_files import TextFile, open_text
from batchfish.manifest.values import (
    Fault,
    Table,
    one_of,
    read_map,
    read_text,
)

if TYPE_CHECKING:
    from pathlib import Path

FORMAT_VERSION = 1
LONGEST_NAME = 80
"""In bytes, so that a file can still be named so with a suffix."""
_NAME = re.compile(r"\w(?:[\w-]|\.(?![0-9]+$)(?!db$))*")
_TEXTS = ("name", "description", "vars")


class SourceSettings(Struct, frozen=True, kw_only=True):
    """The section `source` of a manifest."""

    path: str
    id: str | None = None
    url: str | None = None
    where: str | None = None


class Sections(Struct, frozen=True, kw_only=True):
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


def read_sections(file: TextFile, problems: Problems) -> Sections | None:
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
    sections = _read_sections(document, faults)
    for fault in faults:
        problems.add(file.path, document.line_of(fault.keys), fault.message, fault.remedy)
    return sections


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


def _read_sections(document: Document, faults: list[Fault]) -> Sections:
    if not isinstance(document.value, Mapping):
        message = f"a manifest is a map, not {name_kind(document.value)}"
        faults.append(Fault(keys=(), message=message, remedy="It begins with `batchfish: 1`."))
        return Sections(document=document)
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
    return Sections(
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


_SOURCE: Table = {"id": read_text, "path": read_text, "url": read_text, "where": read_text}
_TOP: Table = {
    **RULE_VALUES,
    **dict.fromkeys(RULE_TABLES, _keep),
    "batchfish": _read_version,
    "checks": _keep,
    "defaults": _keep,
    "description": _read_clean_text,
    "items": _read_items,
    "name": read_name,
    "notify": _keep,
    "period": one_of(*PERIODS),
    "source": _keep,
    "vars": _keep,
}
KEYS: Table = {
    **_TOP,
    **RULE_TABLES,
    "checks": CHECK_KEYS,
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
