"""The scripts that look at pages in the browser, with their words put in."""

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
    """Give the selector engine that finds the controls which may be used."""
    return _script("controls.js")


@cache
def tab_script() -> str:
    """Give the expression that makes the functions which look at a page."""
    return _script("tab.js")


def control(kind: str, *details: str) -> str:
    """Give the selector of the controls of a kind."""
    return f"{CONTROLS}={json.dumps([kind, *details])}"


def _script(name: str) -> str:
    words = tomllib.loads((FOLDER / "controls.toml").read_text("utf-8"))
    return f"({(FOLDER / name).read_text('utf-8')})({json.dumps(words)})"
