"""How the API's times are read: dates in headers and bodies, and waits it asks for."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from batchfish.core.backoff import LONGEST_RETRY_AFTER
from batchfish.core.describe import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST_YEAR, _LAST_YEAR = 1990, 2200


def read_date_header(headers: Mapping[str, str]) -> float | None:
    """Read the answer's own Date as epoch seconds; None where there is none or it is odd."""
    return _read_http_date(headers.get("date", ""))


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After as seconds from 0 to 900, or None.

    A date counts from the answer's own Date, so that no clock of ours is compared with the server's.
    """
    seconds = _asked_wait(headers)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def note_retry_after(headers: Mapping[str, str]) -> str:
    """Return a remark to follow a message if Retry-After is not obeyed as it stands; else an empty text."""
    text = cut(headers.get("retry-after", "").strip(), 40)
    seconds = _asked_wait(headers)
    if seconds is not None and seconds > LONGEST_RETRY_AFTER:
        return f" (its Retry-After, {text!r}, is cut to {LONGEST_RETRY_AFTER / 60:.0f} min)"
    is_bad = bool(text) and (seconds is None or seconds < 0)
    return f" (its Retry-After, {text!r}, is no wait)" if is_bad else ""


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After as seconds; None where it cannot be read."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        then, now = _read_http_date(text, latest=math.inf), read_date_header(headers)
        return None if then is None or now is None else then - now
    return None if math.isnan(seconds) else seconds


def read_age(headers: Mapping[str, str]) -> float:
    """Return the seconds for which a cache has kept an answer; 0 where its `Age` is missing or odd."""
    try:
        age = float(headers.get("age", "0"))
    except ValueError:
        return 0.0
    return max(age, 0.0) if math.isfinite(age) else 0.0


def format_iso_time(at: float) -> str:
    """Return epoch seconds as the API takes them in a query: UTC, with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_iso_time(text: object) -> float | None:
    """Read an ISO-8601 time with any offset or fraction as epoch seconds; None for anything odd."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return _to_epoch(moment)


def _read_http_date(text: str, latest: float = _LAST_YEAR) -> float | None:
    try:
        return _to_epoch(parsedate_to_datetime(text), latest)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _to_epoch(moment: datetime, latest: float = _LAST_YEAR) -> float | None:
    if not _FIRST_YEAR <= moment.year <= latest:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.timestamp()
