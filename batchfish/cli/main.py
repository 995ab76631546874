"""The entry point of the command `batchfish`, which installs signal handlers before it imports the rest."""

from __future__ import annotations

import atexit
import gc
import sys

from batchfish.cli import interrupts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, also if a signal ends it before its batch has begun."""
    # Hardly anything is in cycles: the usual thresholds cost 2% of a run's CPU, and imports pass them often.
    gc.set_threshold(100_000, 50, 100)
    atexit.register(gc.freeze)  # else all objects are searched and freed one by one before the process ends
    before = interrupts.install()
    try:
        from batchfish.cli.dispatch import dispatch  # slow to import: a signal may arrive meanwhile

        return dispatch(argv)
    except interrupts.Interrupted as interrupted:
        return interrupted.exit_code
    finally:
        interrupts.restore(before)


if __name__ == "__main__":
    sys.exit(main())
