"""Keys and passwords that the other side echoes are blotted out of its words before anybody keeps them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from batchfish.core.runs import RunSnapshot

HIDDEN = "[hidden]"
SHORTEST_PIECE = 4
"""Letters of a secret that a text may end with where it was cut; fewer tell nothing."""


def make_hide(secrets: Iterable[str]) -> Callable[[str], str]:
    """Make the function that blots these secrets out of a text, also one that the text's end cuts off."""
    known = [" ".join(secret.split()) for secret in secrets]

    def hide(text: str) -> str:
        for secret in known:
            text = text.replace(secret, HIDDEN)
        return text if not text.endswith("…") else _hide_piece(text.removesuffix("…"), known) + "…"

    return hide


def _hide_piece(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        for length in range(len(secret) - 1, SHORTEST_PIECE - 1, -1):
            if text.endswith(secret[:length]):
                return text[:-length] + HIDDEN
    return text


def hide_in_run(run: RunSnapshot, hide: Callable[[str], str]) -> RunSnapshot:
    """Blot secrets out of the words of a run's error; its result stays as it came."""
    if run.error is None:
        return run
    error = run.error
    code = hide(error.code) if error.code is not None else None
    return replace(run, error=replace(error, message=hide(error.message), code=code))
