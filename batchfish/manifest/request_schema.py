"""The JSON Schemas of the request fields and of `output_schema`, which are part of that of manifests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchfish.core.schema import FORMATS, TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    Schema = Mapping[str, Any]

COUNT = {"type": "integer", "minimum": 0}
TEXT = {"type": "string", "pattern": r"\S"}
HTTP_URL = {"type": "string", "pattern": r"^\s*(?:[Hh][Tt][Tt][Pp][Ss]?://|.*\{\{)"}
WEBHOOK_URL = {
    "type": "string",
    "pattern": r"^(?:https://|http://(?:127\.0\.0\.1|localhost|\[::1\]))",
}
"""Schemas of values: whole numbers, texts that are not blank, URLs or templates that make one, webhooks."""


def map_of(description: str, properties: Schema, *, required: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the schema of a map with these keys and no others."""
    found = {
        "description": description,
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    return {**found, "required": list(required)} if required else found


ASKED: Schema = {
    "url": {"description": "The page to open; may contain {{ variables }}", **HTTP_URL},
    "goal": {
        "description": "What to read there, in words; may contain {{ variables }}",
        **TEXT,
        "examples": ["Read the title and the price."],
    },
}

REQUEST: Schema = {
    "output_schema": {"$ref": "#/$defs/output_schema"},
    "browser_profile": {"description": "The kind of browser", "enum": ["lite", "stealth"]},
    "proxy_config": map_of(
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
            "username": {"description": "The user name at your own proxy", **TEXT},
            "password_env": {
                "description": "The name of the environment variable that holds its password",
                "type": "string",
                "pattern": r"^[A-Za-z_][A-Za-z0-9_]*$",
            },
        },
    ),
    "agent_config": map_of(
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
    "capture_config": map_of(
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
        "items": TEXT,
    },
    "use_profile": {"description": "Use a stored browser profile", "type": "boolean"},
    "profile_id": {"description": "The profile to use; needs `use_profile: true`", **TEXT},
    "webhook_url": {"description": "The API calls this address when a run has ended", **WEBHOOK_URL},
    "api_integration": {"description": "The name of your integration, for the API's statistics", **TEXT},
}

_NAMES = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
OUTPUT_SCHEMA: Schema = map_of(
    "The form of the result: the API's subset of JSON Schema; at the top an object",
    {
        "type": {"enum": list(TYPES)},
        "properties": {"type": "object", "additionalProperties": {"$ref": "#/$defs/output_schema"}},
        "required": {"description": "The properties that a result must have", **_NAMES},
        "propertyOrdering": {"description": "The order of the properties", **_NAMES},
        "items": {"description": "The form of each entry of a list", "$ref": "#/$defs/output_schema"},
        "minItems": COUNT,
        "maxItems": COUNT,
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
