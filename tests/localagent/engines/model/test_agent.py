"""The model engine behind the API: what it needs at start, its events, and where its key is not."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from batchfish.errors import WrongInput
from batchfish.localagent.attach import LOG, PORT_FILE, STORE, find_agent
from batchfish.localagent.engines.model.endpoint import KEY as KEY_NAME
from batchfish.localagent.engines.model.endpoint import MODEL, URL, ModelEndpoint, take_endpoint
from tests.localagent.agents import create, served, wait_for_end
from tests.localagent.browsing import children_of
from tests.localagent.engines.model.conftest import SCHEMA
from tests.localagent.engines.model.stub import KEY, Stub, answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GIVEN = {URL: "http://127.0.0.1:9/v1", MODEL: "stub", KEY_NAME: KEY}


@pytest.fixture
def model() -> Iterator[Stub]:
    """Return a model that answers from a thread of its own: these tests are no coroutines."""
    from tests.webagent.servers import serving

    made, loop, over = (
        Stub(answers({"name": "Walden", "price": "8.4"})),
        asyncio.new_event_loop(),
        asyncio.Event(),
    )
    is_ready = threading.Event()

    async def serve() -> None:
        async with serving(made.answer) as server:
            made.port = server.port
            is_ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    is_ready.wait()
    yield made
    loop.call_soon_threadsafe(over.set)
    thread.join()
    loop.close()


@pytest.mark.parametrize("missing", [URL, MODEL, KEY_NAME])
def test_a_missing_variable_is_named(missing: str) -> None:
    with pytest.raises(WrongInput, match=rf"--engine model needs a model to ask\. {missing} is not set: "):
        take_endpoint({**GIVEN, missing: " "})


@pytest.mark.parametrize("url", ["127.0.0.1:11434", "ftp://models.example/v1", "http://", "http://["])
def test_a_url_that_is_none_is_named(url: str) -> None:
    with pytest.raises(WrongInput, match=f"{URL} is no http or https URL"):
        take_endpoint({**GIVEN, URL: url})


def test_the_key_leaves_the_environment_and_stands_in_no_repr() -> None:
    environment = {**GIVEN, "OPENAI_CUSTOM_HEADERS": "X-Leak: 1", "OPENAI_LOG": "debug", "PATH": "/bin"}
    endpoint = take_endpoint(environment)
    assert endpoint == ModelEndpoint(url=GIVEN[URL], model="stub", key=KEY)
    assert KEY not in repr(endpoint)
    assert environment == {URL: GIVEN[URL], MODEL: "stub", "PATH": "/bin"}


@pytest.mark.process
def test_an_agent_without_a_model_does_not_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "batchfish", "serve", "--port", "0", "--engine", "model"]
    environment = {"PATH": "/usr/bin:/bin", URL: GIVEN[URL], KEY_NAME: KEY}
    ended = subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("--engine model needs a model to ask. BATCHFISH_MODEL is not set: ")
    assert len(ended.stderr.splitlines()) == 1
    assert KEY not in ended.stderr


@pytest.mark.process
def test_a_run_of_the_api_is_answered_and_the_key_is_nowhere(
    site: Path, model: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**GIVEN, URL: model.endpoint.url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PATH", str(site))  # where there is no browser
    home = tmp_path / "agent"
    with served(home, "--engine", "model", "--site", str(site)) as client:
        asked = {"url": "http://book.example/", "goal": "Read name and price", "output_schema": SCHEMA}
        first = create(client, **asked, agent_config={"max_steps": 5})
        run = wait_for_end(client, [first])[first]
        assert run["status"] == "COMPLETED"
        assert run["result"] == {"name": "Walden", "price": 8.4}
        assert run["schema_validation"] == {"valid": True, "re_prompt_attempts": 0, "errors": []}
        assert [step["action"] for step in run["steps"]] == [
            "opened http://book.example/: 90 bytes",
            "the model was asked once: 100 tokens in, 10 out",
        ]
        with client.stream("POST", "/v1/automation/run-sse", json=asked) as stream:
            lines = [line.removeprefix("data: ") for line in stream.iter_lines() if line.startswith("data: ")]
        events = [json.loads(line) for line in lines]
        assert [event["type"] for event in events if event["type"] != "HEARTBEAT"] == [
            *("STARTED", "STREAMING_URL", "PROGRESS", "PROGRESS", "COMPLETE")
        ]
        model.restart(401)
        second = create(client, **asked)
        refused = wait_for_end(client, [second])[second]
        assert refused["error"]["code"] == "LOCAL_MODEL_REFUSED"
        agent = find_agent(home / PORT_FILE)
        assert agent is not None
        started = [process.joinpath("environ").read_bytes() for process in children_of(agent.pid)]
        assert started
    kept = [file.read_bytes() for file in home.iterdir() if file.is_file()]
    assert (home / LOG).is_file()
    assert (home / STORE).is_file()
    assert not [
        body
        for body in [*started, *kept, json.dumps([run, refused, events]).encode()]
        if KEY.encode() in body
    ]
    assert f"authorization: Bearer {KEY}" in model.heads[0]
