"""`python -m batchfish` is the command `batchfish`."""

import sys

from batchfish.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
