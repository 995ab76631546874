"""The local agent as its users find it: a port file, a sign of life, and a start where none is running."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import httpx

from batchfish.errors import TryLater, WrongInput
from batchfish.webagent.wire import API_KEY_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

HEALTH = "/v1/local/health"
PORT_FILE = "agent.json"
STORE = "agent.db"
USERS = "agent.users"
LOG = "agent.log"
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,}")
OTHERS = 0o077
START_TIMEOUT = 20.0
LOOK_EVERY = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where a local agent listens; `token` proves that it is the one that wrote the port file."""

    base_url: str
    token: str
    pid: int


def write_port_file(path: Path, endpoint: Endpoint) -> None:
    """Write where an agent listens, whole or not at all, for its owner's eyes only."""
    draft = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(endpoint), file)
    draft.replace(path)


def keep_token(path: Path) -> str:
    """Give the token that a file holds; a new file gets a new one, for its owner's eyes only.

    WrongInput where it holds none, or where others can read it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(new_token() + "\n")
    except FileExistsError:
        if path.stat().st_mode & OTHERS:
            raise WrongInput(f"Others can read the token in {path}: delete it for a new one.") from None
    except OSError as broken:
        raise WrongInput(f"The token cannot be kept in {path}: {broken.strerror}.") from None
    token = path.read_text("utf-8", errors="replace").strip()
    if not TOKEN.fullmatch(token):
        raise WrongInput(f"{path} holds no token of 16 or more letters and digits: delete it for a new one.")
    return token


def new_token() -> str:
    """Draw a token that nobody can guess."""
    return secrets.token_urlsafe(24)


def find_agent(port_file: Path) -> Endpoint | None:
    """Give the agent that a port file names, if it is alive and the one that wrote it."""
    try:
        endpoint = Endpoint(**json.loads(port_file.read_bytes()))
        answer = httpx.get(
            endpoint.base_url + HEALTH,
            headers={API_KEY_HEADER: endpoint.token},
            timeout=2,
            trust_env=False,
        )
        is_ours = answer.status_code == httpx.codes.OK and answer.json() == {"pid": endpoint.pid}
    except (OSError, ValueError, TypeError, httpx.HTTPError):
        return None
    return endpoint if is_ours else None


@contextmanager
def local_agent(folder: Path, options: Sequence[str] = (), *, env: Mapping[str, str]) -> Iterator[Endpoint]:
    """Use the agent of a folder for the time of the block: the one running there, or a new one.

    `options` are those of `python -m batchfish.localagent`, `env` is its environment. The agent ends when the
    last of its users has gone, however they went: each holds a shared lock that the kernel takes back.
    TryLater where it does not start in time, WrongInput where it refuses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / USERS).open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        yield find_agent(folder / PORT_FILE) or _start(folder, options, env)


def _start(folder: Path, options: Sequence[str], env: Mapping[str, str]) -> Endpoint:
    with (folder / LOG).open("a+b") as log:
        begin = log.seek(0, os.SEEK_END)
        agent = _spawn(folder, options, env, log.fileno())
        is_running = True
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            if endpoint := find_agent(folder / PORT_FILE):
                return endpoint
            if is_running:
                ended, status = os.waitpid(agent, os.WNOHANG)
                is_running = not ended
                # TEMPFAIL: another start was quicker, and its agent is the one to find.
                if ended and os.waitstatus_to_exitcode(status) != os.EX_TEMPFAIL:
                    log.seek(begin)
                    said = log.read().decode(errors="replace").strip()
                    raise WrongInput(said or "The local agent did not start.")
            time.sleep(LOOK_EVERY)
    raise TryLater(f"The local agent did not start within {START_TIMEOUT:.0f} s: see {folder / LOG}.")


def _spawn(folder: Path, options: Sequence[str], env: Mapping[str, str], log: int) -> int:
    """Start the process and give its id.

    It may outlive us, so it is no child to be waited for, and it leaves our terminal: Ctrl-C is for the
    command, which may want to cancel runs first.
    """
    command = [
        *(sys.executable, "-m", "batchfish.localagent", "--store", str(folder / STORE)),
        *("--port-file", str(folder / PORT_FILE), "--users", str(folder / USERS), *options),
    ]
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, log, 1),
        (os.POSIX_SPAWN_DUP2, log, 2),
    ]
    return os.posix_spawn(sys.executable, command, env, file_actions=files, setsid=True)
