"""`batchfish`, which takes an API on this machine for one on another machine.

    python batchfish_remote.py run FILE [options of batchfish run]

Intervals of polls, numbers of connections and the certificates that are trusted (SSL_CERT_FILE) are then
those for a remote API.
"""

import sys

from batchfish.core import addresses

addresses.is_loopback = lambda _: False  # before the modules that use it are imported

if __name__ == "__main__":
    from batchfish.cli.main import main

    sys.exit(main())
