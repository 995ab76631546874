"""Pages for the reader's tests, and what it makes of them."""

import json
from typing import Any

from batchfish.localagent.page.read import Reading, read_page

TEXT, NUMBER, DAY = {"type": "string"}, {"type": "number"}, {"type": "string", "format": "date"}


def record(**properties: Any) -> dict[str, Any]:  # noqa: ANN401 - schemas
    """Return the schema of an object with these properties, all required."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def several(list_name: str, /, **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the schema of an object that holds a list of such records."""
    return record(**{list_name: {"type": "array", "items": record(**properties)}})


def linked(data: object) -> str:
    """Return a head that holds JSON-LD."""
    return f"<title>Fez | Hats</title><script type='application/ld+json'>{json.dumps(data)}</script>"


def read(body: str, schema: Any = None, goal: str = "x", *, head: str = "", lang: str = "en") -> Reading:  # noqa: ANN401
    """Read a page with this body."""
    page = f"<!doctype html><html lang={lang}><head>{head}</head><body>{body}</body></html>"
    return read_page(page, url="https://shop.example/a", goal=goal, schema=schema)
