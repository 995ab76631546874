"""Agents as processes: who may use them, what they start, how they end, what they never open."""

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from batchfish.errors import WrongInput
from batchfish.localagent.attach import PORT_FILE, Endpoint, find_agent, keep_token, local_agent
from batchfish.localagent.serve import serve
from batchfish.localagent.serve_settings import ServeSettings
from batchfish.localagent.simulation.parameters import parse_simulation
from tests.endtoend.serving import PATIENCE, until
from tests.localagent.agents import SITE, create, sample, served, wait_for_end
from tests.localagent.browsing import KEY, PAGES, PRICE, browsers_of, children_of, require_chromium
from tests.localagent.doubles import Listener

pytestmark = pytest.mark.process

SIMULATE = ("--engine", "simulate", "--simulate")


def agent_of(folder: Path) -> Endpoint:
    """Return the agent that runs in a folder."""
    return Endpoint(**json.loads((folder / PORT_FILE).read_bytes()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    """Serve with one agent for the tests that only ask it; it notes each file that it or a reader opens."""
    log, audit = folder / "opened", "lambda event, args: event == 'open' and log.write(f'{args[0]}\\n')"
    hook = f"import sys\nlog = open({str(log)!r}, 'a', buffering=1)\nsys.addaudithook({audit})\n"
    (folder / "sitecustomize.py").write_text(hook)
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parents[2]}"}
    with served(folder / "agent", *SITE, env=environment) as client:
        yield client


def test_pages_of_one_real_host_are_a_second_apart_and_private_ones_are_refused(client: httpx.Client) -> None:
    runs = wait_for_end(client, [create(client, url=f"http://10.0.0.1/{n}", goal="x") for n in range(2)])
    assert {run["error"]["code"] for run in runs.values()} == {"LOCAL_ADDRESS_REFUSED"}
    begun = min(datetime.fromisoformat(run["started_at"]) for run in runs.values())
    ended = max(datetime.fromisoformat(run["finished_at"]) for run in runs.values())
    assert (ended - begun).total_seconds() >= 1


def test_another_users_key_is_refused_and_every_file_is_for_its_owner_alone(
    client: httpx.Client, folder: Path
) -> None:
    home = folder / "agent"
    agent = agent_of(home)
    modes = {path.name: path.stat().st_mode & 0o777 for path in home.iterdir()}
    assert {"agent.json", "agent.db", "agent.lock", "agent.users", "agent.log"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    assert home.stat().st_mode & 0o777 == 0o700
    for key, status in (("local", 401), (agent.token, 200)):
        assert client.get("/v1/runs", headers={"X-API-Key": key}).status_code == status


def test_it_never_opens_the_answer_key(client: httpx.Client, folder: Path) -> None:
    key = "tests/sample_inputs/answers.json"
    outside = (f"../../../{key}", f"%2e%2e/%2e%2e/%2e%2e/{key}", f"..%2f..%2f..%2f{key.replace('/', '%2f')}")
    ids = [create(client, **sample("book-walden"))]
    ids += [create(client, url=f"http://bookshop.example/{path}", goal="x") for path in outside]
    runs = wait_for_end(client, ids)
    opened = (folder / "opened").read_text().splitlines()
    assert any(name.endswith("walden.html") for name in opened)
    assert not [name for name in opened if name.endswith("answers.json")]
    assert [runs[run_id]["status"] for run_id in ids] == ["COMPLETED", "FAILED", "FAILED", "FAILED"]


def test_a_second_user_finds_the_agent_and_it_ends_after_the_last(tmp_path: Path) -> None:
    with local_agent(tmp_path, env=os.environ) as first:
        with local_agent(tmp_path, env=os.environ) as second:
            assert second == first
        assert find_agent(tmp_path / "agent.json") == first
    until(lambda: not (tmp_path / PORT_FILE).exists())
    assert find_agent(tmp_path / "agent.json") is None
    (tmp_path / PORT_FILE).write_text('{"base_url": "http://127.0.0.1:9", "token": "t", "pid": 1}')
    assert find_agent(tmp_path / "agent.json") is None


def test_a_killed_agents_runs_are_taken_up_by_the_next(tmp_path: Path) -> None:
    with served(tmp_path, *SIMULATE, "duration=600", "--cap", "1") as client:
        ids = [create(client, url=f"http://a.example/{n}", goal="x") for n in range(2)]
        os.kill(agent_of(tmp_path).pid, signal.SIGKILL)
        with served(tmp_path, *SIMULATE, "duration=0") as again:
            runs = wait_for_end(again, ids)
    assert [runs[run_id]["status"] for run_id in ids] == ["FAILED", "COMPLETED"]
    assert runs[ids[0]]["error"]["code"] == "LOCAL_AGENT_RESTARTED"
    assert runs[ids[0]]["error"]["category"] == "SYSTEM_FAILURE"


def test_creates_whose_answers_are_lost_make_their_runs_now_or_later(tmp_path: Path) -> None:
    """Two of them are reset after they were acted on, two before."""
    goals = {f"marked {n}" for n in range(4)}
    with served(tmp_path, *SIMULATE, "reset=0.5,late=0.5,late_by=0.2,duration=0") as client:
        for goal in goals:
            with pytest.raises(httpx.ReadError):
                create(client, url="http://a.example/", goal=goal)
        until(lambda: {run["goal"] for run in client.get("/v1/runs").json()["data"]} == goals)


async def test_a_webhook_is_delivered_though_the_command_has_gone(tmp_path: Path) -> None:
    """The first attempt fails, and the agent ends before it makes another."""

    def run(origin: str) -> str:
        with served(tmp_path, *SIMULATE, "duration=0", "--allow-origin", origin) as client:
            run_id = create(client, url="http://a.example/", goal="x", webhook_url=f"{origin}/hook")
            wait_for_end(client, [run_id])
        return run_id

    refused, taken = (b"HTTP/1.1 %d x\r\ncontent-length: 0\r\n\r\n" % status for status in (500, 204))
    async with Listener(refused, taken) as listener:
        run_id = await asyncio.to_thread(run, listener.origin)
        async with asyncio.timeout(PATIENCE):
            bodies = [(await listener.requests.get())[1] for _ in range(2)]
    assert bodies[0] == bodies[1]
    assert json.loads(bodies[1])["run_id"] == run_id


@pytest.mark.parametrize("stop", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_the_agent_ends_though_streams_or_answers_are_awaited(tmp_path: Path, stop: signal.Signals) -> None:
    with served(tmp_path, *SIMULATE, "duration=600") as client:
        body = {"url": "http://a.example/", "goal": "x"}
        with client.stream("POST", "/v1/automation/run-sse", json=body) as stream:
            frames = stream.iter_lines()
            assert "STARTED" in next(frames)
            os.kill(agent_of(tmp_path).pid, stop)
            with contextlib.suppress(httpx.HTTPError):
                for _ in frames:  # to the end of the stream
                    pass
            until(lambda: not (tmp_path / PORT_FILE).exists())
    with contextlib.closing(sqlite3.connect(tmp_path / "agent.db")) as store:
        statuses = store.execute("SELECT status FROM runs").fetchall()
    assert statuses == [("RUNNING",)]  # the next agent tells that it was restarted


def test_a_new_file_gets_a_token_for_its_owner_alone_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "token"
    token = keep_token(path)
    assert len(token) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == f"{token}\n"
    assert token == keep_token(path) != keep_token(tmp_path / "another")
    path.chmod(0o640)
    with pytest.raises(WrongInput, match="Others can read"):
        keep_token(path)


def test_a_file_without_a_token_is_left_as_it_is_and_no_agent_starts_without_a_key(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch(0o600)
    for text in ("", "short", "sixteen letters and blanks", "ü" * 20):
        path.write_text(text)
        with pytest.raises(WrongInput, match="no key"):
            keep_token(path)
        assert path.read_text() == text
    with pytest.raises(WrongInput, match="--token-file"):
        serve(ServeSettings())


def test_a_run_is_seen_and_its_browser_ends_with_the_agent(tmp_path: Path) -> None:
    require_chromium()
    with served(tmp_path, "--engine", "browser", "--site", str(PAGES)) as client:
        run_id = create(client, url="http://plain.example/", goal="Read the price", output_schema=PRICE)
        run = wait_for_end(client, [run_id])[run_id]
        assert run["result"] == {"price": 5}
        picture = client.get(f"/v1/runs/{run_id}/steps/{run['steps'][0]['id']}/screenshot")
        assert picture.content.startswith(b"\xff\xd8")
        browsers = browsers_of(agent_of(tmp_path).pid)
        assert browsers
    until(lambda: not any(process.exists() for process in browsers))


def test_what_the_agent_starts_holds_no_key(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "batchfish", "serve", "--port", "0", "--engine", "extract"]
    environment = {**os.environ, "TINYFISH_API_KEY": KEY}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, cwd=tmp_path) as agent:
        try:
            assert agent.stdout is not None
            assert b"listening" in agent.stdout.readline()
            until(lambda: bool(readers_of(agent.pid)))
            environments = [reader.joinpath("environ").read_bytes() for reader in readers_of(agent.pid)]
            assert not [each for each in environments if KEY.encode() in each]
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.wait(PATIENCE)


def readers_of(pid: int) -> list[Path]:
    """Return the folders in /proc of an agent's reading processes, once they are no longer its copies."""
    children = children_of(pid)
    return [child for child in children if b"engines.worker" in child.joinpath("cmdline").read_bytes()]


@pytest.mark.parametrize("text", ["speed=1", "duration=x", "duration", "reset=0.6,late=0.6", "seed=1.5"])
def test_options_of_a_simulation_that_make_no_sense_are_named(text: str) -> None:
    with pytest.raises(WrongInput, match=text.partition("=")[0]):
        parse_simulation(text)


def test_a_seed_decides_how_long_the_nth_run_takes_whatever_else_is_asked(tmp_path: Path) -> None:
    spread = "duration=0.3,sigma=1,jitter=0.001,seed=3"
    simulation = parse_simulation(spread)
    chance, expected = simulation.chance("runs"), []
    with served(tmp_path, *SIMULATE, spread, "--cap", "50") as client:
        run_ids = []
        for n in range(10):
            run_ids.append(create(client, url=f"http://a.example/{n}", goal="x"))
            client.get("/v1/runs")
            expected.append(f"{simulation.draw_duration(chance):.1f}s")
            chance.random()  # for how the run ends
        runs = wait_for_end(client, run_ids)
    assert [runs[run_id]["steps"][0]["duration"] for run_id in run_ids] == expected
    assert len(set(expected)) > 3
