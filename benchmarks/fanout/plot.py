"""Draw the makespans of a saved result, as bars in multiples of the ideal, for light and for dark pages.

    python -m benchmarks.fanout.plot [--results benchmarks/results.json] [--folder docs]

Writes makespan-light.svg and makespan-dark.svg. The scale is logarithmic: a bar that is twice as long stands
for the square of the factor, and the ideal has no length.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LABELS = {
    "batchfish": "batchfish",
    "unsynced": "batchfish, unsynced",
    "sdk": "official SDK, 2 s polls",
    "sdk-fast": "official SDK, 0.25 s polls",
    "httpx": "httpx + tenacity",
    "expert": "expert's aiohttp script",
}
WIDTH, MARGIN, LABEL_WIDTH, VALUE_WIDTH = 760, 16, 176, 64
BAR, GAP, HEADING, AXIS = 16, 6, 34, 30
TICKS = (1, 1.5, 2, 3, 5, 10, 20, 50, 100)


@dataclass(frozen=True, kw_only=True, slots=True)
class Theme:
    """The colours of a drawing; its background is that of the page."""

    text: str
    faint: str
    ours: str
    others: str


THEMES = {
    "light": Theme(text="#1f2328", faint="#d1d9e0", ours="#0969da", others="#8c959f"),
    "dark": Theme(text="#e6edf3", faint="#3d444d", ours="#4493f8", others="#6e7681"),
}


def draw(results: list[dict[str, Any]], theme: Theme) -> str:
    """Return the drawing of all workloads that have an ideal to speak of, as SVG."""
    charts = [(one["title"], _factors(one["medians"])) for one in results if _is_bound(one)]
    longest = max((factor for _, factors in charts for _, factor in factors), default=1.0)
    span = WIDTH - 2 * MARGIN - LABEL_WIDTH - VALUE_WIDTH
    scale = span / math.log(max(longest, TICKS[1]))
    parts: list[str] = []
    top = MARGIN
    for title, factors in charts:
        parts.append(_text(MARGIN, top + 14, title, theme.text, weight=600))
        bars = top + HEADING - GAP
        height = len(factors) * (BAR + GAP)
        left = MARGIN + LABEL_WIDTH
        for tick in (tick for tick in TICKS if tick <= max(longest, TICKS[1])):
            x = left + scale * math.log(tick)
            parts.append(f'<path d="M{x:.1f} {bars - 2}V{bars + height}" stroke="{theme.faint}"/>')
        for name, factor in factors:
            length = max(1.0, scale * math.log(max(factor, 1.0)))
            colour = theme.ours if name == "batchfish" else theme.others
            parts.append(_text(left - 8, bars + 12, LABELS[name], theme.text, anchor="end"))
            parts.append(f'<rect x="{left}" y="{bars}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>')
            parts.append(_text(left + length + 6, bars + 12, f"{factor:.2f} ×", theme.text))
            bars += BAR + GAP
        top = bars + GAP
    for tick in (tick for tick in TICKS if tick <= max(longest, TICKS[1])):
        x = MARGIN + LABEL_WIDTH + scale * math.log(tick)
        parts.append(_text(x, top + 10, f"{tick:g}", theme.text, anchor="middle"))
    parts.append(_text(MARGIN, top + 10, "makespan / ideal", theme.text))
    height = top + AXIS
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}" font-family="system-ui, sans-serif" font-size="12" role="img">'
        f"<title>Time for all runs, in multiples of the shortest possible</title>{''.join(parts)}</svg>\n"
    )


def _is_bound(result: dict[str, Any]) -> bool:
    """Whether runs wait for the server: without a cap the ideal is the longest run."""
    workload: dict[str, Any] = result["workload"]
    return bool(workload["cap"] < workload["runs"])


def _factors(medians: dict[str, dict[str, float]]) -> list[tuple[str, float]]:
    return [(name, one["makespan"] / one["ideal"]) for name, one in medians.items()]


def _text(x: float, y: float, text: str, colour: str, *, anchor: str = "start", weight: int = 400) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"'
        f' font-weight="{weight}">{escape(text)}</text>'
    )


def main() -> None:
    """Write the two drawings."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--results", type=Path, default=ROOT / "benchmarks/results.json", help="what make bench saved"
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "docs", help="where the drawings are written")
    given = parser.parse_args()
    results = json.loads(given.results.read_text(encoding="utf-8"))["results"]
    for name, theme in THEMES.items():
        (given.folder / f"makespan-{name}.svg").write_text(draw(results, theme), encoding="utf-8")


if __name__ == "__main__":
    main()
