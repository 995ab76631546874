"""Builds the facts and histories that reports are made of."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from batchfish.core.histories import AttemptTimes, ItemHistory
from batchfish.core.items import AttemptState
from batchfish.report.facts import BatchFacts, Bound
from batchfish.report.page import render_report

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGAN = 1_795_924_800.0  # 2026-11-29 04:00 UTC
NOW = BEGAN + 3_600.0


def attempt(
    created: float | None = 0.0, started: float | None = 1.0, finished: float | None = 5.0, **more: object
) -> AttemptTimes:
    """Return an attempt that has ended; times are seconds since the batch began."""
    created, started, finished = (None if at is None else BEGAN + at for at in (created, started, finished))
    values: dict[str, Any] = {
        "k": 1,
        "state": AttemptState.ENDED,
        "sent_at": BEGAN if created is None else created,
        "created_at": created,
        "started_at": started,
        "finished_at": finished,
        "steps": 3,
        **more,
    }
    return AttemptTimes(**values)


def item(row: int = 1, *attempts: AttemptTimes, **more: object) -> ItemHistory:
    """Return an item that has succeeded by the last of its attempts."""
    made = attempts or (attempt(),)
    values: dict[str, Any] = {
        "id": f"i{row}",
        "row": row,
        "url": f"https://shop.example/{row}",
        "status": "succeeded",
        "wanted": True,
        "follows": made[-1].k,
        "attempts": made,
        **more,
    }
    return ItemHistory(**values)


def facts(histories: Sequence[ItemHistory] = (), **more: object) -> BatchFacts:
    """Return the facts of a batch of these items."""
    wanted = [one.status for one in histories if one.wanted]
    values: dict[str, Any] = {
        "name": "shop",
        "description": None,
        "api": "https://agent.example",
        "manifest": "/jobs/shop.yaml",
        "began_at": BEGAN,
        "now": NOW,
        "counts": {status: wanted.count(status) for status in wanted},
        "version": "1.2.3",
        "bounds": [Bound(BEGAN, 10)],
        "bound_name": "up to 10 runs at once",
        **more,
    }
    return BatchFacts(**values)


def page_of(*histories: ItemHistory, **more: object) -> Document:
    """Return the report of a batch of these items, parsed."""
    return Document(render_report(facts(histories, **more), histories))


class Document(HTMLParser):
    """A page as a browser would see it: its elements with their attributes, and its text."""

    VOID = frozenset({"br", "input", "link", "meta"})

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self._text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is given twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        match self._open[-1:]:
            case ["script"]:
                self.scripts.append(data)
            case ["style"]:
                self.styles.append(data)
            case _:
                self._text.append(data)

    @property
    def text(self) -> str:
        """The words of the page, with single spaces."""
        return " ".join(" ".join(self._text).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of every element of this name."""
        return [attributes for name, attributes in self.elements if name == tag]
