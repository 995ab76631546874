"""How the API's times are read: dates in headers and bodies, and waits it asks for."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_RETRY_AFTER = 900.0
_FIRST_YEAR, _LAST_YEAR = 1990, 2200


def read_date_header(headers: Mapping[str, str]) -> float | None:
    """Read the answer's own Date as epoch seconds; None where there is none or it is odd."""
    return _read_http_date(headers.get("date", ""))


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Read Retry-After as seconds from 0 to 900, or None.

    A date counts from the answer's own Date, so that no clock of ours is compared with the server's.
    """
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        then, now = _read_http_date(text), read_date_header(headers)
        if then is None or now is None:
            return None
        seconds = then - now
    return None if math.isnan(seconds) else min(max(seconds, 0.0), MAX_RETRY_AFTER)


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


def _read_http_date(text: str) -> float | None:
    try:
        return _to_epoch(parsedate_to_datetime(text))
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _to_epoch(moment: datetime) -> float | None:
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.timestamp()
