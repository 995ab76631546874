"""Runs as the API describes them, unknown statuses and codes included, and the verdicts on them."""

from __future__ import annotations

from msgspec import Struct


class RunError(Struct, frozen=True, kw_only=True):
    """The API's description of a failure; `code` and `category` are in upper case.

    `retry_after` is seconds; `never_retry` is whether the API sent an explicit null there.
    """

    message: str
    code: str | None = None
    category: str = "UNKNOWN"
    retry_after: float | None = None
    never_retry: bool = False


class RunSnapshot(Struct, frozen=True, kw_only=True):
    """One run as the API described it. Times are epoch seconds of the server's clock.

    `result` is the exact bytes of the JSON value the API sent, None where it sent null or nothing;
    `is_whole_answer` marks the rare result whose answer could not be sliced: then it is the whole body.
    """

    run_id: str
    status: str
    goal: str | None = None
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    steps: int | None = None
    error: RunError | None = None
    streaming_url: str | None = None
    result: bytes | None = None
    is_whole_answer: bool = False

    @property
    def is_final(self) -> bool:
        """Whether the run is over: COMPLETED, FAILED or CANCELLED."""
        return self.status in {"COMPLETED", "FAILED", "CANCELLED"}


class Verdict(Struct, frozen=True, kw_only=True):
    """The verdict on a completed run: the reason and a text if it missed its goal, None if it reached it."""

    reason: str | None = None
    message: str | None = None


REACHED = Verdict()
"""The verdict on a run that reached its goal, and on runs that did not complete."""
