"""The home and temporary folder of a browser: removed when it ends, or when the next one starts."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

PREFIX = "batchfish-chromium-"
_NAME = re.compile(rf"{re.escape(PREFIX)}(?P<owner>\d+)-\w+")


def make_home() -> tempfile.TemporaryDirectory[str]:
    """Make a folder that is named after this process; those of processes that were killed are removed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        name = _NAME.fullmatch(folder.name)
        if name is not None and not _is_running(int(name["owner"])):
            shutil.rmtree(folder, ignore_errors=True)  # another user's stays
    return tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-")


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True
