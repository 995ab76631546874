"""`python -m batchfish.localagent`: serve the Web Agent API on this machine."""

from __future__ import annotations

import argparse
import logging
import math
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from batchfish.core.log_lines import HarmlessFormatter
from batchfish.errors import BatchfishError, TryLater, WrongInput
from batchfish.localagent.engines.model.endpoint import take_endpoint
from batchfish.localagent.serve_settings import ENGINES, ServeSettings
from batchfish.localagent.simulation.parameters import parse_simulation

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.localagent.attach import Endpoint

WRONG_INPUT = 2
MODEL_PACKAGES = frozenset(["openai", "pydantic_ai"])


class _Parser(argparse.ArgumentParser):
    """Raises WrongInput for a wrong command line: commands that start the agent show it as their own."""

    def error(self, message: str) -> NoReturn:
        raise WrongInput(message.removeprefix("argument "))


def parse(arguments: list[str] | None = None) -> ServeSettings:
    """Parse the command line; the defaults are those of ServeSettings. WrongInput if it is wrong."""
    usual = ServeSettings()
    parser = _Parser(prog="python -m batchfish.localagent", description=__doc__)
    parser.add_argument(
        "--port", type=int, default=usual.port, help="0 takes a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--site", type=Path, metavar="FOLDER", help="serve the pages in this folder as http://….example"
    )
    parser.add_argument(
        "--engine", choices=ENGINES, default=usual.engine, help="how pages are read (default: %(default)s)"
    )
    parser.add_argument(
        "--chromium", type=Path, metavar="FILE", help="the browser's executable (default: look on PATH)"
    )
    parser.add_argument("--cap", type=int, default=usual.cap, help="runs at once (default: %(default)s)")
    parser.add_argument(
        "--store", type=Path, metavar="FILE", help="keep the runs in this file (default: in memory)"
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="keep the API key in this file; a new file gets a new key (default: a new key at each start)",
    )
    parser.add_argument(
        "--port-file",
        type=Path,
        metavar="FILE",
        help="write {base_url, token, pid} to this file when ready, and remove it at the end",
    )
    parser.add_argument(
        "--users", type=Path, metavar="FILE", help="stop when no process holds a lock on this file"
    )
    parser.add_argument(
        "--allow-origin",
        dest="allow_origins",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a server on this machine or a private network that pages and webhooks may use (repeatable)",
    )
    parser.add_argument(
        "--page-interval",
        type=float,
        default=usual.page_interval,
        metavar="SECONDS",
        help="time between two pages of one host, 0 for none; the sample site and allowed origins are not"
        " slowed down (default: %(default)s)",
    )
    parser.add_argument(
        "--heartbeat",
        dest="heartbeat_every",
        type=float,
        default=usual.heartbeat_every,
        metavar="SECONDS",
        help="time between two heartbeats of a stream (default: %(default)s)",
    )
    parser.add_argument(
        "--simulate",
        dest="simulation",
        default="",
        metavar="KEY=VALUE,…",
        help="how --engine simulate behaves",
    )
    given = parser.parse_args(arguments)
    if given.cap < 1:
        parser.error(f"--cap: expected a whole number from 1 on, got {given.cap}")
    if not 0 < given.heartbeat_every < math.inf:
        parser.error(f"--heartbeat: expected more than 0 seconds, got {given.heartbeat_every:g}")
    if not 0 <= given.page_interval < math.inf:
        parser.error(f"--page-interval: expected 0 seconds or more, got {given.page_interval:g}")
    return ServeSettings(
        **{
            **vars(given),
            "allow_origins": tuple(given.allow_origins),
            "simulation": parse_simulation(given.simulation),
            "endpoint": take_endpoint(os.environ) if given.engine == "model" else None,
        }
    )


def main(arguments: list[str] | None = None) -> int:
    """Serve; the exit code is 0, 2 (bad input) or 75 (another agent uses the store)."""
    try:
        run(arguments, greeting)
    except BatchfishError as error:
        sys.stderr.write(f"{error}\n")
        return os.EX_TEMPFAIL if isinstance(error, TryLater) else WRONG_INPUT
    return 0


def run(arguments: list[str] | None, greet: Callable[[Endpoint, ServeSettings], str]) -> None:
    """Serve until stopped; `greet` returns what is printed once the agent listens.

    TryLater if another agent uses the store, WrongInput if the input is wrong or a package is missing.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(HarmlessFormatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    settings = parse(arguments)
    try:
        from batchfish.localagent.serve import serve

        serve(settings, on_ready=lambda endpoint: print(greet(endpoint, settings), flush=True))  # noqa: T201
    except ImportError as missing:
        extra = "model" if missing.name in MODEL_PACKAGES else "local"
        raise WrongInput(
            f"The local agent needs {missing.name}", remedy=f"pip install 'batchfish[{extra}]'"
        ) from None


def greeting(endpoint: Endpoint, settings: ServeSettings) -> str:
    """Return the address of an agent that listens, and how to read its key."""
    listening = f"listening on {endpoint.base_url}"
    if settings.token_file is None:
        return listening
    return (
        f'{listening}\nits API key: export TINYFISH_API_KEY="$(cat {shlex.quote(str(settings.token_file))})"'
    )


if __name__ == "__main__":
    sys.exit(main())
