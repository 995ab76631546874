"""Who may speak to the agent, tried from the outside: keys, names, origins, kinds and sizes of bodies."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from batchfish.localagent.api import guard
from batchfish.localagent.runs.queue import RunQueue
from tests.localagent.doubles import TOKEN, Clock, create, served_app

BODY = b'{"url": "http://a.example/", "goal": "x"}'
JSON = {"content-type": "application/json"}
CHUNKED = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
RUN_ASYNC = "/v1/automation/run-async"
FOREIGN_HOSTS = (
    *("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "127.0.0.1@evil.example"),
    *("127.1", "0.0.0.0", "[::ffff:127.0.0.1]", "", "[", "[::1", "//127.0.0.1"),  # noqa: S104 - refused here
)
FOREIGN_ORIGINS = (
    *("http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"),
    *("http://127.0.0.1.evil.example", "http://localhost", "http://[", ""),
)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_only_names_of_this_machine_are_answered(api: httpx.AsyncClient) -> None:
    for host in FOREIGN_HOSTS:
        assert refusal(await api.get("/v1/runs", headers={"host": host})) == (403, "FORBIDDEN"), host
    for host in ("127.0.0.1:8765", "localhost", "LOCALHOST:80", "[::1]:8765"):
        assert (await api.get("/v1/runs", headers={"host": host})).status_code == 200


async def test_pages_of_other_origins_are_refused_everywhere(api: httpx.AsyncClient) -> None:
    """No answer lets another origin read it, or ask in advance."""
    assert (await api.get("/v1/runs", headers={"origin": "http://127.0.0.1"})).status_code == 200
    watch = (await api.get(f"/v1/runs/{await create(api)}")).json()["streaming_url"]
    ask = {"access-control-request-method": "POST"}
    for origin in FOREIGN_ORIGINS:
        foreign = {"origin": origin}
        answers = [
            *[await api.get(path, headers=foreign) for path in ("/openapi.json", watch, f"{watch}/events")],
            await api.post(RUN_ASYNC, content=BODY, headers={**JSON, **foreign}),
            await api.options(RUN_ASYNC, headers={**ask, **foreign}),
        ]
        for answer in answers:
            assert refusal(answer) == (403, "FORBIDDEN"), origin
            assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        *((kind, 415) for kind in ("text/plain", "multipart/form-data; boundary=x", "", "a/b")),
        ("application/x-www-form-urlencoded", 415),
        *((kind, 200) for kind in ("application/json", "Application/JSON; charset=utf-8")),
    ],
)
async def test_only_json_is_taken(api: httpx.AsyncClient, kind: str, status: int) -> None:
    answer = await api.post(RUN_ASYNC, content=in_chunks(BODY), headers={"content-type": kind})
    assert answer.status_code == status
    runs = (await api.get("/v1/runs")).json()["data"]
    assert [run["goal"] for run in runs] == ["x"] * (status == 200)


async def in_chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    """Yield chunks: httpx sends them without a Content-Length."""
    for chunk in chunks:
        yield chunk


async def test_a_body_is_read_up_to_the_cap(api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    for length in (str(16 * 1024 * 1024 + 1), "9" * 5000, "-1", "²"):
        headers = {**JSON, "content-length": length.encode()}
        answer = await api.post(RUN_ASYNC, content=BODY, headers=headers)  # type: ignore[arg-type]
        assert refusal(answer) == (413, "INVALID_INPUT")
    monkeypatch.setattr(guard, "LARGEST_BODY", len(BODY))
    whole = await api.post(RUN_ASYNC, content=in_chunks(BODY[:5], BODY[5:]), headers=JSON)
    assert whole.status_code == 200
    answer = await api.post(RUN_ASYNC, content=in_chunks(BODY, b" "), headers=JSON)
    assert refusal(answer) == (413, "INVALID_INPUT")


@pytest.mark.parametrize("body", [b"[" * 100_000, b"9" * 5_000, b"{", b"{}{}", b"\xff", b"null", b'"x"'])
async def test_a_hostile_body_is_the_clients_fault(api: httpx.AsyncClient, body: bytes) -> None:
    for path in (RUN_ASYNC, "/v1/automation/run-batch", "/v1/runs/batch"):
        answer = await api.post(path, content=body, headers=JSON)
        assert refusal(answer) == (400, "INVALID_INPUT")


@pytest.mark.parametrize("bound", ["NaN", "Infinity", "1e999"])
async def test_numbers_that_json_does_not_have_are_refused(api: httpx.AsyncClient, bound: str) -> None:
    price = f'{{"type": "object", "properties": {{"a": {{"type": "number", "minimum": {bound}}}}}}}'
    body = BODY[:-1] + f', "output_schema": {price}}}'.encode()
    answer = await api.post(RUN_ASYNC, content=body, headers=JSON)
    assert refusal(answer) == (400, "INVALID_INPUT")
    assert "#/properties/a/minimum" in answer.json()["error"]["message"]


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nx: ", b"%s0\r\nx: " % CHUNKED])
async def test_a_head_or_trailer_without_end_closes_the_connection(
    queue: RunQueue, clock: Clock, head: bytes
) -> None:
    async with served_app(queue, clock) as address, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.writelines([head, b"a" * 2**21])
        with contextlib.suppress(ConnectionError):
            await reader.read()  # to the end of the connection
        writer.close()


async def test_the_agents_own_key_is_the_only_one_accepted(api: httpx.AsyncClient) -> None:
    run_id = await create(api)
    for key, code in (
        *((wrong, "INVALID_API_KEY") for wrong in ("any", f"{TOKEN}2", TOKEN.upper(), "tökén")),
        *((missing, "MISSING_API_KEY") for missing in ("", " ")),
    ):
        headers = {**JSON, "x-api-key": key.encode()}
        for path in ("/v1/runs", "/v1/local/health", RUN_ASYNC, f"/v1/runs/{run_id}/cancel"):
            method = "GET" if path in {"/v1/runs", "/v1/local/health"} else "POST"
            answer = await api.request(method, path, content=BODY, headers=headers)  # type: ignore[arg-type]
            assert refusal(answer) == (401, code)
            assert TOKEN not in answer.text
    (run,) = (await api.get("/v1/runs")).json()["data"]
    assert run["status"] == "RUNNING"
