"""Times and waits in the API's headers and bodies."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from batchfish.core.backoff import LONGEST_RETRY_AFTER
from batchfish.core.describe import cut

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST_YEAR, _LAST_YEAR = 1990, 2200


def read_date_header(headers: Mapping[str, str]) -> float | None:
    """Return the Date header as epoch seconds; None if it is missing or malformed."""
    return _read_http_date(headers.get("date", ""))


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return Retry-After as seconds from 0 to 900; None if it is missing or malformed.

    A date counts from the Date of the same answer, so that two clocks are never compared.
    """
    seconds = _asked_wait(headers)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def note_retry_after(headers: Mapping[str, str]) -> str:
    """Return a remark for the end of a message if Retry-After is cut or ignored, otherwise an empty text."""
    text = cut(headers.get("retry-after", "").strip(), 40)
    seconds = _asked_wait(headers)
    if seconds is not None and seconds > LONGEST_RETRY_AFTER:
        return f" (its Retry-After, {text!r}, is cut to {LONGEST_RETRY_AFTER / 60:.0f} min)"
    is_bad = bool(text) and (seconds is None or seconds < 0)
    return f" (its Retry-After, {text!r}, is not a valid wait)" if is_bad else ""


def _asked_wait(headers: Mapping[str, str]) -> float | None:
    """Return Retry-After as seconds, without bounds; None if it is missing or malformed."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        then, now = _read_http_date(text, latest=math.inf), read_date_header(headers)
        return None if then is None or now is None else then - now
    return None if math.isnan(seconds) else seconds


def read_age(headers: Mapping[str, str]) -> float:
    """Return the Age header in seconds, for which a cache has kept the answer; 0 if missing or malformed."""
    try:
        age = float(headers.get("age", "0"))
    except ValueError:
        return 0.0
    return max(age, 0.0) if math.isfinite(age) else 0.0


def format_iso_time(at: float) -> str:
    """Return epoch seconds as an ISO-8601 time for a query: UTC, with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_iso_time(text: object) -> float | None:
    """Return an ISO-8601 time with any offset or fraction as epoch seconds; None if it is malformed."""
    return _parse_iso_time(text) if isinstance(text, str) else None


@lru_cache(maxsize=4096)  # each poll of a run shows the same times
def _parse_iso_time(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return _to_epoch(moment)


@lru_cache(maxsize=16)  # the answers of one second have the same Date
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
