"""Polls of many runs: chunks, halves, single calls, and answers that cannot be used."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import logging
import tracemalloc
from collections import Counter
from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish.errors import NotPermitted, WebAgentUnavailable, WrongInput
from batchfish.webagent.client import WebAgentClient
from tests.webagent.fakes import BASE_URL, KEY, Chunks, asked_ids, client_of, refusal, row, runs_body

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = [b'"\\ud800"', b"NaN", b"[" * 100_000 + b"]" * 100_000, b'"\x01"', b'"\\x"']
FLOOD = b"0" * 2**14


def ids(count: int) -> list[str]:
    return [f"r-{number}" for number in range(count)]


def answer_with(results: dict[str, bytes]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200, content=runs_body(row(i, results.get(i, b"{}")) for i in asked_ids(request))
        )

    return answer


async def test_any_number_of_runs_is_asked_for_a_hundred_a_call() -> None:
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sizes.append(len(asked_ids(request)))
        return httpx.Response(200, content=runs_body(map(row, reversed(asked_ids(request)))))

    result = await client_of(answer).poll([*ids(250), "r-1", "r-2"])
    assert sorted(sizes) == [50, 100, 100]
    assert set(result.runs) == set(ids(250))
    assert all(run.run_id == run_id for run_id, run in result.runs.items())


async def test_a_poll_of_no_runs_sends_nothing() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

    assert (await client_of(answer).poll([])).runs == {}


async def test_an_id_that_could_change_the_path_is_never_sent() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return refusal(404)

    await client_of(answer).poll(["../vault", "a/b", "", "r-1"])
    assert seen == ["/v1/runs/batch", "/v1/runs/r-1"]


async def test_ids_not_found_and_the_servers_clock_are_returned() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(
            200,
            content=runs_body([row("r-0")], ["r-1", "r-9", "r-0"]),
            headers={"Date": "Tue, 24 Nov 2026 20:00:00 GMT"},
        )

    result = await client_of(answer).poll(["r-0", "r-1", "r-2"])
    assert set(result.runs) == {"r-0"}
    assert result.not_found == {"r-1"}
    assert result.server_date == 1795550400.0


async def test_foreign_and_repeated_rows_are_dropped_and_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("batchfish.webagent.polls"), "disabled", False)
    caplog.set_level(logging.DEBUG, "batchfish")
    rows = [row("r-0", b"1"), row("foreign"), row("r-0", b"2"), b"null", b'{"status": "RUNNING"}']
    result = await client_of(lambda _: httpx.Response(200, content=runs_body(rows))).poll(["r-0"])
    assert {run_id: run.result for run_id, run in result.runs.items()} == {"r-0": b"1"}
    assert Counter("dropped" in record.message for record in caplog.records)[True] == 2


@pytest.mark.parametrize("hostile", HOSTILE, ids=["surrogate", "NaN", "deep", "control", "escape"])
async def test_a_hostile_result_spoils_none_of_its_99_neighbours(hostile: bytes) -> None:
    calls = itertools.count()
    results = {run_id: f'{{"n" : {n}.0}}'.encode() for n, run_id in enumerate(ids(100))} | {"r-37": hostile}
    answer = answer_with(results)

    def count(request: httpx.Request) -> httpx.Response:
        next(calls)
        return answer(request)

    result = await client_of(count).poll(ids(100))
    assert set(result.runs) == set(ids(100))
    assert {run.run_id: run.result for run in result.runs.values() if not run.is_whole_answer} == {
        run_id: result for run_id, result in results.items() if run_id != "r-37"
    }
    spoiled = result.runs["r-37"]
    assert (spoiled.is_whole_answer, spoiled.status) == (True, "COMPLETED")
    assert spoiled.result == runs_body([row("r-37", hostile)])
    assert next(calls) <= 15


async def test_an_answer_that_broke_off_is_asked_again_in_halves() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        body = runs_body(map(row, asked_ids(request)))
        return httpx.Response(200, content=body if len(asked_ids(request)) < 50 else body[:-5])

    assert set((await client_of(answer).poll(ids(100))).runs) == set(ids(100))


async def test_one_run_whose_answer_always_breaks_off_is_left_out_alone() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        body = runs_body(map(row, asked_ids(request)))
        return httpx.Response(200, content=body[:-5] if "r-3" in asked_ids(request) else body)

    result = await client_of(answer).poll(ids(10))
    assert set(result.runs) == set(ids(10)) - {"r-3"}
    assert not result.not_found


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """Set the size limit of an answer to 64 KiB."""
    limit = 2**16
    monkeypatch.setattr("batchfish.webagent.http.MAX_BODY_BYTES", limit)
    monkeypatch.setattr("batchfish.webagent.polls.MAX_BODY_BYTES", limit)
    return limit


def stream(pieces: list[bytes]) -> httpx.Response:
    return httpx.Response(200, stream=Chunks(pieces))


async def test_answers_too_large_together_are_asked_for_in_parts(small_limit: int) -> None:
    big = b'"' + b"0" * (small_limit // 6) + b'"'

    def answer(request: httpx.Request) -> httpx.Response:
        return stream([runs_body(row(run_id, big) for run_id in asked_ids(request))])

    client = client_of(answer)
    left, polls = ids(16), 0
    while left:
        result = await client.poll(left)
        polls += 1
        assert result.runs
        assert {run.result for run in result.runs.values()} == {big}
        assert len(result.runs) * len(big) <= 2 * small_limit
        left = [run_id for run_id in left if run_id not in result.runs]
    assert polls == 2


@pytest.mark.usefixtures("small_limit")
@pytest.mark.parametrize("is_batch", [True, False])
async def test_a_giant_result_ends_its_run_and_no_other(*, is_batch: bool) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/runs/batch":
            if not is_batch:
                return refusal(404)
            asked = asked_ids(request)
            bodies = [b'{"data": [', b", ".join(map(row, asked)), b"]}"]
        else:
            asked = [request.url.path.rpartition("/")[2]]
            bodies = [row(asked[0])]
        if "r-5" not in asked:
            return stream(bodies)
        start = b'{"data": [' if is_batch else b""
        return stream([start + row("r-5", b'"')[:-1], *[FLOOD] * 5, b'"}]}'])

    result = await client_of(answer).poll(ids(8))
    assert set(result.runs) == set(ids(8))
    giant = result.runs["r-5"]
    assert (giant.status, giant.result) == ("FAILED", None)
    assert giant.error is not None
    assert (giant.error.code, giant.error.never_retry) == ("RESULT_TOO_LARGE", True)


@pytest.mark.usefixtures("small_limit")
async def test_a_giant_answer_about_an_unfinished_run_ends_nothing() -> None:
    start = runs_body([row("r-0", b'"', status="RUNNING")])[:60]
    result = await client_of(lambda _: stream([start, *[FLOOD] * 5])).poll(["r-0"])
    assert result.runs["r-0"].status == "RUNNING"


@pytest.mark.usefixtures("small_limit")
async def test_a_giant_answer_that_does_not_name_the_run_is_left_out() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        asked = asked_ids(request)
        if "r-0" in asked:
            return stream([b'{"data": [{"result": "', *[FLOOD] * 5])
        return httpx.Response(200, content=runs_body(map(row, asked)))

    result = await client_of(answer).poll(ids(2))
    assert (set(result.runs), result.not_found) == ({"r-1"}, frozenset())
    with pytest.raises(WebAgentUnavailable):
        await client_of(answer).poll(["r-0"])


async def test_a_compressed_bomb_is_cut_at_the_limit_before_it_takes_memory(small_limit: int) -> None:
    bomb = gzip.compress(b'{"data": [' + FLOOD * 2_000)

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Chunks([bomb]), headers={"Content-Encoding": "gzip"})

    client = client_of(answer)
    tracemalloc.start()
    with pytest.raises(WebAgentUnavailable):
        await client.poll(["r-0"])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * small_limit < len(FLOOD) * 2_000


@pytest.mark.parametrize("status", [404, 405])
async def test_without_the_endpoint_for_many_runs_are_asked_one_by_one_ever_after(status: int) -> None:
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(f"{request.method} {request.url.path}")
        if request.method == "POST":
            return httpx.Response(status, text="no such thing")
        run_id = request.url.path.rpartition("/")[2]
        return (
            refusal(404, "NOT_FOUND") if run_id == "r-1" else httpx.Response(200, content=row(run_id, b"[1]"))
        )

    client = client_of(answer)
    result = await client.poll(ids(3))
    assert set(result.runs) == {"r-0", "r-2"}
    assert result.not_found == {"r-1"}
    assert result.runs["r-0"].result == b"[1]"
    await client.poll(ids(150))
    assert paths.count("POST /v1/runs/batch") == 1
    assert len(paths) == 1 + 3 + 150


async def test_calls_that_wait_while_the_endpoint_is_found_missing_lose_no_run() -> None:
    async def answer(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        if request.method == "POST":
            return httpx.Response(404)
        return httpx.Response(200, content=row(request.url.path.rpartition("/")[2]))

    transport = httpx.MockTransport(answer)
    client = WebAgentClient(api_key=KEY, base_url=BASE_URL, transport=transport)
    assert set((await client.poll(ids(950))).runs) == set(ids(950))


async def test_a_hostile_result_is_kept_whole_where_runs_are_asked_one_by_one() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return refusal(404) if request.method == "POST" else httpx.Response(200, content=row("r-0", b"NaN"))

    run = (await client_of(answer).poll(["r-0"])).runs["r-0"]
    assert (run.is_whole_answer, run.result) == (True, row("r-0", b"NaN"))


async def test_without_either_endpoint_the_base_url_is_wrong() -> None:
    with pytest.raises(WrongInput, match="base URL"):
        await client_of(lambda _: httpx.Response(404, json={"detail": "Not Found"})).poll(["r-0"])


@pytest.mark.parametrize("response", [refusal(401, "INVALID_API_KEY"), httpx.Response(401)])
async def test_a_refused_key_is_not_permitted(response: httpx.Response) -> None:
    with pytest.raises(NotPermitted):
        await client_of(lambda _: response).poll(["r-0"])


@pytest.mark.parametrize("status", [400, 402, 403, 408, 409, 422, 429, 301, 307, 500, 502, 503, 204, 206])
async def test_every_other_refusal_is_an_outage(status: int) -> None:
    with pytest.raises(WebAgentUnavailable) as caught:
        await client_of(lambda _: refusal(status, retry_after="7")).poll(["r-0"])
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ConnectError("x"),
        httpx.ReadTimeout("x"),
        httpx.RemoteProtocolError("x"),
        httpx.DecodingError("x"),
        OSError("x"),
        TimeoutError(),
    ],
)
async def test_every_failure_of_the_network_is_an_outage(failure: Exception) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        raise failure

    with pytest.raises(WebAgentUnavailable):
        await client_of(answer).poll(["r-0"])


@pytest.mark.parametrize("body", [b"[]", b'{"data": null}', b'{"error": {"code": "X"}}', b'"text"'])
async def test_a_200_of_another_shape_is_an_outage(body: bytes) -> None:
    with pytest.raises(WebAgentUnavailable):
        await client_of(lambda _: httpx.Response(200, content=body)).poll(ids(2))


async def test_what_was_answered_is_kept_when_another_call_is_refused() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "r-0" in asked_ids(request):
            return httpx.Response(200, content=runs_body(map(row, asked_ids(request))))
        return refusal(429, retry_after="9")

    result = await client_of(answer).poll(ids(200))
    assert set(result.runs) == set(ids(100))
    assert result.retry_after == 9.0


async def test_a_key_refused_midway_is_an_error_whatever_else_was_answered() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "r-0" in asked_ids(request):
            return httpx.Response(200, content=runs_body(map(row, asked_ids(request))))
        return refusal(401)

    with pytest.raises(NotPermitted):
        await client_of(answer).poll(ids(200))
