"""The official SDKs against the local agent: the same scripts in Python and in JavaScript.

Only the base URL differs from ordinary use. Each script prints one JSON document, and both languages must
print the same.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.localagent.agents import SITE, sample, served

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Script = Callable[[str], Any]

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
PACKAGES = ("@tiny-fish/sdk@0.0.9", "zod@4.6.7", "p-retry@7.1.1", "is-network-error@1.3.2")
NO_NETWORK = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH", "ECONNRESET")
WALDEN = sample("book-walden")
LONGEST_SCRIPT = 60.0


@pytest.fixture(scope="module")
def silence() -> Iterator[socket.socket]:
    """A listener that never answers: the server of a page that never loads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture(scope="module")
def settings(silence: socket.socket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a script that uses the local agent, which runs meanwhile."""
    origin = f"http://127.0.0.1:{silence.getsockname()[1]}"
    folder = tmp_path_factory.mktemp("agent")
    token = folder / "token"
    options = ("--allow-origin", origin, "--heartbeat", "0.2", "--token-file", str(token))
    with served(folder, *SITE, *options) as client:
        yield {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": "",
            "BASE_URL": str(client.base_url).rstrip("/"),
            "TINYFISH_API_KEY": token.read_text().strip(),
            "PAGE": WALDEN["url"],
            "SCHEMA": json.dumps(WALDEN["output_schema"]),
            "MISSING_PAGE": "http://bookshop.example/no/such",
            "SILENT_PAGE": f"{origin}/",
        }


@pytest.fixture(scope="session")
def node_modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the JavaScript SDK, each package in an exact version."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("javascript")
    (folder / "package.json").write_text('{"private": true}')
    install = [
        "npm",
        "install",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        *PACKAGES,
    ]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False, timeout=240)
    if done.returncode and any(word in done.stderr for word in NO_NETWORK):
        pytest.skip("npm reaches no registry from here")
    assert done.returncode == 0, done.stderr
    return folder


def run_script(command: list[str], script: Path, settings: dict[str, str]) -> object:
    done = subprocess.run(
        [*command, str(script)],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_SCRIPT,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(params=["python", pytest.param("javascript", marks=pytest.mark.slow)])
def script(request: pytest.FixtureRequest, settings: dict[str, str]) -> Script:
    """A function that runs a script by its name, in one of the languages, and returns what it prints."""
    if request.param == "python":
        return lambda name: run_script([sys.executable], HERE / "python" / f"{name}.py", settings)
    modules: Path = request.getfixturevalue("node_modules")

    def run(name: str) -> object:
        # node searches for packages in the folder of the script
        copied = shutil.copy(HERE / "javascript" / f"{name}.mjs", modules)
        return run_script(["node"], Path(copied), settings)

    return run


def closed_within(silence: socket.socket, seconds: float) -> bool:
    """Whether the agent closes its connection to the page that never loads within these seconds."""
    silence.settimeout(seconds)
    connection, _ = silence.accept()
    deadline = time.monotonic() + seconds
    with connection:
        while time.monotonic() < deadline:
            connection.settimeout(deadline - time.monotonic())
            if not connection.recv(65_536):
                return True
    return False


def test_run(script: Script) -> None:
    run = script("run")
    assert (run["status"], run["error"]) == ("COMPLETED", None)
    assert run["result"]["title"] == "Walden"
    assert run["num_of_steps"] >= 2


def test_queue_and_poll(script: Script) -> None:
    run = script("queue_and_poll")
    assert (run["status"], run["error"]) == ("COMPLETED", None)
    assert (run["result"]["title"], run["result"]["author"]) == ("Walden", "Henry David Thoreau")
    assert run["output_schema"] == WALDEN["output_schema"]
    assert run["streaming_url"].startswith("http://127.0.0.1:")
    assert run["browser_config"] == {"proxy_enabled": False, "proxy_country_code": None}


def test_stream_with_callbacks(script: Script) -> None:
    printed = script("stream")
    kinds = [event["type"] for event in printed["events"]]
    assert printed["called"] == kinds
    assert kinds[:2] == ["STARTED", "STREAMING_URL"]
    assert set(kinds[2:-1]) - {"HEARTBEAT"} == {"PROGRESS"}
    end = printed["events"][-1]
    assert (end["type"], end["status"], end["error"]) == ("COMPLETE", "COMPLETED", None)
    result = end.get("result", end.get("result_json"))  # each SDK has its own name for it
    assert result["title"] == "Walden"
    assert len({event["run_id"] for event in printed["events"] if event["type"] != "HEARTBEAT"}) == 1
    purposes = [event["purpose"] for event in printed["events"] if event["type"] == "PROGRESS"]
    assert any("price" in purpose for purpose in purposes)


def test_cancel_by_an_ordinary_request(script: Script, silence: socket.socket) -> None:
    printed = script("cancel")
    assert printed["status"] == "CANCELLED"
    assert (printed["first"]["status"], printed["first"]["message"]) == ("CANCELLED", None)
    assert printed["again"] == {**printed["first"], "message": "Run already cancelled"}
    assert closed_within(silence, 10.0)


def test_cancel_of_a_stream(script: Script, silence: socket.socket) -> None:
    printed = script("cancel_stream")
    assert printed["seen"][:2] == ["STARTED", "STREAMING_URL"]
    assert "HEARTBEAT" in printed["seen"]
    assert printed["seen"][-1] == "COMPLETE"
    assert (printed["end"]["status"], printed["end"]["error"]) == ("CANCELLED", None)
    assert closed_within(silence, 10.0)


def test_failures(script: Script) -> None:
    printed = script("failures")
    assert (printed["run"]["status"], printed["run"]["result"]) == ("FAILED", None)
    assert printed["run"]["error"]["category"] == "AGENT_FAILURE"
    assert printed["run"]["error"]["retry_after"] is None
    assert "404" in printed["run"]["error"]["message"]
    assert "#/oneOf" in printed["schema"]
    assert "no-such-run" in printed["unknown"]
    assert "its own key" in printed["key"]


def test_listing(script: Script) -> None:
    printed = script("listing")
    assert printed["found"][:3] == printed["made"][::-1]
    assert printed["total"] == len(printed["found"]) == len(set(printed["found"]))
