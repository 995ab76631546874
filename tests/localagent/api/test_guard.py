"""Who may speak to the agent, tried from the outside: keys, names, origins, kinds and sizes of bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.localagent.api import guard
from tests.localagent.doubles import TOKEN, create

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import httpx

BODY = b'{"url": "http://a.example/", "goal": "x"}'
JSON = {"content-type": "application/json"}
RUN_ASYNC = "/v1/automation/run-async"


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


FOREIGN_HOSTS = (
    *("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "127.0.0.1@evil.example"),
    *("127.1", "0.0.0.0", "[::ffff:127.0.0.1]", "", "[", "[::1", "//127.0.0.1"),  # noqa: S104 - refused here
)
FOREIGN_ORIGINS = (
    *("http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"),
    *("http://127.0.0.1.evil.example", "http://localhost", "http://[", ""),
)


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
async def test_only_names_of_this_machine_are_answered(api: httpx.AsyncClient, host: str) -> None:
    assert refusal(await api.get("/v1/runs", headers={"host": host})) == (403, "FORBIDDEN")


async def test_names_of_this_machine_and_its_own_pages_are_answered(api: httpx.AsyncClient) -> None:
    for host in ("127.0.0.1:8765", "localhost", "LOCALHOST:80", "[::1]:8765"):
        assert (await api.get("/v1/runs", headers={"host": host})).status_code == 200
    assert (await api.get("/v1/runs", headers={"origin": "http://127.0.0.1"})).status_code == 200


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
async def test_pages_of_other_origins_are_refused_everywhere(api: httpx.AsyncClient, origin: str) -> None:
    run_id = await create(api)
    watch = (await api.get(f"/v1/runs/{run_id}")).json()["streaming_url"]
    for path in ("/v1/runs", "/openapi.json", watch, f"{watch}/events"):
        answer = await api.get(path, headers={"origin": origin})
        assert refusal(answer) == (403, "FORBIDDEN")
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert refusal(await api.post(RUN_ASYNC, content=BODY, headers={**JSON, "origin": origin})) == (
        403,
        "FORBIDDEN",
    )


async def test_no_answer_lets_another_origin_read_it_or_ask_in_advance(api: httpx.AsyncClient) -> None:
    ask = {"origin": "http://evil.example", "access-control-request-method": "POST"}
    answers = [await api.options(RUN_ASYNC, headers=ask), await api.get("/v1/runs")]
    assert answers[0].status_code == 403
    assert not [name for answer in answers for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "a/b"]
)
async def test_what_a_form_can_send_is_refused(api: httpx.AsyncClient, kind: str) -> None:
    answer = await api.post(RUN_ASYNC, content=BODY, headers={"content-type": kind})
    assert refusal(answer) == (415, "INVALID_INPUT")
    assert (await api.get("/v1/runs")).json()["pagination"]["total"] == 0


@pytest.mark.parametrize("kind", ["application/json", "Application/JSON; charset=utf-8"])
async def test_json_is_taken_however_it_is_spelled(api: httpx.AsyncClient, kind: str) -> None:
    answer = await api.post(RUN_ASYNC, content=BODY, headers={"content-type": kind})
    assert answer.status_code == 200


async def in_chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    """Yield chunks: httpx sends them without a Content-Length."""
    for chunk in chunks:
        yield chunk


class TestChunkedBody:
    async def test_it_is_read_to_its_end(self, api: httpx.AsyncClient) -> None:
        answer = await api.post(RUN_ASYNC, content=in_chunks(BODY[:5], BODY[5:]), headers=JSON)
        assert "transfer-encoding" in answer.request.headers
        assert answer.status_code == 200
        (run,) = (await api.get("/v1/runs")).json()["data"]
        assert (run["run_id"], run["goal"]) == (answer.json()["run_id"], "x")

    async def test_it_is_read_up_to_the_cap(
        self, api: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guard, "LARGEST_BODY", len(BODY))
        whole = await api.post(RUN_ASYNC, content=in_chunks(BODY[:5], BODY[5:]), headers=JSON)
        assert whole.status_code == 200
        answer = await api.post(RUN_ASYNC, content=in_chunks(BODY, b" "), headers=JSON)
        assert refusal(answer) == (413, "INVALID_INPUT")

    async def test_it_has_to_be_json_too(self, api: httpx.AsyncClient) -> None:
        answer = await api.post(RUN_ASYNC, content=in_chunks(BODY), headers={"content-type": "text/plain"})
        assert refusal(answer) == (415, "INVALID_INPUT")


@pytest.mark.parametrize("length", [str(16 * 1024 * 1024 + 1), "9" * 5000, "-1", "²"])
async def test_a_body_of_an_odd_length_is_refused(api: httpx.AsyncClient, length: str) -> None:
    headers = {**JSON, "content-length": length.encode()}
    answer = await api.post(RUN_ASYNC, content=BODY, headers=headers)  # type: ignore[arg-type]
    assert refusal(answer) == (413, "INVALID_INPUT")


@pytest.mark.parametrize("body", [b"[" * 100_000, b"9" * 5_000, b"{}{}", b"\xff", b"null", b"[]", b'"x"'])
async def test_a_hostile_body_is_the_clients_fault(api: httpx.AsyncClient, body: bytes) -> None:
    for path in (RUN_ASYNC, "/v1/automation/run-batch", "/v1/runs/batch"):
        answer = await api.post(path, content=body, headers=JSON)
        assert refusal(answer) == (400, "INVALID_INPUT")


@pytest.mark.parametrize("bound", ["NaN", "Infinity", "1e999"])
async def test_numbers_that_json_does_not_have_are_refused(api: httpx.AsyncClient, bound: str) -> None:
    schema = (
        b'{"type": "object", "properties": {"a": {"type": "number", "minimum": ' + bound.encode() + b"}}}"
    )
    body = BODY[:-1] + b', "output_schema": ' + schema + b"}"
    answer = await api.post(RUN_ASYNC, content=body, headers=JSON)
    assert refusal(answer) == (400, "INVALID_INPUT")
    assert "#/properties/a/minimum" in answer.json()["error"]["message"]


@pytest.mark.parametrize("step", ["0", "-1", "1e3", "²", "9" * 30, "9" * 5_000, "1.0", " 1"])
async def test_a_step_that_cannot_be_is_not_found(api: httpx.AsyncClient, step: str) -> None:
    run_id = await create(api)
    for kind in ("screenshot", "html"):
        assert refusal(await api.get(f"/v1/runs/{run_id}/steps/{step}/{kind}")) == (404, "NOT_FOUND")
    watch = (await api.get(f"/v1/runs/{run_id}")).json()["streaming_url"]
    assert (await api.get(f"{watch}/steps/{step}/screenshot")).status_code in {400, 404}


async def test_a_path_with_a_slash_too_many_is_not_found(api: httpx.AsyncClient) -> None:
    """A redirect would lead a client that follows it to send its key once more."""
    for path in ("/v1/runs/", "/v1//runs", "/live/assets/live.css/"):
        assert (await api.get(path)).status_code == 404


class TestKey:
    async def test_the_agents_own_is_the_only_one_accepted(self, api: httpx.AsyncClient) -> None:
        for key in ("any", f"{TOKEN}2", TOKEN.upper(), "tökén".encode()):
            for path in ("/v1/runs", "/v1/local/health"):
                answer = await api.get(path, headers={"x-api-key": key})  # type: ignore[arg-type]
                assert refusal(answer) == (401, "INVALID_API_KEY")
                assert TOKEN not in answer.text
        for missing in ("", " "):
            answer = await api.get("/v1/runs", headers={"x-api-key": missing})
            assert refusal(answer) == (401, "MISSING_API_KEY")
        assert (await api.get("/v1/runs", headers={"x-api-key": TOKEN})).status_code == 200

    async def test_a_wrong_one_creates_and_cancels_nothing(self, api: httpx.AsyncClient) -> None:
        run_id = await create(api)
        wrong = {"x-api-key": "any"}
        for path in (RUN_ASYNC, f"/v1/runs/{run_id}/cancel"):
            answer = await api.post(path, content=BODY, headers={**JSON, **wrong})
            assert refusal(answer) == (401, "INVALID_API_KEY")
        (run,) = (await api.get("/v1/runs")).json()["data"]
        assert run["status"] == "RUNNING"

    async def test_the_live_view_needs_its_link_instead(self, api: httpx.AsyncClient) -> None:
        run_id = await create(api)
        watch = (await api.get(f"/v1/runs/{run_id}")).json()["streaming_url"]
        for key in ("", "any"):
            assert (await api.get(watch, headers={"x-api-key": key})).status_code == 200
            assert (await api.get(watch[:-1] + "~", headers={"x-api-key": key})).status_code == 404
