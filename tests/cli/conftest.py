"""Fixtures that call the command in this process, in an empty folder, against real servers on loopback."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from batchfish.cli.main import main
from tests.cli.shop import Shop, open_shop
from tests.documents import documents_in
from tests.endtoend.commands import end_all
from tests.endtoend.serving import Server, serving
from tests.loopback import nobody_listening

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

KEY = "sk-canary-7f3a9c51e2"


class Outcome(NamedTuple):
    """The exit code of a command, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def summary(self) -> dict[str, Any]:
        """The last line of standard output, which `--json` makes an object."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """Calls the command in this process, in a folder and with environment variables set."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def __call__(self, *arguments: str | Path, stdin: str = "") -> Outcome:
        """Call the command; standard input is not a terminal and contains this text."""
        self.capture.readouterr()
        self.monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = main([str(argument) for argument in arguments])
        out, err = self.capture.readouterr()
        assert "Traceback" not in err, err
        if "--json" in arguments:
            documents_in(out)
        return Outcome(int(code), out, err)

    def use(self, base_url: str, key: str = KEY) -> None:
        """Set the environment that names the API."""
        self.monkeypatch.setenv("BATCHFISH_BASE_URL", base_url)
        self.monkeypatch.setenv("TINYFISH_API_KEY", key)


@pytest.fixture
def command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Command]:
    """Return the command, to be called in an empty folder without an API in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("TINYFISH_API_KEY", "BATCHFISH_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    mask = os.umask(0o077)  # the command sets it for its process, which is the tests' here
    command = Command(folder=tmp_path, capture=capsys, monkeypatch=monkeypatch)
    with logging_as_it_is():
        yield command
    os.umask(mask)
    end_all(command.started)


@contextmanager
def logging_as_it_is() -> Iterator[None]:
    """Undo after the block what `-v` does to the logging of its process, which is the tests' here."""
    root = logging.getLogger()
    handlers = list(root.handlers)
    level = logging.getLogger("batchfish").level
    yield
    root.handlers[:] = handlers
    logging.getLogger("batchfish").setLevel(level)


@pytest.fixture
def offline(command: Command) -> Iterator[Command]:
    """Return the command; the test fails if a request is sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)  # noqa: FBT003 - the socket's own spelling
        command.use(f"http://127.0.0.1:{listener.getsockname()[1]}")
        yield command
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.fixture(scope="session")
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve runs that end at once."""
    with serving(tmp_path_factory.mktemp("quick"), "duration=0.02") as server:
        yield server


@pytest.fixture(scope="session")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve runs that end only when they are cancelled."""
    with serving(tmp_path_factory.mktemp("patient"), "duration=86400", cap=500) as server:
        yield server


@pytest.fixture
def port() -> Iterator[int]:
    """Return a port for servers of this test alone, one after the other; in between nobody listens there."""
    with nobody_listening() as port:
        yield port


@pytest.fixture
def shop(command: Command, quick: Server, request: pytest.FixtureRequest) -> Shop:
    """Return a batch whose runs end at once."""
    return open_shop(command, quick, request.node.nodeid)


@pytest.fixture
def patient_shop(command: Command, patient: Server, request: pytest.FixtureRequest) -> Shop:
    """Return a batch whose runs end only when they are cancelled."""
    return open_shop(command, patient, request.node.nodeid)
