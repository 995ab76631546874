"""The scripts that inspect pages in the browser, with their words filled in."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
CONTROLS = "controls"
"""The name under which the controls of a page are found: `controls=["next"]` is a selector."""


@cache
def controls_script() -> str:
    """Return the selector engine that finds the controls which may be used."""
    return _script("controls.js")


@cache
def tab_script() -> str:
    """Return the expression that creates the functions which inspect a page."""
    return _script("tab.js")


def control(kind: str, *details: str) -> str:
    """Return the selector of the controls of a kind."""
    return f"{CONTROLS}={json.dumps([kind, *details])}"


def _script(name: str) -> str:
    words = tomllib.loads((FOLDER / "controls.toml").read_text("utf-8"))
    return f"({(FOLDER / name).read_text('utf-8')})({json.dumps(words)})"
