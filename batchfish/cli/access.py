"""How a command reaches the API: its address and key, or the local agent."""

from __future__ import annotations

import stat
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batchfish.cli import locate
from batchfish.cli.agreement import Question
from batchfish.core.rules import rules_from
from batchfish.errors import WrongInput

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator, Mapping
    from contextlib import ExitStack

    from batchfish.core.rules import Rules
    from batchfish.journal.base import Batch


API_KEY = "TINYFISH_API_KEY"


BASE_URL = "BATCHFISH_BASE_URL"


LOCAL_BASE = "local:"
"""What a journal records as the address of the local agent, whatever its port."""


REMOTE_OPTIONS = ("--base-url", "--api-key-file")


LOCAL_OPTIONS = (
    "--site",
    "--engine",
    "--chromium",
    "--cap",
    "--simulate",
    "--allow-origin",
    "--page-interval",
)
"""The options of an API over the network, and of the local agent."""


SHORTEST_QUIET_SETTLE = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """How to reach the API; the key is kept out of every repr."""

    base_url: str
    recorded_as: str
    api_key: _Secret


@dataclass(frozen=True, slots=True, repr=False)
class _Secret:
    """A text that shows itself to nobody by accident."""

    value: str

    def __repr__(self) -> str:
        return "Secret(…)"


def local_access(base_url: str, token: str) -> Access:
    """Return how to reach the local agent, which accepts only its own token as the key."""
    return Access(base_url=base_url, recorded_as=LOCAL_BASE, api_key=_Secret(token))


def remote_access(args: Namespace, env: Mapping[str, str]) -> Access:
    """Reach the API that flags and environment name, with the key that a file or the environment holds."""
    from batchfish.webagent.credentials import check_api_key, check_base_url
    from batchfish.webagent.wire import DEFAULT_BASE_URL

    given = env.get(BASE_URL) or DEFAULT_BASE_URL if args.base_url is None else args.base_url
    address = check_base_url(given)
    if args.api_key_file is not None:
        key = _read_key_file(Path(args.api_key_file))
    elif env.get(API_KEY):
        key = env[API_KEY]
    else:
        raise WrongInput(
            f"No API key: set {API_KEY}, or name a file with --api-key-file FILE. "
            "To rehearse without one, add --local."
        )
    return Access(base_url=address, recorded_as=address, api_key=_Secret(check_api_key(key)))


def refuse_other_access(args: Namespace, *, is_local: bool) -> None:
    """Raise WrongInput where options speak of an API that is not the one that is used.

    Options of the local agent would else be ignored, and a rehearsal be paid for.
    """
    if is_local:
        given = options_given(args, REMOTE_OPTIONS)
        if given:
            raise WrongInput(f"{given[0]} is for a remote API, and the local agent is used: leave it out")
    elif given := options_given(args, LOCAL_OPTIONS):
        raise WrongInput(
            f"{given[0]} is for the local agent: add --local to rehearse with it, or leave it out"
        )


def options_given(args: Namespace, options: Iterable[str]) -> list[str]:
    """Return those of these options that a command line gives."""
    names = {option: option.removeprefix("--").replace("-", "_") for option in options}
    return [option for option, name in names.items() if getattr(args, name) not in (None, [])]


def spell_api(recorded_as: str) -> str:
    """Say to people which API a journal's batch belongs to."""
    return "the local agent" if recorded_as == LOCAL_BASE else recorded_as


def check_settle(args: Namespace, rules: Rules, access: Access) -> None:
    """Raise NeedsYes where an unanswered create would be looked for too briefly to be believed absent."""
    from batchfish.webagent.credentials import is_loopback

    settle = rules.unanswered.settle if args.settle is None else args.settle
    if settle < SHORTEST_QUIET_SETTLE and not is_loopback(access.base_url):
        said = "`unanswered.settle` in the manifest" if args.settle is None else "--settle"
        args.agreement.ask(
            Question.SHORT_SETTLE,
            f"{settle:g}s ({said}) is short for an API over the network: a run that shows later is paid for "
            f"twice. Use at least {SHORTEST_QUIET_SETTLE:g}s.",
        )


def _read_key_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInput(
            f"{path}: the API key cannot be read: {getattr(error, 'strerror', 'not text')}"
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise WrongInput(f"{path}: others may read this key. Do `chmod 600 {path}` first.")
    return text


SITE = Path("sample_inputs") / "site"


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

    home = folder.absolute() / locate.HOME / locate.AGENT
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
        return stack.enter_context(local_agent(args, env, locate.folder_of(batch)))
    access = remote_access(args, env)
    if access.recorded_as != batch.base_url:
        raise WrongInput(f"{batch.name} belongs to {batch.base_url}, not to {access.recorded_as}")
    if may_pay:
        check_settle(args, rules_from(batch.manifest), access)
    return access
