"""Discovery of the local agent of a folder: its port file, its key, and a start if none is running."""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import sys
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import IO, TYPE_CHECKING

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
GROUP_AND_OTHERS = 0o077
START_TIMEOUT = 60.0  # a browser that is started and checked takes seconds on a busy machine
POLL_INTERVAL = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """The address of a local agent; `token` is the API key that it accepts."""

    base_url: str
    token: str = field(repr=False)
    pid: int


def write_port_file(path: Path, endpoint: Endpoint) -> None:
    """Write where an agent listens, atomically and readable by the owner only."""
    draft = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(asdict(endpoint), file)
    draft.replace(path)


def keep_token(path: Path) -> str:
    """Return the token in a file; create the file, readable by the owner only, with a new one.

    WrongInput if the file holds no token, or if others can read it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(new_token() + "\n")
    except FileExistsError:
        if path.stat().st_mode & GROUP_AND_OTHERS:
            raise WrongInput(f"Others can read the key in {path}: delete it for a new one.") from None
    except OSError as broken:
        raise WrongInput(f"The key cannot be kept in {path}: {broken.strerror}.") from None
    token = path.read_text("utf-8", errors="replace").strip()
    if not TOKEN.fullmatch(token):
        raise WrongInput(
            f"{path} holds no key of 16 or more letters, digits, - and _: delete it for a new one."
        )
    return token


def new_token() -> str:
    """Return a random token."""
    return secrets.token_urlsafe(24)


def find_agent(port_file: Path) -> Endpoint | None:
    """Return the agent that a port file names, if it is running and accepts the token there."""
    import ssl

    import httpx

    try:
        endpoint = Endpoint(**json.loads(port_file.read_bytes()))
        answer = httpx.get(
            endpoint.base_url + HEALTH,
            headers={API_KEY_HEADER: endpoint.token},
            timeout=2,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # never used, and without certificates
        )
        is_ours = answer.status_code == httpx.codes.OK and answer.json() == {"pid": endpoint.pid}
    except (OSError, ValueError, TypeError, httpx.HTTPError):
        return None
    return endpoint if is_ours else None


@contextmanager
def local_agent(
    folder: Path, options: Sequence[str] = (), *, env: Mapping[str, str], needs_options: bool = False
) -> Iterator[Endpoint]:
    """Use the agent of a folder for the length of the block: the one running there, or a new one.

    `options` are those of `python -m batchfish.localagent`, `env` is its environment. The agent ends when its
    last user has gone, killed or not: each user holds a shared lock, which the kernel releases. With
    `needs_options`, an agent that nobody uses is left to end first, since it may have other options.
    TryLater if the agent does not start in time, WrongInput if it refuses to.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(_open_private(folder / USERS)) as users:
        if needs_options:
            _leave_unused_agent(users, folder / PORT_FILE)
        fcntl.flock(users, fcntl.LOCK_SH)
        yield find_agent(folder / PORT_FILE) or _start(folder, options, env)


def _leave_unused_agent(users: IO[str], port_file: Path) -> None:
    """Wait while an agent runs that nobody uses; it then locks `users` until it has ended."""
    while find_agent(port_file) is not None:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        fcntl.flock(users, fcntl.LOCK_UN)
        time.sleep(POLL_INTERVAL)


def _open_private(path: Path) -> int:
    """Open or create a file that only its owner can read, for reading and appending."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)


def _start(folder: Path, options: Sequence[str], env: Mapping[str, str]) -> Endpoint:
    with os.fdopen(_open_private(folder / LOG), "a+b") as log:
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
            time.sleep(POLL_INTERVAL)
    raise TryLater(f"The local agent did not start within {START_TIMEOUT:.0f} s: see {folder / LOG}.")


def _spawn(folder: Path, options: Sequence[str], env: Mapping[str, str], log: int) -> int:
    """Start the process in a session of its own and return its id.

    It may outlive us, so nobody waits for it. Ctrl-C is for the command alone, which may want to cancel runs
    first.
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
