"""Processes that are stopped while they write to a pipe, as by Ctrl-Z: what they write is then cut in two."""

from __future__ import annotations

import os
import select
import signal

from tests.endtoend.serving import until


def stop_while_it_writes(process: int) -> None:
    """Wait until a child's standard output, a pipe, is full; stop the child, and let it go on."""
    pipe = os.open(f"/proc/{process}/fd/1", os.O_WRONLY | os.O_NONBLOCK)
    try:
        until(lambda: not select.select([], [pipe], [], 0)[1])
    finally:
        os.close(pipe)
    os.kill(process, signal.SIGSTOP)
    os.waitid(os.P_PID, process, os.WSTOPPED)
    os.kill(process, signal.SIGCONT)
