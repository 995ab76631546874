"""Cancels: 100 runs a call, one by one where necessary, and safe to repeat."""

from __future__ import annotations

import httpx
import pytest

from batchfish.errors import NotPermitted, WebAgentUnavailable, WrongInput
from tests.webagent.fakes import asked_ids, client_of, refusal


def ids(count: int) -> list[str]:
    return [f"r-{number}" for number in range(count)]


async def test_runs_are_cancelled_a_hundred_a_call_each_once() -> None:
    sizes: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/runs/batch/cancel"
        sizes.append(len(asked_ids(request)))
        return httpx.Response(200, json={"results": [], "not_found": None})

    await client_of(answer).cancel([*ids(230), "r-1", "../x"])
    assert sizes == [100, 100, 30]


async def test_without_the_endpoint_for_many_runs_are_cancelled_one_by_one_ever_after() -> None:
    paths: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        if request.url.path == "/v1/runs/batch/cancel":
            return httpx.Response(404)
        return httpx.Response(200, json={"run_id": "r", "status": "CANCELLED"})

    client = client_of(answer)
    await client.cancel(ids(2))
    await client.cancel(["r-2"])
    assert paths == ["/v1/runs/batch/cancel", *(f"/v1/runs/r-{n}/cancel" for n in range(3))]


@pytest.mark.parametrize("status", [400, 409, 422])
async def test_one_run_that_cannot_be_cancelled_keeps_no_other_alive(status: int) -> None:
    cancelled: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/runs/batch/cancel" or "r-1" in request.url.path:
            return refusal(status)
        cancelled.append(request.url.path)
        return httpx.Response(200, json={})

    await client_of(answer).cancel(ids(3))
    assert cancelled == ["/v1/runs/r-0/cancel", "/v1/runs/r-2/cancel"]


async def test_a_run_that_the_api_does_not_know_is_no_error() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(405) if request.url.path.endswith("batch/cancel") else refusal(404, "NOT_FOUND")

    await client_of(answer).cancel(["r-0"])


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (refusal(401), NotPermitted),
        (httpx.Response(404), WrongInput),
        (refusal(429), WebAgentUnavailable),
        (refusal(500), WebAgentUnavailable),
    ],
)
async def test_a_cancel_without_an_answer_is_an_error(
    response: httpx.Response, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await client_of(lambda _: response).cancel(["r-0"])
