"""Python processes that are forked from one that has imported batchfish already: they start in milliseconds.

What a test starts with `start` is a child of the test's process, with an id, streams, working folder,
environment and end of its own, and can be killed: only the time in which Python starts and imports is saved.
Tests whose subject is the start, the imports or the command line of a process start an interpreter instead.

A server, one for each process of tests, is asked over a socket. It forks twice: the process whose parent then
ends is adopted by the process that asked, which can wait for it as for any child. This takes Linux.

A command that may start a local agent gets a server of its own, forked before the command begins.
"""

from __future__ import annotations

import atexit
import ctypes
import fcntl
import gc
import inspect
import json
import os
import pkgutil
import runpy
import secrets
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import types
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, AnyStr, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).parents[1]
IMPORTED = (
    "batchfish.cli.main",
    "batchfish.core.sandbox",
    "batchfish.localagent.serve",
    "batchfish.manifest.load",
    "batchfish.pipeline.run",
    "batchfish.table.cells",
    "batchfish.webagent.client",
    "anyio._backends._asyncio",
    "httpcore",
    "polars",
    "pydantic.v1",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.websockets.auto",
)
"""What most processes import, beside the commands."""
THREADS_OF_POLARS = frozenset(["jemalloc_bg_thd", "polars-ooc-clea"])
"""Not missed after a fork: the allocator starts its own anew, and our queries spill nothing to the disk."""
LONGEST_REQUEST = 100_000
MOST_FILES = 16
PR_SET_CHILD_SUBREAPER = 36
really_spawn = os.posix_spawn


class Job(NamedTuple):
    """What a process is to be: the arguments of Python, and the numbers of the files that it gets."""

    arguments: list[str]
    env: dict[str, str]
    folder: str
    mask: int
    new_session: bool
    files: list[int]


class ForkedProcess(subprocess.Popen[AnyStr]):
    """A process as `Popen` starts it, but forked; `args` begin with an interpreter, and `-m` or `-c`."""

    def _execute_child(self, *given: object) -> None:
        """Do what `Popen` does here: start the process, set its id, and close its ends of the pipes."""
        like = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]  # noqa: SLF001
        asked: dict[str, Any] = like.bind(self, *given).arguments
        assert not asked["shell"]
        assert asked["preexec_fn"] is None
        pipes = [asked[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        files = {number: number if pipe == -1 else pipe for number, pipe in enumerate(pipes)}
        self.pid = fork(
            asked["args"][1:],
            env=asked["env"],
            folder=asked["cwd"],
            files=files | {number: number for number in asked["pass_fds"]},
            new_session=asked["start_new_session"],
        )
        self._child_created = True
        ends = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*[asked[name] for name in ends])  # type: ignore[attr-defined]


def start(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:  # noqa: ANN401 - handed on
    """Start a process as `Popen` does with these options: forked, where that is possible."""
    forks = can_fork(command, options.get("env"))
    return (ForkedProcess if forks else subprocess.Popen)(command, **options)


def can_fork(command: Sequence[str], env: Mapping[str, str] | None) -> bool:
    """Return whether a command is the server's Python, with the modules that the server has imported."""
    modules = {None, str(ROOT), os.environ.get("PYTHONPATH")}
    is_same = command[0] == sys.executable and (env or os.environ).get("PYTHONPATH") in modules
    return sys.platform == "linux" and is_same and command[1] in {"-m", "-c"}


def fork(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str] | None,
    folder: str | os.PathLike[str] | None,
    files: Mapping[int, int],
    new_session: bool,
    address: str | None = None,
) -> int:
    """Have a server fork a process, and return its id; it is a child of this process.

    `files` maps the numbers of files in the new process to those of the same files here. The server is that
    of this process, unless it has another `address`.
    """
    os.umask(mask := os.umask(0))
    job = Job(
        arguments=[str(argument) for argument in arguments],
        env=dict(os.environ if env is None else env),
        folder=os.fspath(folder or os.getcwd()),  # noqa: PTH109 - a text for the other side
        mask=mask,
        new_session=new_session,
        files=list(files),
    )
    with adopting_orphans(), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as server:
        server.connect(address or server_address())
        socket.send_fds(server, [json.dumps(job).encode()], list(files.values()))
        pid = server.recv(64)
        assert pid, "the server that forks processes has ended"
        # The server closes the connection when the process has been adopted.
        assert server.recv(1) == b""
    return int(pid)


def posix_spawn(
    path: str,
    argv: list[str],
    env: Mapping[str, str],
    *,
    file_actions: Sequence[Any] = (),
    setsid: bool = False,
    address: str | None = None,
    **others: Any,  # noqa: ANN401 - as os.posix_spawn takes them
) -> int:
    """Start a process as `os.posix_spawn` does: forked, if it is a local agent, and where that is possible.

    From Python 3.13 on `subprocess` comes here as well, with more options.
    """
    if others or not setsid or not can_fork(argv, env):
        return really_spawn(path, argv, env, file_actions=file_actions, setsid=setsid, **others)
    files = {0: 0, 1: 1, 2: 2}
    with ExitStack() as opened:
        for action, number, *more in file_actions:
            if action == os.POSIX_SPAWN_OPEN:
                files[number] = os.open(*more)
                opened.callback(os.close, files[number])
            else:
                assert action == os.POSIX_SPAWN_DUP2
                files[more[0]] = number
        return fork(argv[1:], env=env, folder=None, files=files, new_session=setsid, address=address)


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Become the parent of processes below this one whose own parent ends during the block."""
    prctl = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0)


@cache
def server_address() -> str:
    """Start the server of this process, which ends with it, and return where it listens."""
    listener, address = listen()
    command = [sys.executable, "-m", "tests.forking", str(number := listener.fileno())]
    with listener:
        server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, pass_fds=[number])
    atexit.register(server.communicate)
    return address


def fork_server() -> str:
    """Fork a server below this process, which ends with it, and return where it listens."""
    listener, address = listen()
    end, held_open = os.pipe()
    if os.fork() == 0:
        os.close(held_open)
        nothing = os.open(os.devnull, os.O_WRONLY)
        set_files({0: end, 1: nothing, 2: nothing, 3: listener.detach()})
        os.setsid()
        run(socket.socket(fileno=3))
    os.close(end)
    listener.close()
    return address


def listen() -> tuple[socket.socket, str]:
    """Return a socket for requests, and its address, which belongs to no file."""
    address = f"\0batchfish-tests-{secrets.token_hex(8)}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(address)
    listener.listen()
    return listener, address


def serve(listener: socket.socket) -> Job:
    """Fork a process for each request; return in it, with what it is to be."""
    with listener:
        while listener in select.select([sys.stdin, listener], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                request, files, *_ = socket.recv_fds(connection, LONGEST_REQUEST, MOST_FILES)
                if (parent := os.fork()) == 0:
                    if (pid := os.fork()) == 0:
                        job = Job(*json.loads(request))
                        break
                    connection.send(str(pid).encode())
                    os._exit(0)
                os.waitpid(parent, 0)
                for number in files:
                    os.close(number)
        else:
            sys.exit()
    set_files(dict(zip(job.files, files, strict=True)))
    return job


def set_files(files: Mapping[int, int]) -> None:
    """Give files these numbers, close them under the old ones, and open the standard streams anew."""
    above = 1 + max(*files, *(int(file.name) for file in Path("/proc/self/fd").iterdir()))
    moved = {number: fcntl.fcntl(old, fcntl.F_DUPFD, above) for number, old in files.items()}
    os.closerange(3, above)
    for number, old in moved.items():
        os.dup2(old, number)
        os.close(old)
    like: dict[str, Any] = {"encoding": sys.stdout.encoding, "errors": sys.stdout.errors, "closefd": False}
    # Made anew: the old ones remember what kind of file they were opened on.
    sys.stdin = os.fdopen(0, **like)
    sys.stdout = os.fdopen(1, "w", **like)
    sys.stderr = os.fdopen(2, "w", buffering=1, **{**like, "errors": "backslashreplace"})


def become(job: Job) -> None:
    """Run what Python was asked to run, in this process."""
    if job.new_session:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(job.mask)
    os.chdir(job.folder)
    os.environ.clear()
    os.environ.update(job.env)
    time.tzset()
    kind, what, *arguments = job.arguments
    if "--local" in arguments:
        os.posix_spawn = partial(posix_spawn, address=fork_server())
    sys.path[0] = job.folder if kind == "-m" else ""
    sys.argv = [kind, *arguments]
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), vars(module))  # noqa: S102 - as `python -c` does


def run(listener: socket.socket) -> NoReturn:
    """Serve; in the processes that are forked, run what Python was asked to run, and end as it does."""
    try:
        become(serve(listener))
    except SystemExit as ended:
        if not isinstance(ended.code, int | None):
            raise
        end(ended.code or 0)
    end(0)


def end(code: int) -> NoReturn:
    """End as Python does, but leave it to the system to free what was imported: that spares 70 ms of CPU."""
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)  # Python reports what cannot be written, and changes the code
    os._exit(code)


def import_modules() -> None:
    """Import what most processes need."""
    commands = pkgutil.iter_modules([str(ROOT / "batchfish/cli/commands")], "batchfish.cli.commands.")
    for name in (*IMPORTED, *(command.name for command in commands)):
        import_module(name)
    threads = [thread for thread in Path("/proc/self/task").iterdir() if int(thread.name) != os.getpid()]
    names = {(thread / "comm").read_text().strip() for thread in threads}
    assert names <= THREADS_OF_POLARS, "an import started threads, which the forked processes would not have"
    gc.freeze()  # so that a collection in one of them does not copy what they share


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    import_modules()
    run(socket.socket(fileno=int(sys.argv[1])))
