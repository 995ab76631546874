"""The access of a command to the API: its address and key, or the local agent while the command runs."""

from __future__ import annotations

import shlex
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from batchfish.cli.locate import AGENT, HOME, folder_of
from batchfish.cli.parser import given
from batchfish.errors import WrongInput, WrongUsage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import ExitStack

    from batchfish.cli.options import AgentOptions, ApiOptions
    from batchfish.journal.records import Batch

API_KEY = "TINYFISH_API_KEY"
BASE_URL = "BATCHFISH_BASE_URL"
LOCAL_BASE = "local:"
"""The address that a journal records for the local agent, whatever its port."""

SITE = Path("sample_inputs") / "site"


class Access(Struct, frozen=True, kw_only=True):
    """The address and key of an API; `recorded_as` is the address as journals record it."""

    base_url: str
    recorded_as: str
    api_key: _Secret


class _Secret(Struct, frozen=True):
    """A text that is not in its repr, and so in no traceback or log."""

    value: str

    def __repr__(self) -> str:
        return "Secret(…)"


def remote_access(api: ApiOptions, env: Mapping[str, str]) -> Access:
    """Return the address and key of the API that options and environment name.

    WrongInput if there is no key, if its file can be read by others, or if the address cannot be used.
    """
    from batchfish.webagent.credentials import check_api_key, check_base_url
    from batchfish.webagent.wire import DEFAULT_BASE_URL

    written = env.get(BASE_URL) or DEFAULT_BASE_URL if api.base_url is None else api.base_url
    address = check_base_url(written)
    if api.api_key_file is not None:
        key = _read_key_file(api.api_key_file)
    elif env.get(API_KEY):
        key = env[API_KEY]
    else:
        raise WrongInput(
            "there is no API key",
            remedy=f"Set {API_KEY}, or name a file with --api-key-file FILE. To rehearse without one, add "
            "--local.",
        )
    return Access(base_url=address, recorded_as=address, api_key=_Secret(check_api_key(key)))


def rehearsal(env: Mapping[str, str]) -> list[str]:
    """Return the option that a suggested command needs where no API key is set: `--local`."""
    return [] if env.get(API_KEY) else ["--local"]


def _read_key_file(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInput(
            f"{path}: the API key cannot be read: {getattr(error, 'strerror', 'not text')}"
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise WrongInput(
            f"{path}: others can read this key", remedy=f"Run `chmod 600 {shlex.quote(str(path))}` first."
        )
    return text


@contextmanager
def local_agent(agent: AgentOptions, env: Mapping[str, str], folder: Path) -> Iterator[Access]:
    """Use the local agent of a folder during the block; one is started if none runs there."""
    from batchfish.localagent.attach import local_agent as attach

    home = folder.absolute() / HOME / AGENT
    without_key = {name: text for name, text in env.items() if name != API_KEY}
    arguments, is_told_how = agent_arguments(agent, folder), bool(given(agent))
    with attach(home, arguments, env=without_key, needs_options=is_told_how) as endpoint:
        yield Access(base_url=endpoint.base_url, recorded_as=LOCAL_BASE, api_key=_Secret(endpoint.token))


def agent_arguments(agent: AgentOptions, folder: Path) -> list[str]:
    """Return the command line arguments for the local agent's own program."""
    site = agent.site.absolute() if agent.site is not None else nearest_site(folder)
    values = {
        "--engine": agent.engine,
        "--site": site,
        "--chromium": agent.chromium,
        "--cap": agent.cap,
        "--simulate": agent.simulate or None,
        "--page-interval": agent.page_interval,
    }
    words = [word for name, value in values.items() if value is not None for word in (name, str(value))]
    return words + [word for origin in agent.allow_origin for word in ("--allow-origin", origin)]


def nearest_site(folder: Path) -> Path | None:
    """Return the sample site in a folder or in the nearest one above it."""
    above = (folder.absolute(), *folder.absolute().parents)
    return next((place / SITE for place in above if (place / SITE).is_dir()), None)


def refuse_other_access(api: ApiOptions, *, is_local: bool) -> None:
    """Raise WrongUsage if an option is about the API that is not used.

    If options of the local agent were ignored where `--local` is missing, a rehearsal would be paid for.
    """
    if is_local and (names := given(api)):
        raise WrongUsage(
            f"{names[0]} is for a remote API, and the local agent is used", remedy="Leave it out."
        )
    if not is_local and (names := given(api.agent)):
        raise WrongUsage(
            f"{names[0]} is for the local agent", remedy="Add --local to rehearse with it, or leave it out."
        )


def reach(api: ApiOptions, env: Mapping[str, str], batch: Batch, stack: ExitStack) -> Access:
    """Return the access to the API that a batch belongs to; WrongInput if options name another one."""
    refuse_other_access(api, is_local=batch.base_url == LOCAL_BASE)
    if batch.base_url == LOCAL_BASE:
        return stack.enter_context(local_agent(api.agent, env, folder_of(batch)))
    access = remote_access(api, env)
    if access.recorded_as != batch.base_url:
        raise WrongInput(
            f"{batch.name} belongs to {batch.base_url}, not to {access.recorded_as}",
            remedy=f"Name that API with --base-url or {BASE_URL}.",
        )
    return access


def spell_api(recorded_as: str) -> str:
    """Return the name of an API for messages, from the address that journals record."""
    return "the local agent" if recorded_as == LOCAL_BASE else recorded_as
