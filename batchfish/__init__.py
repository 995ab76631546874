"""Run many URLs through the Web Agent API, and never pay twice for one of them."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # `typing` takes longer to import than all that the command does before its handlers
if TYPE_CHECKING:
    from batchfish.webagent.client import WebAgentClient

__all__ = ["WebAgentClient", "__version__"]
__version__ = "0.1.0"
"""The version of this package."""

# `import httpx` loads rich and click, where both are installed, for a command line of its own: 60 ms at each
# start. Without this module it goes on as where they are not installed.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]


def __getattr__(name: str) -> object:
    """Import a public class on first use, since importing httpx takes longer than `--help`."""
    if name == "WebAgentClient":
        from batchfish.webagent.client import WebAgentClient

        return WebAgentClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
