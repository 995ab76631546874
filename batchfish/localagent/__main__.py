"""`python -m batchfish.localagent`: the local agent as a process of its own."""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from pathlib import Path

from batchfish.errors import BatchfishError, TryLater
from batchfish.localagent.settings import ENGINES, ServeSettings
from batchfish.localagent.simulation.parameters import parse_simulation

WRONG_INPUT = 2


def parse(arguments: list[str] | None = None) -> ServeSettings:
    """Read the command line; the defaults are those of ServeSettings."""
    usual = ServeSettings()
    parser = argparse.ArgumentParser(prog="python -m batchfish.localagent", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=usual.port, help="0 takes a free one (default: %(default)s)"
    )
    parser.add_argument("--site", type=Path, help="folder whose pages are served as http://….example")
    parser.add_argument("--engine", choices=ENGINES, default=usual.engine, help="(default: %(default)s)")
    parser.add_argument("--chromium", type=Path, help="the browser's program (default: found on PATH)")
    parser.add_argument("--cap", type=int, default=usual.cap, help="runs at once (default: %(default)s)")
    parser.add_argument("--store", type=Path, help="file that keeps the runs (default: memory)")
    parser.add_argument("--port-file", type=Path, help="written when ready: {base_url, token, pid}")
    parser.add_argument("--users", type=Path, help="lock file of the users: end when nobody holds it")
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a local server that may be read",
    )
    parser.add_argument("--require-token", action="store_true", help="accept the agent's own token alone")
    parser.add_argument("--token-file", type=Path, help="keeps the token, for its owner's eyes only")
    parser.add_argument(
        "--heartbeat",
        type=float,
        default=usual.heartbeat_every,
        metavar="SECONDS",
        help="between the heartbeats of a stream (default: %(default)s)",
    )
    parser.add_argument("--simulate", default="", metavar="KEY=VALUE,…", help="how --engine simulate behaves")
    given = parser.parse_args(arguments)
    if given.cap < 1:
        parser.error("--cap: at least 1")
    if not 0 < given.heartbeat < math.inf:
        parser.error("--heartbeat: more than 0")
    return ServeSettings(
        port=given.port,
        engine=given.engine,
        chromium=given.chromium,
        cap=given.cap,
        store=given.store,
        site=given.site,
        port_file=given.port_file,
        users=given.users,
        allow_origins=tuple(given.allow_origin),
        require_token=given.require_token,
        token_file=given.token_file,
        heartbeat_every=given.heartbeat,
        simulation=parse_simulation(given.simulate),
    )


def main(arguments: list[str] | None = None) -> int:
    """Serve; the exit code is 0, 2 (what was given is wrong) or 75 (another agent has the store)."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        settings = parse(arguments)
        from batchfish.localagent.serve import serve

        key = f", with the key in {settings.token_file}" if settings.require_token else ""
        serve(settings, tell=lambda endpoint: print(f"listening on {endpoint.base_url}{key}", flush=True))  # noqa: T201
    except ImportError as missing:
        sys.stderr.write(f"The local agent needs {missing.name}: pip install 'batchfish[local]'\n")
        return WRONG_INPUT
    except TryLater as busy:
        sys.stderr.write(f"{busy}\n")
        return os.EX_TEMPFAIL
    except BatchfishError as wrong:
        sys.stderr.write(f"{wrong}\n")
        return WRONG_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
