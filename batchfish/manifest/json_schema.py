"""The JSON Schema of YAML manifests (draft 2020-12), by which editors complete and check them.

It describes what the readers of `yaml_manifest`, `row` and `request` accept, key by key. What depends on
several keys or on other files, such as an unknown variable, only `batchfish validate` finds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batchfish.core.block_pages import BlockSearch
from batchfish.core.budget import PER, RESERVES
from batchfish.core.notifications import MESSAGES, BatchEvent
from batchfish.core.periods import PERIODS
from batchfish.core.rules import OUTPUT_TYPES, TABLE_SUFFIXES, Rules
from batchfish.core.window import MOST_ALIVE
from batchfish.manifest.notifications import ADDRESSES
from batchfish.manifest.request_schema import (
    ASKED,
    COUNT,
    HTTP_URL,
    OUTPUT_SCHEMA,
    REQUEST,
    TEXT,
    WEBHOOK_URL,
    map_of,
)
from batchfish.manifest.rule_sections import CAUSES, MOST_USD, MOST_USD_PER_STEP
from batchfish.manifest.values import DURATION, SHARE
from batchfish.manifest.yaml_manifest import FORMAT_VERSION, LONGEST_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    Schema = Mapping[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DEFAULTS = Rules()
_NO_LIMIT = {"enum": ["none", None]}
_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_DURATION = {"type": "string", "pattern": rf"^\s*(?:{DURATION})\s*$", "examples": ["30s", "10m", "2h"]}
_SHARE = {"anyOf": [COUNT, {"type": "string", "pattern": rf"^\s*(?:{SHARE})\s*$"}], "examples": ["20%", 50]}


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of a YAML manifest."""
    return {
        "$schema": DIALECT,
        "title": "batchfish manifest",
        **map_of(
            "What to ask of which URLs, and how hard to try",
            {
                "batchfish": {"description": "The version of the format", "const": FORMAT_VERSION},
                "name": {
                    "description": "Names the batch and its journal (default: the file's name)",
                    "type": ["string", "integer"],
                    "maxLength": LONGEST_NAME,
                    "pattern": r"^[^\s@/%:\\]+$",
                },
                "description": {
                    "description": "What the batch is for",
                    "type": ["string", "number"],
                    "pattern": r"\S",
                },
                "period": {
                    "description": "Make each period, in UTC, a batch of its own (default: one batch)",
                    "enum": list(PERIODS),
                },
                "vars": _variables("Constants for {{ templates }} in all rows"),
                "defaults": map_of("What every item asks, unless it says otherwise", {**ASKED, **REQUEST}),
                "items": {
                    "description": "Items written into the manifest",
                    "type": "array",
                    "minItems": 1,
                    "items": {"$ref": "#/$defs/item"},
                },
                "source": _SOURCE,
                "limits": _LIMITS,
                "retry": _RETRY,
                "unanswered": _UNANSWERED,
                "checks": _CHECKS,
                "blocked": {
                    "description": "Fail a completed run whose result shows a block page (default: off)",
                    "enum": [*BlockSearch, False],
                },
                "output": _OUTPUT,
                "compare": _COMPARE,
                "fresh_for": _limit("Reuse an earlier batch's result up to this age", _DEFAULTS.fresh_for),
                "budget": _BUDGET,
                "notify": _NOTIFY,
            },
            required=("batchfish",),
        ),
        "anyOf": [{"required": ["items"]}, {"required": ["source"]}],
        "$defs": {
            "item": map_of(
                "One URL with its goal",
                {
                    "id": {"description": "The item's name in the table", **_SCALAR},
                    **ASKED,
                    "vars": _variables("The item's own variables for {{ templates }}"),
                    **REQUEST,
                },
            ),
            "output_schema": OUTPUT_SCHEMA,
        },
    }


def manifest_schema_text() -> str:
    """Return the JSON Schema of a YAML manifest as text."""
    return json.dumps(manifest_schema(), indent=2)


def _variables(description: str) -> Schema:
    return {
        "description": description,
        "type": "object",
        "propertyNames": {"not": {"enum": ["goal", "id", "url"]}},
        "additionalProperties": _SCALAR,
    }


def _time(description: str, default: float) -> Schema:
    return {"description": f"{description} (default: {_spell(default)})", **_DURATION}


def _limit(description: str, default: float | None) -> Schema:
    return {
        "description": f"{description} (default: {_spell(default)})",
        "anyOf": [{key: _DURATION[key] for key in ("type", "pattern")}, _NO_LIMIT],
        "examples": [*_DURATION["examples"], "none"],
    }


def _spell(seconds: float | None) -> str:
    """Return a duration as a manifest spells it."""
    if seconds is None:
        return "none"
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def _literally(suffix: str) -> str:
    return rf"\{suffix}"


_SOURCE: Schema = map_of(
    "A file of rows, each of which is an item",
    {
        "path": {
            "description": "The file, relative to the manifest: .csv, .tsv or .jsonl",
            "type": "string",
            "pattern": r"(?i)\.(?:csv|tsv|jsonl|ndjson)$",
        },
        "id": {"description": "The column that names the items", **TEXT},
        "url": {
            "description": "The items' URL, made from the columns",
            **HTTP_URL,
            "examples": ["https://shop.example/{{ sku | urlencode }}"],
        },
        "where": {"description": "Take the rows for which this condition holds", **TEXT},
    },
    required=("path",),
)

_LIMITS: Schema = map_of(
    "Bounds in number and time",
    {
        "concurrency": {
            "description": "Runs alive at once: auto (as many as the API has slots for), "
            "MIN-START-MAX, or a fixed number (default: auto)",
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MOST_ALIVE},
                {"type": "string", "pattern": r"^(?:auto|\d{1,5}(?:-\d{1,5}-\d{1,5})?)$"},
            ],
            "examples": ["auto", "1-10-100", 20],
        },
        "run_timeout": _limit("Cancel a run that takes longer", _DEFAULTS.limits.run_timeout),
        "queue_timeout": _limit(
            "Warn of a run that waits longer for its start", _DEFAULTS.limits.queue_timeout
        ),
        "stuck": _time("Wait no longer for a run that has not changed for this long", _DEFAULTS.limits.stuck),
        "halt": {
            "description": "Stop submitting when more than this number or share of the "
            "items have failed (default: none)",
            "anyOf": [*_SHARE["anyOf"], _NO_LIMIT],
            "examples": _SHARE["examples"],
        },
    },
)

_RETRY: Schema = map_of(
    "Further attempts at items whose run failed",
    {
        "attempts": {
            "description": "Runs that an item may cost, all causes together",
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "default": _DEFAULTS.retry.attempts,
        },
        "on": {
            "description": "The failures after which an item is tried again",
            "type": "array",
            "items": {"enum": list(CAUSES)},
            "default": list(_DEFAULTS.retry.on),
        },
        "wait": map_of(
            "The wait before an attempt: random, up to a bound that doubles",
            {
                "initial": _time("The first bound", _DEFAULTS.retry.wait_initial),
                "max": _time("The last bound", _DEFAULTS.retry.wait_max),
            },
        ),
    },
)

_UNANSWERED: Schema = map_of(
    "Submissions whose answer was lost",
    {
        "then": {
            "description": "Search for the run, or leave the decision to a person",
            "enum": ["reconcile", "hold"],
            "default": _DEFAULTS.unanswered.then,
        },
        "settle": _time(
            "How long the run is searched for before it is believed not to exist",
            _DEFAULTS.unanswered.settle,
        ),
        "marker": {
            "description": "Write a reference line at the end of each goal, by which its "
            "run is found; false means `then: hold`",
            "type": "boolean",
            "default": _DEFAULTS.unanswered.marker,
        },
    },
)

_CHECKS: Schema = {
    "description": "What a completed run must show; the first that fails gives the reason",
    "type": "array",
    "items": {
        "anyOf": [
            TEXT,
            map_of(
                "A condition on `result` and the item's variables",
                {
                    "expr": {"description": "The condition", **TEXT, "examples": ["result.price > 0"]},
                    "reason": {
                        "description": "The item's reason where the condition fails",
                        "type": "string",
                        "pattern": r"^[A-Za-z0-9_]{1,60}$",
                        "examples": ["wrong_book"],
                    },
                },
                required=("expr",),
            ),
        ]
    },
}

_USD: Schema = {"type": "number", "exclusiveMinimum": 0}
_BUDGET: Schema = map_of(
    "What the runs may cost: nothing more is submitted when the next run might exceed it",
    {
        "usd": {"description": "The most to spend, in US dollars", **_USD, "maximum": MOST_USD},
        "usd_per_step": {
            "description": "The price of a step, in US dollars",
            **_USD,
            "maximum": MOST_USD_PER_STEP,
            "examples": [0.015],
        },
        "per": {
            "description": "The batch, all batches of its period, or the journal's runs of a calendar month",
            "enum": list(PER),
            "default": PER[0],
        },
        "reserve": {
            "description": "What a run counts until its steps are known: the most that it may take, or what "
            "95% of the batch's runs have kept to",
            "enum": list(RESERVES),
            "default": RESERVES[0],
        },
    },
    required=("usd", "usd_per_step"),
)

_OUTPUT: Schema = map_of(
    "The table",
    {
        "path": {
            "description": "The table's file, relative to the manifest",
            "type": "string",
            "pattern": rf"(?i)(?:{'|'.join(map(_literally, TABLE_SUFFIXES))})$",
            "default": "results/{{ batch }}.parquet",
        },
        "columns": {
            "description": "The type of a column, where output_schema does not say it",
            "type": "object",
            "additionalProperties": {"enum": list(OUTPUT_TYPES)},
        },
        "explode": {
            "description": "Make a row of each record of this list in the result",
            "type": "string",
            "pattern": r"^result(?:\.\w+)*$",
            "examples": ["result.products"],
        },
    },
)

_COMPARE: Schema = {
    "description": "Differences between two results that `diff` does not show, by property: up to a number, "
    "or a share of the earlier value; ignore; key pairs the records of an exploded list",
    "type": "object",
    "additionalProperties": {
        "anyOf": [
            {"enum": ["ignore", "key"]},
            {"type": "number", "minimum": 0},
            {"type": "string", "pattern": rf"^\s*(?:{SHARE})\s*$"},
        ]
    },
    "examples": [{"price": 0.01, "rating": "2%", "scraped_at": "ignore"}],
}

_VARIABLE_NAME = {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_]*$"}
_NOTIFY: Schema = {
    "description": "Who is told how the batch ended, or that items are held",
    "type": "array",
    "items": {
        **map_of(
            "Where to send which notifications",
            {
                "webhook": {
                    **map_of(
                        "Post a JSON document to this address",
                        {
                            "url_env": {
                                "description": "The name of the environment variable that holds the address",
                                **_VARIABLE_NAME,
                            },
                            "url": {"description": "The address, if it is no secret", **WEBHOOK_URL},
                        },
                    ),
                    "minProperties": 1,
                    "maxProperties": 1,
                },
                "command": {
                    "description": "Start this program with these arguments, which may use {{ batch }}, "
                    "{{ event }} and {{ subject }}; it reads the message from standard input",
                    "type": "array",
                    "minItems": 1,
                    "prefixItems": [TEXT],
                    "items": {"type": "string"},
                    "examples": [["mail", "-s", "{{ subject }}", "ann@example.org"]],
                },
                "apprise_env": {
                    "description": "The name of the environment variable that holds an address of apprise",
                    **_VARIABLE_NAME,
                },
                "on": {
                    "description": "The events to tell (default: all)",
                    "type": "array",
                    "minItems": 1,
                    "items": {"enum": list(BatchEvent)},
                    "examples": [["halted", "stopped", "held"]],
                },
                "only_if": {
                    "description": "Tell only if this condition holds; it may use the counts by status, "
                    "added, changed, removed, spent, total and exit_code",
                    **TEXT,
                    "examples": ["failed > 0 or changed > 0"],
                },
                "include": {
                    "description": "Also send the messages of failed and held items, which may quote pages",
                    "type": "array",
                    "items": {"enum": [MESSAGES]},
                },
            },
        ),
        "oneOf": [{"required": [name]} for name in ADDRESSES],
    },
}
