"""`batchfish serve`: runs the local agent until it is stopped."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli.access import API_KEY, agent_arguments
from batchfish.cli.documents import DocumentType, document
from batchfish.cli.exits import ExitCode
from batchfish.cli.locate import AGENT, HOME
from batchfish.cli.options import AgentOptions, Reporting
from batchfish.cli.parser import Arguments, group, option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.console import Console
    from batchfish.localagent.attach import Endpoint
    from batchfish.localagent.serve_settings import ServeSettings

TOKEN_FILE = Path(HOME) / AGENT / "serve.key"


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `serve`."""

    port: int = option(
        "--port",
        metavar="PORT",
        parse=int,
        default=8765,
        help="listen on this port; 0 takes a free one (default: 8765)",
    )
    store: Path | None = option(
        "--store", metavar="FILE", parse=Path, help="keep the runs in a file (default: in memory)"
    )
    token_file: Path = option(
        "--token-file",
        metavar="FILE",
        parse=Path,
        default=TOKEN_FILE,
        help=f"keep the API key that clients must send in a file (default: {TOKEN_FILE})",
    )
    reporting: Reporting = group(Reporting, "output", only=("json",))
    agent: AgentOptions = group(AgentOptions, "local agent")


def run(options: Options, _env: Mapping[str, str], _console: Console) -> int:
    """Serve the API on this machine until a signal arrives."""
    from batchfish.localagent.__main__ import greeting
    from batchfish.localagent.__main__ import run as serve_until_stopped

    os.environ.pop(API_KEY, None)  # what the agent starts, such as a browser, inherits the environment
    arguments = [
        *agent_arguments(options.agent, Path.cwd()),
        *("--port", str(options.port)),
        *("--token-file", str(options.token_file)),
    ]
    if options.store is not None:
        arguments += ["--store", str(options.store)]
    serve_until_stopped(arguments, _describe if options.reporting.json else greeting)
    return ExitCode.OK


def _describe(endpoint: Endpoint, settings: ServeSettings) -> str:
    """Return the document that is printed once the agent listens."""
    return document(DocumentType.LISTENING, url=endpoint.base_url, key_file=settings.token_file)
