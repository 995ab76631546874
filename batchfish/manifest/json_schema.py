"""The JSON Schema of YAML manifests (draft 2020-12), by which editors complete and check them.

It describes what the readers of `yaml_manifest`, `row` and `request` accept, key by key. What depends on
several keys or on other files, such as an unknown variable, only `batchfish validate` finds.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batchfish.core.block_pages import BlockSearch
from batchfish.core.budget import PER, RESERVES
from batchfish.core.periods import PERIODS
from batchfish.core.rules import OUTPUT_TYPES, TABLE_SUFFIXES, Limits, RetryRules, Rules, UnansweredRules
from batchfish.core.schema import FORMATS, TYPES
from batchfish.core.window import MOST_ALIVE
from batchfish.manifest.values import DURATION, SHARE
from batchfish.manifest.yaml_manifest import (
    CAUSES,
    FORMAT_VERSION,
    LONGEST_NAME,
    MOST_USD,
    MOST_USD_PER_STEP,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    Schema = Mapping[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NO_LIMIT = {"enum": ["none", None]}
_COUNT = {"type": "integer", "minimum": 0}
_TEXT = {"type": "string", "pattern": r"\S"}
_SCALAR = {"type": ["string", "number", "boolean", "null"]}
_DURATION = {"type": "string", "pattern": rf"^\s*(?:{DURATION})\s*$", "examples": ["30s", "10m", "2h"]}
_SHARE = {"anyOf": [_COUNT, {"type": "string", "pattern": rf"^\s*(?:{SHARE})\s*$"}], "examples": ["20%", 50]}
_HTTP_URL = {"type": "string", "pattern": r"^\s*(?:[Hh][Tt][Tt][Pp][Ss]?://|.*\{\{)"}


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema of a YAML manifest."""
    return {
        "$schema": DIALECT,
        "title": "batchfish manifest",
        **_map(
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
                "defaults": _map("What every item asks, unless it says otherwise", {**_ASKED, **_REQUEST}),
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
                "fresh_for": _limit("Reuse an earlier batch's result up to this age", Rules().fresh_for),
                "budget": _BUDGET,
            },
            required=("batchfish",),
        ),
        "anyOf": [{"required": ["items"]}, {"required": ["source"]}],
        "$defs": {
            "item": _map(
                "One URL with its goal",
                {
                    "id": {"description": "The item's name in the table", **_SCALAR},
                    **_ASKED,
                    "vars": _variables("The item's own variables for {{ templates }}"),
                    **_REQUEST,
                },
            ),
            "output_schema": _OUTPUT_SCHEMA,
        },
    }


def manifest_schema_text() -> str:
    """Return the JSON Schema of a YAML manifest as text."""
    return json.dumps(manifest_schema(), indent=2)


def _map(description: str, properties: Schema, *, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the schema of a map with these keys and no others."""
    found = {
        "description": description,
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    return {**found, "required": list(required)} if required else found


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


_ASKED: Schema = {
    "url": {"description": "The page to open; may contain {{ variables }}", **_HTTP_URL},
    "goal": {
        "description": "What to read there, in words; may contain {{ variables }}",
        **_TEXT,
        "examples": ["Read the title and the price."],
    },
}

_REQUEST: Schema = {
    "output_schema": {"$ref": "#/$defs/output_schema"},
    "browser_profile": {"description": "The kind of browser", "enum": ["lite", "stealth"]},
    "proxy_config": _map(
        "The proxy through which pages are opened",
        {
            "enabled": {"description": "Use a proxy", "type": "boolean"},
            "type": {"description": "TinyFish's proxies, or one of your own", "enum": ["tetra", "custom"]},
            "country_code": {
                "description": "The country of the proxy",
                "type": "string",
                "pattern": r"^[A-Z]{2}$",
                "examples": ["US", "DE"],
            },
            "url": {
                "description": "The address of your own proxy",
                "type": "string",
                "pattern": r"^(?:https?|socks5)://",
            },
            "username": {"description": "The user name at your own proxy", **_TEXT},
            "password_env": {
                "description": "The name of the environment variable that holds its password",
                "type": "string",
                "pattern": r"^[A-Za-z_][A-Za-z0-9_]*$",
            },
        },
    ),
    "agent_config": _map(
        "How the agent works",
        {
            "mode": {"description": "How closely the agent keeps to the goal", "enum": ["default", "strict"]},
            "max_steps": {
                "description": "End a run after this many steps",
                "type": "integer",
                "minimum": 1,
                "maximum": 500,
            },
            "max_duration_seconds": {
                "description": "End a run after this many seconds",
                "type": "integer",
                "minimum": 1,
                "maximum": 86_400,
            },
            "cursor_style": {
                "description": "The cursor in recordings",
                "enum": ["fish", "standard", "green-pointer"],
            },
        },
    ),
    "capture_config": _map(
        "What the API keeps of a run",
        {
            name: {"description": f"Keep {what}", "type": "boolean"}
            for name, what in (
                ("screenshots", "screenshots of the pages"),
                ("snapshots", "snapshots of the pages"),
                ("html", "the pages' HTML"),
                ("recording", "a recording of the browser"),
                ("elements", "the elements that the agent used"),
            )
        },
    ),
    "use_vault": {"description": "Log in with credentials of the account's vault", "type": "boolean"},
    "credential_item_ids": {
        "description": "The credentials to use; needs `use_vault: true`",
        "type": "array",
        "minItems": 1,
        "items": _TEXT,
    },
    "use_profile": {"description": "Use a stored browser profile", "type": "boolean"},
    "profile_id": {"description": "The profile to use; needs `use_profile: true`", **_TEXT},
    "webhook_url": {
        "description": "The API calls this address when a run has ended",
        "type": "string",
        "pattern": r"^(?:https://|http://(?:127\.0\.0\.1|localhost|\[::1\]))",
    },
    "api_integration": {"description": "The name of your integration, for the API's statistics", **_TEXT},
}

_NAMES = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
_OUTPUT_SCHEMA: Schema = _map(
    "The form of the result: the API's subset of JSON Schema; at the top an object",
    {
        "type": {"enum": list(TYPES)},
        "properties": {"type": "object", "additionalProperties": {"$ref": "#/$defs/output_schema"}},
        "required": {"description": "The properties that a result must have", **_NAMES},
        "propertyOrdering": {"description": "The order of the properties", **_NAMES},
        "items": {"description": "The form of each entry of a list", "$ref": "#/$defs/output_schema"},
        "minItems": _COUNT,
        "maxItems": _COUNT,
        "minimum": {"type": "number"},
        "maximum": {"type": "number"},
        "enum": {
            "description": "The texts that are allowed",
            "type": "array",
            "minItems": 1,
            "items": {"type": "string"},
            "uniqueItems": True,
        },
        "format": {"enum": list(FORMATS)},
        "anyOf": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/output_schema"}},
        "nullable": {"description": "Whether null is allowed where the page has no value", "type": "boolean"},
    },
)

_LIMIT_DEFAULTS, _RETRY_DEFAULTS, _UNANSWERED_DEFAULTS = Limits(), RetryRules(), UnansweredRules()

_SOURCE: Schema = _map(
    "A file of rows, each of which is an item",
    {
        "path": {
            "description": "The file, relative to the manifest: .csv, .tsv or .jsonl",
            "type": "string",
            "pattern": r"(?i)\.(?:csv|tsv|jsonl|ndjson)$",
        },
        "id": {"description": "The column that names the items", **_TEXT},
        "url": {
            "description": "The items' URL, made from the columns",
            **_HTTP_URL,
            "examples": ["https://shop.example/{{ sku | urlencode }}"],
        },
        "where": {"description": "Take the rows for which this condition holds", **_TEXT},
    },
    required=("path",),
)

_LIMITS: Schema = _map(
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
        "run_timeout": _limit("Cancel a run that takes longer", _LIMIT_DEFAULTS.run_timeout),
        "queue_timeout": _limit(
            "Warn of a run that waits longer for its start", _LIMIT_DEFAULTS.queue_timeout
        ),
        "stuck": _time("Wait no longer for a run that has not changed for this long", _LIMIT_DEFAULTS.stuck),
        "halt": {
            "description": "Stop submitting when more than this number or share of the "
            "items have failed (default: none)",
            "anyOf": [*_SHARE["anyOf"], _NO_LIMIT],
            "examples": _SHARE["examples"],
        },
    },
)

_RETRY: Schema = _map(
    "Further attempts at items whose run failed",
    {
        "attempts": {
            "description": "Runs that an item may cost, all causes together",
            "type": "integer",
            "minimum": 1,
            "maximum": 100,
            "default": _RETRY_DEFAULTS.attempts,
        },
        "on": {
            "description": "The failures after which an item is tried again",
            "type": "array",
            "items": {"enum": list(CAUSES)},
            "default": list(_RETRY_DEFAULTS.on),
        },
        "wait": _map(
            "The wait before an attempt: random, up to a bound that doubles",
            {
                "initial": _time("The first bound", _RETRY_DEFAULTS.wait_initial),
                "max": _time("The last bound", _RETRY_DEFAULTS.wait_max),
            },
        ),
    },
)

_UNANSWERED: Schema = _map(
    "Submissions whose answer was lost",
    {
        "then": {
            "description": "Search for the run, or leave the decision to a person",
            "enum": ["reconcile", "hold"],
            "default": _UNANSWERED_DEFAULTS.then,
        },
        "settle": _time(
            "How long the run is searched for before it is believed not to exist",
            _UNANSWERED_DEFAULTS.settle,
        ),
        "marker": {
            "description": "Write a reference line at the end of each goal, by which its "
            "run is found; false means `then: hold`",
            "type": "boolean",
            "default": _UNANSWERED_DEFAULTS.marker,
        },
    },
)

_CHECKS: Schema = {
    "description": "What a completed run must show; the first that fails gives the reason",
    "type": "array",
    "items": {
        "anyOf": [
            _TEXT,
            _map(
                "A condition on `result` and the item's variables",
                {
                    "expr": {"description": "The condition", **_TEXT, "examples": ["result.price > 0"]},
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
_BUDGET: Schema = _map(
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

_OUTPUT: Schema = _map(
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
