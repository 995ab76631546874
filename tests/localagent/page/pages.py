"""Pages for the reader's tests, and what it makes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.read import read_page

if TYPE_CHECKING:
    from batchfish.localagent.page.read import Reading

TEXT, NUMBER, DAY = {"type": "string"}, {"type": "number"}, {"type": "string", "format": "date"}


def record(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - schemas
    """Return the schema of an object with these properties, all required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def several(list_name: str, /, **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the schema of an object that holds a list of such records."""
    return record(**{list_name: {"type": "array", "items": record(**properties)}})


def read(body: str, schema: Any = None, goal: str = "x", *, head: str = "", lang: str = "en") -> Reading:  # noqa: ANN401
    """Read a page with this body."""
    page = f"<!doctype html><html lang={lang}><head>{head}</head><body>{body}</body></html>"
    return read_page(page, url="https://shop.example/a", goal=goal, schema=schema)
