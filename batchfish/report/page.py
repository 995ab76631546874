"""The page of a report: its texts and numbers, filled into a template whose every value is escaped."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from batchfish.core.budget import spell_usd
from batchfish.core.describe import harmless, several, spell_duration
from batchfish.core.items import Status
from batchfish.report import charts
from batchfish.report.figures import SPENT_ON, gather, percentile

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jinja2 import Environment

    from batchfish.core.histories import ItemHistory
    from batchfish.report.facts import BatchFacts
    from batchfish.report.figures import Figures

LONGEST_ADDRESS = 120
"""Characters of an address that are shown; the link holds it whole."""

MOST_HELD = 500
MOST_EVENTS = 500

LAYERS = {
    "running": "working",
    "queued": "waiting in the API's queue",
    "alive": "alive or unanswered: what it does is not recorded yet",
    "held": "held: waiting for your decision",
}
DURATIONS = {
    "queue": "From the creation of a run to its start.",
    "run": "From the start of a run to its end.",
}
SPENT_ON_WORDS = {
    "succeeded": "items that succeeded",
    "failed": "items that failed",
    "cancelled": "items that were cancelled",
    "not ended": "items that have not ended",
    "other attempts": "other attempts of these items",
    "removed items": "items no longer in the manifest",
}

_WEB_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\x7f<>\"'`\\]+", re.IGNORECASE)


def render_report(facts: BatchFacts, histories: Iterable[ItemHistory]) -> str:
    """Return the report of a batch as one HTML document, which refers to no other file."""
    figures = gather(histories, now=facts.now, price=facts.price)
    busy = figures.slots.busy()
    template = _environment().get_template("page.html")
    style, script = (_text_of(name) for name in ("report.css", "report.js"))
    return template.render(
        facts=facts,
        figures=figures,
        total=figures.total,
        state=_state(facts),
        items=sum(facts.counts.values()),
        ended=sum(facts.counts.get(status, 0) for status in Status if status.is_final),
        succeeded=facts.counts.get(Status.SUCCEEDED, 0),
        bound=max((one.slots for one in facts.bounds), default=None),
        most_held=MOST_HELD,
        most_events=MOST_EVENTS,
        layer_words=LAYERS,
        duration_words=DURATIONS,
        spent_on=SPENT_ON_WORDS,
        shares=_shares(facts.counts),
        reasons=_reasons(figures),
        slots=charts.draw_slots(figures.slots, facts.bounds, busy),
        durations=[
            ("queue", "Queue time", charts.draw_durations(figures.queue, busy)),
            ("run", "Run time", charts.draw_durations(figures.run, busy)),
        ],
        geometry=charts,
        spending=[(name, figures.spending[name]) for name in SPENT_ON if figures.spending[name].runs],
        steps=_steps(figures),
        worked=sum(end - start for start, end in busy),
        style=style,
        script=script,
        policy=_content_policy(style, script),
    )


@cache
def _environment() -> Environment:
    """Return the templates' environment: it escapes each value, for HTML and against hidden characters."""
    from jinja2 import DictLoader, Environment, StrictUndefined

    environment = Environment(
        loader=DictLoader({name: _text_of(name) for name in ("page.html", "drawings.html")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_show,
    )
    environment.filters.update(
        money=lambda micro_dollars: "" if micro_dollars is None else spell_usd(micro_dollars),
        moment=spell_moment,
        duration=spell_duration,
        several=several,
        web_address=web_address,
        difference=lambda number: f"{number:+,.6g}".replace("-", "\N{MINUS SIGN}"),
        shortened=shortened,
        group=lambda number: f"{number:,}",
        seconds=lambda value: "" if value is None else f"{value:.1f}",
        percent=_percent,
        significant=_significant,
    )
    return environment


def _show(value: object) -> object:
    """Return what is printed for a value of a template; texts of pages keep no hidden characters."""
    return harmless(value) if type(value) is str else value


def web_address(url: str) -> str | None:
    """Return the URL if it is an http or https URL that can be linked, else None."""
    return url if _WEB_ADDRESS.fullmatch(url) and harmless(url) == url else None


def shortened(text: str, length: int = LONGEST_ADDRESS) -> str:
    """Return a text cut to a length, with … for what is left out."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def spell_moment(at: float) -> str:
    """Return a moment (epoch seconds) as a date and a time in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}"


def _percent(part: float, whole: float) -> str:
    """Return a share as `12 %`; one that is small, but not nothing, as `< 1 %`."""
    share = 100 * part / whole if whole else 0.0
    return "< 1 %" if 0 < share < 1 else "> 99 %" if 99 < share < 100 else f"{share:.0f} %"  # noqa: PLR2004 - whole percents


def _significant(value: float) -> str:
    """Return a number with as many places as tell something: `0.35`, `7.8`, `1,234`."""
    if value >= 100:  # noqa: PLR2004 - three digits are enough
        return f"{value:,.0f}"
    return f"{value:.1f}".removesuffix(".0") if value >= 1 else f"{value:.2g}"


def _state(facts: BatchFacts) -> dict[str, str]:
    """Return in words whether the batch is finished, and the class of its colour."""
    if facts.owner is not None:
        return {"kind": "", "words": "running"}
    if facts.exit_code is None:
        return {"kind": " wait", "words": "not finished"}
    kind = "" if facts.exit_code == 0 else " bad"
    return {"kind": kind, "words": f"finished, exit code {facts.exit_code}"}


def _text_of(name: str) -> str:
    return resources.files("batchfish.report").joinpath("templates", name).read_text(encoding="utf-8")


def _content_policy(style: str, script: str) -> str:
    """Return the policy by which a browser loads nothing, and runs this style and this script alone."""
    hashes = [b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _shares(counts: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the statuses that occur, with their places in a bar of 1000 units, in the order of the bar."""
    order = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED, Status.HELD, *Status)
    total = sum(counts.values())
    shares, left = [], 0.0
    for status in dict.fromkeys(order):
        if number := counts.get(status, 0):
            width = 1000 * number / total
            shares.append({"status": status.value, "number": number, "left": left, "width": width})
            left += width
    return shares


def _reasons(figures: Figures) -> list[tuple[str, str, int]]:
    """Return how many items have each reason for not having succeeded, the commonest first."""
    found = figures.reasons.most_common()
    return [(status, reason, number) for (status, reason), number in found if reason is not None]


def _steps(figures: Figures) -> dict[str, float] | None:
    """Return the distribution of the steps of runs; None if the API told of none."""
    if not figures.steps:
        return None
    ordered = sorted(figures.steps)
    return {
        "mean": sum(ordered) / len(ordered),
        "median": percentile(ordered, 0.5),
        "high": percentile(ordered, 0.95),
        "most": ordered[-1],
    }
