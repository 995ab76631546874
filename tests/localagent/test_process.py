"""The local agent as a process: what it reads, who may use it, how it ends, what it never opens."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import threading
import time
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from batchfish.errors import WrongInput
from batchfish.localagent.attach import Endpoint, find_agent, local_agent
from tests.localagent.agents import DEADLINE, SITE, create, sample, served, wait_for_end

pytestmark = pytest.mark.process

HOOKED: queue.Queue[dict[str, Any]] = queue.Queue()
AGENT_STOPS = threading.Event()


class Hook(BaseHTTPRequestHandler):
    """Receives webhooks; fails the first, once the agent is about to end."""

    def do_POST(self) -> None:
        is_first = not AGENT_STOPS.is_set()
        AGENT_STOPS.wait(DEADLINE)
        length = int(self.headers["content-length"])
        document = json.loads(self.rfile.read(length))
        self.send_response(500 if is_first else 204)
        self.end_headers()
        if not is_first:
            HOOKED.put(document)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def wait_until_gone(port_file: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while port_file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_reads_a_page_of_the_sample_site_and_says_what_it_matched(tmp_path: Path) -> None:
    with served(tmp_path, *SITE) as client:
        run_id = create(client, **sample("book-walden"))
        run = wait_for_end(client, [run_id])[run_id]
    assert run["status"] == "COMPLETED"
    assert run["result"]["title"] == "Walden"
    actions = [step["action"] for step in run["steps"]]
    assert run["num_of_steps"] == len(actions)
    assert any(action.startswith("price ← ") for action in actions)


def test_private_addresses_are_refused(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        run_id = create(client, url=str(client.base_url.join("/v1/runs")), goal="x")
        run = wait_for_end(client, [run_id])[run_id]
    assert run["error"]["code"] == "LOCAL_ADDRESS_REFUSED"


def test_pages_of_one_real_host_are_a_second_apart(tmp_path: Path) -> None:
    with served(tmp_path) as client:
        runs = wait_for_end(client, [create(client, url=f"http://10.0.0.1/{n}", goal="x") for n in range(2)])
    begun = min(datetime.fromisoformat(run["started_at"]) for run in runs.values())
    ended = max(datetime.fromisoformat(run["finished_at"]) for run in runs.values())
    assert (ended - begun).total_seconds() >= 1


def test_a_second_user_finds_the_agent_and_it_ends_after_the_last(tmp_path: Path) -> None:
    with local_agent(tmp_path, env=os.environ) as first:
        with local_agent(tmp_path, env=os.environ) as second:
            assert second == first
        assert find_agent(tmp_path / "agent.json") == first
    wait_until_gone(tmp_path / "agent.json")
    assert find_agent(tmp_path / "agent.json") is None


def test_a_killed_agents_runs_are_taken_up_by_the_next(tmp_path: Path) -> None:
    options = ("--engine", "simulate", "--simulate", "duration=2", "--cap", "1")
    with served(tmp_path, *options) as client:
        ids = [create(client, url=f"http://a.example/{n}", goal="x") for n in range(2)]
        agent = find_agent(tmp_path / "agent.json")
        assert agent is not None
        os.kill(agent.pid, signal.SIGKILL)
        with served(tmp_path, *options) as again:
            runs = wait_for_end(again, ids)
    assert [runs[run_id]["status"] for run_id in ids] == ["FAILED", "COMPLETED"]
    assert runs[ids[0]]["error"]["code"] == "LOCAL_AGENT_RESTARTED"
    assert runs[ids[0]]["error"]["category"] == "SYSTEM_FAILURE"


def test_a_reset_create_loses_its_answer_but_makes_its_run(tmp_path: Path) -> None:
    options = ("--engine", "simulate", "--simulate", "reset=1,duration=0")
    with served(tmp_path, *options) as client:
        with pytest.raises(httpx.ReadError):
            create(client, url="http://a.example/", goal="marked")
        assert client.get("/v1/runs", params={"goal": "marked"}).json()["pagination"]["total"] == 1


def test_a_late_create_is_acted_on_after_its_connection_is_gone(tmp_path: Path) -> None:
    options = ("--engine", "simulate", "--simulate", "late=1,late_by=0.2,duration=0")
    with served(tmp_path, *options) as client:
        with pytest.raises(httpx.ReadError):
            create(client, url="http://a.example/", goal="marked")
        deadline = time.monotonic() + DEADLINE
        while client.get("/v1/runs").json()["pagination"]["total"] == 0:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_bad_options_are_told_in_words(tmp_path: Path) -> None:
    with (
        pytest.raises(WrongInput, match="there is no 'speed'"),
        local_agent(tmp_path, ("--engine", "simulate", "--simulate", "speed=1"), env=os.environ),
    ):
        pass


def test_a_port_file_left_behind_is_no_agent(tmp_path: Path) -> None:
    assert find_agent(tmp_path / "agent.json") is None
    (tmp_path / "agent.json").write_text('{"base_url": "http://127.0.0.1:9", "token": "t", "pid": 1}')
    assert find_agent(tmp_path / "agent.json") is None


def test_another_users_key_is_refused_and_every_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "agent"
    with local_agent(folder, env=os.environ) as agent:
        assert Endpoint(**json.loads((folder / "agent.json").read_text())) == agent
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
        assert {"agent.json", "agent.db", "agent.lock", "agent.users", "agent.log"} <= modes.keys()
        assert set(modes.values()) == {0o600}
        assert folder.stat().st_mode & 0o777 == 0o700
        for key, status in (("local", 401), (agent.token, 200)):
            headers = {"X-API-Key": key}
            listing = httpx.get(f"{agent.base_url}/v1/runs", headers=headers, trust_env=False)
            assert listing.status_code == status


def test_a_webhook_is_delivered_though_the_command_has_gone(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as listener:
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        origin = f"http://127.0.0.1:{listener.server_port}"
        options = ("--engine", "simulate", "--simulate", "duration=0", "--allow-origin", origin)
        with served(tmp_path, *options) as client:
            run_id = create(client, url="http://a.example/", goal="x", webhook_url=f"{origin}/hook")
            wait_for_end(client, [run_id])
        wait_until_gone(tmp_path / "agent.json")
        AGENT_STOPS.set()
        document = HOOKED.get(timeout=DEADLINE)
        listener.shutdown()
    assert (document["event"], document["run_id"]) == ("run.completed", run_id)


def test_it_never_opens_the_answer_key(tmp_path: Path) -> None:
    """An audit hook records every file that the agent and its readers open."""
    log = tmp_path / "opened"
    hook = (
        "import sys\n"
        f"log = open({str(log)!r}, 'a', buffering=1)\n"
        "sys.addaudithook(lambda event, args: event == 'open' and log.write(str(args[0]) + '\\n'))\n"
    )
    (tmp_path / "sitecustomize.py").write_text(hook)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"}
    outside = (
        "../../../tests/sample_inputs/answers.json",
        "%2e%2e/%2e%2e/%2e%2e/tests/sample_inputs/answers.json",
        "..%2f..%2f..%2ftests%2fsample_inputs%2fanswers.json",
    )
    with served(tmp_path / "agent", *SITE, env=environment) as client:
        ids = [
            create(client, **sample("book-walden")),
            *(create(client, url=f"http://bookshop.example/{path}", goal="x") for path in outside),
        ]
        runs = wait_for_end(client, ids)
    opened = log.read_text().splitlines()
    assert any(name.endswith("walden.html") for name in opened)
    assert not [name for name in opened if name.endswith("answers.json")]
    assert [runs[run_id]["status"] for run_id in ids] == ["COMPLETED", "FAILED", "FAILED", "FAILED"]


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_agent_ends_though_streams_and_answers_are_waited_for(
    tmp_path: Path, stop: signal.Signals
) -> None:
    options = ("--engine", "simulate", "--simulate", "duration=600")
    with served(tmp_path, *options) as client:
        agent = find_agent(tmp_path / "agent.json")
        assert agent is not None
        body = {"url": "http://a.example/", "goal": "x"}
        with client.stream("POST", "/v1/automation/run-sse", json=body) as stream:
            frames = stream.iter_lines()
            assert "STARTED" in next(frames)
            os.kill(agent.pid, stop)
            begun = time.monotonic()
            with contextlib.suppress(httpx.HTTPError):
                for _ in frames:  # to the end of the stream
                    pass
            wait_until_gone(tmp_path / "agent.json")
            assert time.monotonic() - begun < 10
        with served(tmp_path, *options) as again:
            (run,) = again.get("/v1/runs").json()["data"]
            assert (run["status"], run["error"]["code"]) == ("FAILED", "LOCAL_AGENT_RESTARTED")
