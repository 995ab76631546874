"""Answers from something in front of the API: a captive portal, or a gateway that is being replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish.errors import WebAgentUnavailable, WrongInput
from tests.webagent.fakes import asked_ids, client_of, refusal, row, runs_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batchfish.webagent.client import WebAgentClient

PAGE = "<!DOCTYPE html><title>Welcome to Hotel Wi-Fi</title>"
CALLS: dict[str, Callable[[WebAgentClient], Awaitable[object]]] = {
    "poll": lambda client: client.poll(["r-0", "r-1"]),
    "listing": lambda client: client.find_by_marker("bf-"),
    "cancel": lambda client: client.cancel(["r-0", "r-1"]),
}


class Api:
    """An API that answers as it should until `response` is set."""

    def __init__(self) -> None:
        self.response: httpx.Response | None = None
        self.paths: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        if self.response is not None:
            return self.response
        match request.url.path:
            case "/v1/runs/batch":
                return httpx.Response(200, content=runs_body(map(row, asked_ids(request))))
            case "/v1/runs":
                pagination = {"total": 0, "has_more": False, "next_cursor": None}
                return httpx.Response(200, json={"data": [], "pagination": pagination})
            case _:
                return httpx.Response(200, json={"results": [], "not_found": None})


async def test_a_page_in_place_of_an_answer_is_asked_for_once_not_in_halves() -> None:
    api = Api()
    api.response = httpx.Response(200, html=PAGE)
    with pytest.raises(WebAgentUnavailable, match="not JSON"):
        await client_of(api).poll([f"r-{number}" for number in range(100)])
    assert api.paths == ["/v1/runs/batch"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", [PAGE, "", "ok", "null"])
async def test_a_200_that_is_not_an_answer_is_an_outage(call: str, body: str) -> None:
    with pytest.raises(WebAgentUnavailable):
        await CALLS[call](client_of(lambda _: httpx.Response(200, text=body)))


@pytest.mark.parametrize("missing", [[], ["r-7"]])
async def test_an_answer_that_names_none_of_the_asked_runs_is_an_outage(missing: list[str]) -> None:
    body = runs_body([row("r-8")], missing)
    with pytest.raises(WebAgentUnavailable, match="names none"):
        await client_of(lambda _: httpx.Response(200, content=body)).poll(["r-0", "r-1"])


async def test_an_answer_that_finds_none_of_the_asked_runs_is_an_answer() -> None:
    body = runs_body([], ["r-0", "r-1"])
    result = await client_of(lambda _: httpx.Response(200, content=body)).poll(["r-0", "r-1"])
    assert result.not_found == {"r-0", "r-1"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize("page", [PAGE, ""])
async def test_a_missing_endpoint_in_html_is_an_outage_once_the_api_has_answered(
    call: str, status: int, page: str
) -> None:
    api = Api()
    client = client_of(api)
    await CALLS["listing"](client)
    api.response = httpx.Response(status, html=page)
    for _ in range(2):
        with pytest.raises(WebAgentUnavailable, match="answered there before"):
            await CALLS[call](client)
    api.response = None
    await CALLS["poll"](client)
    assert api.paths[-1] == "/v1/runs/batch"


@pytest.mark.parametrize("call", CALLS)
async def test_before_the_api_has_answered_it_is_a_wrong_base_url(call: str) -> None:
    with pytest.raises(WrongInput):
        await CALLS[call](client_of(lambda _: httpx.Response(404, html=PAGE)))


async def test_with_an_error_envelope_it_is_always_a_wrong_base_url() -> None:
    for response in (refusal(404, "NOT_FOUND"), httpx.Response(404, json={"detail": "Not Found"})):
        api = Api()
        client = client_of(api)
        await CALLS["poll"](client)
        api.response = response
        with pytest.raises(WrongInput):
            await CALLS["listing"](client)
