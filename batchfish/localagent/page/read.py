"""One page read: bytes, a goal and a schema in, a result or the reason why there is none out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from batchfish.localagent.page.build import build_page
from batchfish.localagent.page.choices import choice_in
from batchfish.localagent.page.filling import Evidence, Filling
from batchfish.localagent.page.goal import UNCLEAR, understand
from batchfish.localagent.page.meant import of_the_meant
from batchfish.localagent.page.model import Unreadable
from batchfish.localagent.page.plan import plan
from batchfish.localagent.page.untyped import with_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.localagent.page.goal import Asked
    from batchfish.localagent.page.going_on import GoingOn
    from batchfish.localagent.page.model import Page

LABELS_SHOWN = 12
NOT_CHOSEN = (
    "The goal asks for a choice that this reader does not make (“{}”): it reads the records of a list as they"
    " stand on the page, and neither filters nor sorts them. Ask for all of them with the field that decides,"
    " and choose in the table; or leave the words out if the page shows just what is wanted."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """What came of reading a page: a result, or a code and words; and what was matched with what.

    `needs_script`: the page is bare until its scripts have run. `next_url` is where the list goes on, None
    where
    it ends here or no more of it is asked for; `load_more` is the text of the control that adds to it in
    place; `going_on` is for `read_page` to go on with it there.
    """

    result: Any = None
    code: str | None = None
    message: str | None = None
    evidence: tuple[Evidence, ...] = ()
    needs_script: bool = False
    next_url: str | None = None
    load_more: str | None = None
    going_on: GoingOn | None = None


def read_page(
    html: bytes | str,
    *,
    url: str,
    goal: str = "",
    schema: Mapping[str, Any] | None = None,
    content_type: str = "text/html",
    after: GoingOn | None = None,
) -> Reading:
    """Do what a goal asks of a page; what is not surely there is null where it may be, else the page fails.

    `html` is a page as served, or a tree written out by a browser; elements in it that carry `unseen.UNSEEN`
    are those that the browser does not show. `after` is what an earlier page's reading said of the list that
    goes on here: only that list is read then.
    """
    body = html if isinstance(html, bytes) else html.encode("utf-8", "replace")
    kind = content_type if isinstance(html, bytes) else "text/html; charset=utf-8"
    page = build_page(body, url=url, content_type=kind, like=None if after is None else after.key)
    if isinstance(page, Unreadable):
        return Reading(
            code=page.code, message=page.message, needs_script=page.code == "LOCAL_NEEDS_JAVASCRIPT"
        )
    asked = understand(goal, schema)
    if asked.schema is None:
        return Reading(code="LOCAL_GOAL_UNCLEAR", message=UNCLEAR)
    if choice := choice_in(asked.goal, asked.schema):
        return Reading(code="LOCAL_GOAL_CHOOSES", message=NOT_CHOSEN.format(choice))
    fields = plan(asked.schema)
    filling = Filling(of_the_meant(page, fields), asked, after=after)
    result = filling.fill([one for one in fields if after is None or one.name == after.name])
    if filling.missing or not filling.evidence:
        missing = filling.missing or dict.fromkeys(result)
        return Reading(
            code="LOCAL_NOT_FOUND", message=_explain(missing, page), evidence=tuple(filling.evidence)
        )
    if schema is None:
        result = with_numbers(result)
    return _go_on(Reading(result=result, evidence=tuple(filling.evidence)), filling.going_on, asked, page)


def _go_on(reading: Reading, going_on: GoingOn | None, asked: Asked, page: Page) -> Reading:
    """Say where the list goes on, if more of it is wanted and there is more."""
    more, reading = page.more, replace(reading, going_on=going_on)
    if going_on is None or not (more.next_url or more.control) or not asked.wants_more(going_on.found, 0):
        return reading
    if not asked.wants_more(going_on.found, going_on.pages):
        limit = f"stopped after {going_on.pages} pages, as far as is gone; there are more"
        return replace(reading, evidence=(*reading.evidence, Evidence(name=going_on.name, where=limit)))
    return replace(reading, next_url=more.next_url, load_more=more.control)


def _explain(missing: Mapping[str, str | None], page: Page) -> str:
    names = ", ".join(missing)
    doubts = "; ".join(f"{name}: {why}" for name, why in missing.items() if why)
    labels = ", ".join(f"“{name}”" for name in page.labels[:LABELS_SHOWN]) or "none"
    return (
        f"Not surely on the page: {names}.{f' In doubt: {doubts}.' if doubts else ''} Labels seen: {labels}."
    )
