"""Lists of run ids as the API takes them: checked, without repetitions, a hundred a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from batchfish.webagent.answers import is_run_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def distinct(run_ids: Iterable[str]) -> list[str]:
    """Keep each well-formed id once: the API does not say what it does with repetitions."""
    return [run_id for run_id in dict.fromkeys(run_ids) if is_run_id(run_id)]


def chunks(ids: Sequence[str], size: int) -> list[list[str]]:
    """Cut a list into pieces of at most `size`."""
    return [list(ids[start : start + size]) for start in range(0, len(ids), size)]


def halves(ids: Sequence[str]) -> list[list[str]]:
    """Cut a list of at least two into two."""
    return chunks(ids, (len(ids) + 1) // 2)


def encode_ids(ids: Sequence[str]) -> bytes:
    """Write the body that asks about these runs."""
    return msgspec.json.encode({"run_ids": ids})
