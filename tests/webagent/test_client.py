"""The client: the request of a create, what its answer proves, and that no secret is shown."""

from __future__ import annotations

import gzip
import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

import batchfish
from batchfish.core.events import (
    CreateAnswer,
    SubmitAccepted,
    SubmitDeferred,
    SubmitRejected,
    SubmitUnanswered,
)
from batchfish.errors import NotPermitted, WrongInput
from batchfish.webagent.client import WebAgentClient
from tests.webagent.fakes import KEY, Chunks, client_of, refusal, row, runs_body

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.webagent.base import WebAgent


async def submit(answer: Callable[[httpx.Request], httpx.Response]) -> CreateAnswer:
    client = client_of(answer)
    return await client.submit(client.prepare("https://shop.example", "find", {}))


def fail_with(failure: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def answer(_: httpx.Request) -> httpx.Response:
        raise failure

    return answer


def test_the_client_has_the_interface_of_the_pipeline() -> None:
    agent: WebAgent = client_of(lambda _: refusal(500))
    assert agent.key_id == client_of(lambda _: refusal(500)).key_id
    assert agent.key_id != client_of(lambda _: refusal(500), salt=b"other").key_id


def test_the_package_exports_the_client_and_imports_it_late() -> None:
    assert batchfish.WebAgentClient is WebAgentClient
    code = "import batchfish, sys; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_create_is_one_post_with_the_key_and_the_user_agent() -> None:
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={"run_id": "r-1", "error": None})

    assert await submit(answer) == SubmitAccepted(run_id="r-1")
    (request,) = requests
    assert (request.method, request.url.path) == ("POST", "/v1/automation/run-async")
    assert request.headers["X-API-Key"] == KEY
    assert request.headers["User-Agent"] == f"batchfish/{batchfish.__version__}"
    assert request.headers["Content-Type"] == request.headers["Accept"] == "application/json"
    assert json.loads(request.content) == {
        "url": "https://shop.example",
        "goal": "find",
        "api_integration": "batchfish",
    }


async def test_a_path_in_the_base_url_is_kept() -> None:
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        return httpx.Response(200, json={"data": [], "pagination": {"has_more": False}})

    client = WebAgentClient(
        api_key=KEY, base_url="https://gateway.example/fish/", transport=httpx.MockTransport(answer)
    )
    await client.find_by_marker("bf-")
    assert paths == ["/fish/v1/runs"]


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError]
)
async def test_a_create_that_was_surely_not_sent_is_deferred(failure: type[httpx.TransportError]) -> None:
    proof = await submit(fail_with(failure("said httpx")))
    assert isinstance(proof, SubmitDeferred)
    assert proof.reason == "unreachable"


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadError("x"),
        httpx.ReadTimeout("x"),
        httpx.WriteError("x"),
        httpx.WriteTimeout("x"),
        httpx.CloseError("x"),
        httpx.RemoteProtocolError("x"),
        httpx.LocalProtocolError("x"),
        httpx.UnsupportedProtocol("x"),
        httpx.DecodingError("x"),
        httpx.TooManyRedirects("x"),
        httpx.StreamClosed(),
        ConnectionResetError("x"),
        TimeoutError(),
        OSError("x"),
    ],
    ids=lambda failure: type(failure).__name__,
)
async def test_a_create_that_may_have_been_sent_is_unanswered(failure: Exception) -> None:
    assert isinstance(await submit(fail_with(failure)), SubmitUnanswered)


async def test_a_create_is_never_sent_twice() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(str(request.url))
        return httpx.Response(307, headers={"Location": "https://evil.example/"})

    assert isinstance(await submit(answer), SubmitUnanswered)
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'{"run_id": "r-1", "error": null}', {"Content-Length": "33"}),
        (b'{"run_id": "r-1", "error": null}', {"Content-Length": "31"}),
        (gzip.compress(b'{"run_id": "r-1", "error": null}')[:-9], {"Content-Encoding": "gzip"}),
        (b'{"run_id": "r-1", "error": null}', {"Content-Encoding": "gzip"}),
        (b'{"run_id": "r-1", "error": null}', {"Content-Encoding": "br"}),
        (b'{"run_id": "r-1"', {}),
        (b"", {}),
    ],
    ids=["too short", "too long", "cut gzip", "no gzip", "other encoding", "cut JSON", "empty"],
)
async def test_a_cut_or_damaged_answer_is_unanswered(body: bytes, headers: dict[str, str]) -> None:
    proof = await submit(lambda _: httpx.Response(200, stream=Chunks([body]), headers=headers))
    assert isinstance(proof, SubmitUnanswered)


async def test_a_compressed_answer_in_small_pieces_is_read() -> None:
    packed = gzip.compress(b'{"run_id": "r-1", "error": null}')
    pieces = [packed[start : start + 3] for start in range(0, len(packed), 3)]
    proof = await submit(
        lambda _: httpx.Response(200, stream=Chunks(pieces), headers={"Content-Encoding": "GZIP"})
    )
    assert proof == SubmitAccepted(run_id="r-1")


async def test_an_endless_answer_to_a_create_is_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchfish.webagent.http.MAX_BODY_BYTES", 2**16)
    proof = await submit(lambda _: httpx.Response(200, stream=Chunks(iter(lambda: b" " * 1024, b""))))
    assert isinstance(proof, SubmitUnanswered)


async def test_a_key_that_the_api_echoes_is_redacted() -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        said = f"no {request.headers['X-API-Key']}, no canary-password"
        return httpx.Response(400, json={"error": {"code": "INVALID_INPUT", "message": said}})

    client = client_of(echo, secrets={"PW": "canary-password"})
    proof = await client.submit(client.prepare("https://shop.example", "find", {}))
    assert isinstance(proof, SubmitRejected)
    assert "canary" not in proof.message

    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(401, json=json.loads(echo(request).content))

    with pytest.raises(NotPermitted) as caught:
        await client_of(refuse, secrets={"PW": "canary-password"}).poll(["r-1"])
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("before", ["", "x" * 489])
async def test_a_key_in_the_error_of_a_run_is_redacted(before: str) -> None:
    """Also the start of a key at the end of a shortened message."""

    def answer(_: httpx.Request) -> httpx.Response:
        error = {"message": f"{before} {KEY} and canary-password", "code": KEY.upper(), "category": "UNKNOWN"}
        run = {"run_id": "r-1", "status": "FAILED", "goal": "find", "error": error}
        return httpx.Response(200, json={"data": [run], "pagination": {"has_more": False, "total": 1}})

    client = client_of(answer, secrets={"PW": "canary-password"})
    polled = (await client.poll(["r-1"])).runs["r-1"]
    (listed,) = (await client.find_by_marker("find")).rows
    for run in (polled, listed):
        assert run.error is not None
        assert KEY[:6] not in run.error.message
        assert "canary" not in run.error.message


async def test_no_secret_is_in_a_repr_or_a_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "batchfish.webagent.polls",
        "batchfish.webagent.http",
        "httpcore.connection",
        "httpcore.http11",
    ):
        monkeypatch.setattr(logging.getLogger(name), "disabled", False)
        caplog.set_level(logging.DEBUG, name)
    client = client_of(lambda _: httpx.Response(200, content=runs_body([row("r-1"), row("r-2")])))
    proxy = {"enabled": True, "type": "custom", "url": "http://p", "password": "canary-password"}
    create = client.prepare("https://shop.example", "find", {"proxy_config": proxy})
    await client.submit(create)
    await client.poll(["r-1"])
    assert "dropped a row" in caplog.text
    assert "HTTP Request" in caplog.text
    assert "canary" not in repr(client) + repr(create) + caplog.text


async def test_urls_stay_out_of_logs_unless_debugging(caplog: pytest.LogCaptureFixture) -> None:
    for name in ("batchfish", "batchfish.webagent.http"):
        caplog.set_level(logging.NOTSET, name)
    caplog.set_level(logging.INFO)
    await client_of(lambda _: httpx.Response(200, content=runs_body([], ["r-1"]))).poll(["r-1"])
    assert "/v1/runs" not in caplog.text


@pytest.mark.parametrize("key", ["", "sk canary", "sk-canary\r\nX: y"])
def test_a_key_that_cannot_be_sent_is_refused_at_once(key: str) -> None:
    with pytest.raises(WrongInput) as caught:
        WebAgentClient(api_key=key)
    assert "canary" not in str(caught.value)


def test_an_unencrypted_base_url_is_refused_at_once() -> None:
    with pytest.raises(WrongInput):
        WebAgentClient(api_key=KEY, base_url="http://agent.tinyfish.ai")
