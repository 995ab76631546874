"""`python -m batchfish` is the command `batchfish`."""

import sys

from batchfish.cli.main import main

sys.exit(main())
