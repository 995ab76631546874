"""What an answer other than 200 means for a look or a cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.core.json_text import read_unambiguous
from batchfish.errors import BatchfishError, NotPermitted, WebAgentUnavailable, WrongInput
from batchfish.webagent.answers import read_envelope
from batchfish.webagent.http import HttpAnswer, NoAnswer
from batchfish.webagent.http_dates import note_retry_after, read_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable

ENDPOINT_MISSING = frozenset({404, 405})
_UNAUTHORIZED = 401


class NoSuchEndpoint(WrongInput):
    """404 or 405 of a whole endpoint; `is_page` says that the answer was not JSON, as from a gateway."""

    def __init__(self, message: str, *, is_page: bool) -> None:
        """Keep what kind of answer it was."""
        super().__init__(message)
        self.is_page = is_page


class Acquaintance:
    """Remembers whether the API has answered in this process: then it is where we look for it.

    A missing endpoint that is told by a page instead of JSON is then a failure of something in between (a
    gateway, a captive portal), and is to be tried again.
    """

    def __init__(self) -> None:
        """Begin without an answer."""
        self.has_answered = False

    def judge(self, error: BatchfishError) -> BatchfishError:
        """Return the error to raise instead of one that `explain` made."""
        if self.has_answered and isinstance(error, NoSuchEndpoint) and error.is_page:
            return WebAgentUnavailable(f"{error}, but the API has answered there before")
        return error


def explain(answer: HttpAnswer | NoAnswer, hide: Callable[[str], str]) -> BatchfishError:
    """Make the error to raise; `hide` blots out a secret that the other side has echoed."""
    if isinstance(answer, NoAnswer):
        return WebAgentUnavailable(hide(answer.message))
    error = read_envelope(read_unambiguous(answer.body))
    text = hide(f"{answer.status} {error or 'without the error envelope of the API'}")
    if answer.status == _UNAUTHORIZED:
        return NotPermitted(f"the API key is refused: {text}")
    if answer.status in ENDPOINT_MISSING:
        message = f"this is not the Web Agent API, or not at this base URL: {text}"
        return NoSuchEndpoint(message, is_page=is_page(answer))
    return WebAgentUnavailable(
        text + hide(note_retry_after(answer.headers)), retry_after=read_retry_after(answer.headers)
    )


def is_page(answer: HttpAnswer) -> bool:
    """Whether an answer is not JSON: an API would have written that, whichever API it is."""
    return read_unambiguous(answer.body) is None


def is_from_api(answer: HttpAnswer) -> bool:
    """Whether the API itself refused: then a 404 is about the run, else about the whole endpoint."""
    return read_envelope(read_unambiguous(answer.body)) is not None
