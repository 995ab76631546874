"""Log lines hold no control character, whatever a page or the API says."""

from __future__ import annotations

import logging

from batchfish.core.log_lines import HarmlessFormatter


def test_a_log_line_controls_no_terminal() -> None:
    record = logging.LogRecord("httpx", logging.INFO, __file__, 1, "GET %s", ("/\x1b[2J\u202e",), None)
    assert HarmlessFormatter("%(name)s %(message)s").format(record) == "httpx GET /\\x1b[2J\\u202e"
