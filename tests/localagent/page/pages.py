"""Small pages around a body, and schemas written short: what the tests of the reader share."""

from __future__ import annotations

from typing import Any

from batchfish.localagent.page.read import Reading, read_page

NULL = {"nullable": True}


def schema(**properties: str | dict[str, Any]) -> dict[str, Any]:
    """Ask for properties: a type name, or a schema of their own; all are required."""
    spelled = {name: {"type": kind} if isinstance(kind, str) else kind for name, kind in properties.items()}
    return {"type": "object", "properties": spelled, "required": list(spelled)}


def look(
    body: str, *, head: str = "<title>Page</title>", lang: str = "en", **properties: str | dict[str, Any]
) -> Reading:
    filler = "<p>" + "Words that fill the page so that it looks like any other. " * 5 + "</p>"
    start = f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8">{head}</head>'
    page = f"{start}<body>{body}{filler}</body></html>"
    return read_page(page, url="http://a.example/p", schema=schema(**properties))


def records(body: str, **properties: str | dict[str, Any]) -> Any:  # noqa: ANN401 - a result or None
    """Read a list of things with some properties; None where the page fails."""
    reading = look(body, things={"type": "array", "items": schema(**properties)})
    return reading.result and reading.result["things"]
