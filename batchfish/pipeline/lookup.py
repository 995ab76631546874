"""Runs are looked up by the marker in their goal; a listing that is not complete is no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.core import identity
from batchfish.errors import WebAgentUnavailable
from batchfish.pipeline.patience import looking

if TYPE_CHECKING:
    from batchfish.pipeline.context import Context
    from batchfish.webagent.base import Listing, WebAgent


def search_text(marker: str) -> str:
    """What to search goals for: the marker without its k, so that every attempt of the item is found."""
    return marker[: marker.rindex("-") + 1]


def carries(goal: str | None, marker: str) -> bool:
    """Whether the goal's own last line is this very marker."""
    return goal is not None and str(identity.read_marker(goal)) == marker


async def list_whole(agent: WebAgent, text: str) -> Listing:
    """List the runs whose goal holds this text; WebAgentUnavailable where the listing is not complete.

    One that breaks off is void: it proves no absence, and of two runs of an item it may show the wrong one.
    """
    listing = await agent.find_by_marker(text)
    if not listing.is_complete:
        raise WebAgentUnavailable("the listing of runs was not complete")
    return listing


async def find(ctx: Context, text: str, patience: float) -> Listing:
    """List runs by their goal until the API answers or has not answered for `patience` seconds."""
    since = ctx.clock.boottime()
    async for attempt in looking(ctx, gives_up=lambda: ctx.clock.boottime() - since >= patience):
        with attempt:
            listing = await list_whole(ctx.agent, text)
    ctx.is_answered()
    return listing
