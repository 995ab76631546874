"""What an answer other than 200 means for a look or a cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.errors import BatchfishError, NotPermitted, WebAgentUnavailable, WrongInput
from batchfish.webagent.answers import read_envelope, read_json
from batchfish.webagent.clock import read_retry_after
from batchfish.webagent.http import HttpAnswer, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

ENDPOINT_MISSING = frozenset({404, 405})
_UNAUTHORIZED = 401


def explain(answer: HttpAnswer | NoAnswer, hide: Callable[[str], str]) -> BatchfishError:
    """Make the error to raise; `hide` blots out a secret that the other side has echoed."""
    if isinstance(answer, NoAnswer):
        return WebAgentUnavailable(hide(answer.message))
    error = read_envelope(read_json(answer.body))
    text = hide(f"{answer.status} {error or 'without the error envelope of the API'}")
    if answer.status == _UNAUTHORIZED:
        return NotPermitted(f"the API key is refused: {text}")
    if answer.status in ENDPOINT_MISSING:
        return WrongInput(f"this is not the Web Agent API, or not at this base URL: {text}")
    return WebAgentUnavailable(text, retry_after=read_retry_after(answer.headers))


def is_from_api(answer: HttpAnswer) -> bool:
    """Whether the API itself refused: then a 404 is about the run, else about the whole endpoint."""
    return read_envelope(read_json(answer.body)) is not None
