"""The events of one watched run, as lines for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.webagent.sse import Complete, Heartbeat, Progress, Started, StreamingUrl

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.cli.messages import Console
    from batchfish.webagent.sse import StreamEvent


class Teller:
    """Writes events as lines, each with the seconds since the try began."""

    def __init__(self, console: Console, began_at: float, boottime: Callable[[], float]) -> None:
        self._voice = console
        self._began_at = began_at
        self._boottime = boottime

    def tell(self, event: StreamEvent) -> None:
        """Tell one event; heartbeats only where much is told."""
        match event:
            case Started(run_id=run_id):
                self._line(f"started, run {run_id}")
            case StreamingUrl(url=url):
                self._line(f"watch it at {url}")
            case Progress(purpose=purpose):
                self._line(" ".join(purpose.split()))
            case Heartbeat() if self._voice.is_verbose:
                self._line("still at work")
            case Complete(run=run):
                self._line(run.status.lower())

    def _line(self, text: str) -> None:
        self._voice.say(f"{self._boottime() - self._began_at:7.1f}s  {text}")
