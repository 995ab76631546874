"""The formatter of log lines, with control characters escaped."""

from __future__ import annotations

import logging

from batchfish.core.describe import harmless


class HarmlessFormatter(logging.Formatter):
    """Formats records so that no text of a page or of the API in them controls the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return harmless(super().format(record))
