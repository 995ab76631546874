"""The local agent: `serve`, and the one that `--local` uses for the time of a command."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli import places
from batchfish.cli.settings import (
    API_KEY,
    LOCAL_BASE,
    Access,
    check_settle,
    local_access,
    refuse_other_access,
    remote_access,
)
from batchfish.core.rules import rules_from
from batchfish.errors import WrongInput

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterator, Mapping
    from contextlib import ExitStack

    from batchfish.cli.messages import Console
    from batchfish.journal.base import Batch

SITE = Path("sample_inputs") / "site"
SERVE_KEY = "serve.key"


def agent_options(args: Namespace, folder: Path) -> list[str]:
    """Spell the flags of the local agent that the flags of a command ask for."""
    site = args.site.absolute() if args.site is not None else nearest_site(folder)
    options = [] if args.engine is None else ["--engine", args.engine]
    if site is not None:
        options += ["--site", str(site)]
    if args.chromium is not None:
        options += ["--chromium", args.chromium]
    if args.cap is not None:
        options += ["--cap", str(args.cap)]
    if args.simulate:
        options += ["--simulate", args.simulate]
    for origin in args.allow_origin:
        options += ["--allow-origin", origin]
    if args.page_interval is not None:
        options += ["--page-interval", str(args.page_interval)]
    return options


def nearest_site(folder: Path) -> Path | None:
    """Find the sample site nearest above a folder."""
    above = (folder.absolute(), *folder.absolute().parents)
    return next((place / SITE for place in above if (place / SITE).is_dir()), None)


@contextmanager
def local_agent(args: Namespace, env: Mapping[str, str], folder: Path) -> Iterator[Access]:
    """Use a local agent for the time of the block: the one that runs for this folder, or a new one."""
    from batchfish.localagent.attach import local_agent as attach

    home = folder.absolute() / places.HOME / places.AGENT
    without_key = {name: text for name, text in env.items() if name != API_KEY}
    with attach(home, agent_options(args, folder), env=without_key) as endpoint:
        yield local_access(endpoint.base_url, endpoint.token)


def reach(
    args: Namespace, env: Mapping[str, str], batch: Batch, stack: ExitStack, *, may_pay: bool = True
) -> Access:
    """Reach the API that a batch belongs to; WrongInput where flags mean another one.

    NeedsYes where something may be paid for and its doubted creates would be looked for too briefly there.
    """
    refuse_other_access(args, is_local=batch.base_url == LOCAL_BASE)
    if batch.base_url == LOCAL_BASE:
        return stack.enter_context(local_agent(args, env, places.folder_of(batch)))
    access = remote_access(args, env)
    if access.recorded_as != batch.base_url:
        raise WrongInput(f"{batch.name} belongs to {batch.base_url}, not to {access.recorded_as}")
    if may_pay:
        check_settle(args, rules_from(batch.manifest), access)
    return access


def serve(args: Namespace, _env: Mapping[str, str], _voice: Console) -> int:
    """Serve the API on this machine until told to stop."""
    from batchfish.localagent.__main__ import main

    os.environ.pop(API_KEY, None)  # what the agent starts inherits the rest: readers of pages, a browser
    options = agent_options(args, Path.cwd())
    options += ["--port", str(args.port)]
    if args.store is not None:
        options += ["--store", str(args.store)]
    token_file = args.token_file or Path(places.HOME) / places.AGENT / SERVE_KEY
    options += ["--token-file", str(token_file)]
    return main(options)
