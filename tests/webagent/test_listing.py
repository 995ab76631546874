"""Listings of runs by their marker: only one that was read to its end is complete."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish.errors import NotPermitted, WebAgentUnavailable, WrongInput
from tests.webagent.fakes import Chunks, client_of, refusal, row

if TYPE_CHECKING:
    from collections.abc import Callable


def page(
    rows: list[str], *, total: object = None, has_more: object = False, cursor: object = None
) -> httpx.Response:
    pagination = json.dumps({"total": total, "has_more": has_more, "next_cursor": cursor})
    body = '{"data": [' + ", ".join(row(run_id, b"{}").decode() for run_id in rows) + "]"
    return httpx.Response(200, content=f'{body}, "pagination": {pagination}}}')


def pages_of(count: int, *, total: int | None = None) -> Callable[[httpx.Request], httpx.Response]:
    """Serve `count` runs as the API does, under cursors."""

    def answer(request: httpx.Request) -> httpx.Response:
        start, limit = int(request.url.params.get("cursor", "0")), int(request.url.params["limit"])
        stop = min(start + limit, count)
        return page(
            [f"r-{number}" for number in range(start, stop)],
            total=count if total is None else total,
            has_more=stop < count,
            cursor=str(stop) if stop < count else None,
        )

    return answer


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 350])
async def test_a_listing_is_paged_to_its_end(count: int) -> None:
    listing = await client_of(pages_of(count)).find_by_marker("bf-abc")
    assert [run.run_id for run in listing.rows] == [f"r-{number}" for number in range(count)]
    assert (listing.is_complete, listing.total) == (True, count)


async def test_every_page_asks_the_same_question() -> None:
    asked: list[dict[str, str]] = []
    answer = pages_of(250)

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return answer(request)

    await client_of(note).find_by_marker("bf-abc-")
    assert [params.pop("cursor", None) for params in asked] == [None, "100", "200"]
    assert asked == [asked[0]] * 3
    assert asked[0].keys() == {"goal", "limit", "created_after"}
    assert (asked[0]["goal"], asked[0]["limit"]) == ("bf-abc-", "100")


async def test_no_two_listings_have_the_same_address_so_that_no_cache_answers_for_another() -> None:
    asked: list[str] = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        assert request.headers["cache-control"] == "no-cache"
        return page([], total=0)

    client = client_of(note)
    for _ in range(50):
        await client.find_by_marker("bf-abc-")
    assert len(set(asked)) == 50


@pytest.mark.parametrize("since", [None, 1_700_000_000.0])
async def test_a_listing_reaches_at_least_as_far_back_as_it_was_asked_to(since: float | None) -> None:
    asked: list[str] = []

    def note(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params["created_after"])
        return page([], total=0)

    await client_of(note).find_by_marker("bf-abc-", since=since)
    begins_at = datetime.fromisoformat(asked[0]).timestamp()
    latest = since or datetime(2020, 1, 1, tzinfo=UTC).timestamp()
    assert latest - 60 <= begins_at <= latest


@pytest.mark.parametrize(
    ("age", "is_news"), [("0", True), ("", True), ("soon", True), ("1", False), ("60", False)]
)
async def test_an_answer_that_a_cache_has_kept_is_no_answer(age: str, *, is_news: bool) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        response = page(["r-0"], total=1)
        response.headers["Age"] = age
        return response

    client = client_of(answer)
    if is_news:
        assert (await client.find_by_marker("bf-")).is_complete
    else:
        with pytest.raises(WebAgentUnavailable, match=f"came from a cache and is {age} s old"):
            await client.find_by_marker("bf-")


async def test_a_listing_of_runs_that_are_being_made_shows_those_that_there_were_at_its_start() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "cursor" in request.url.params:
            return page(["r-1"], total=3)
        return page(["r-0"], total=2, has_more=True, cursor="c")

    listing = await client_of(answer).find_by_marker("bf-")
    assert (listing.is_complete, listing.covers_start) == (False, True)


async def test_rows_come_without_results_so_that_a_long_listing_fits_into_memory() -> None:
    listing = await client_of(pages_of(3)).find_by_marker("bf-")
    assert {run.result for run in listing.rows} == {None}


@pytest.mark.parametrize(
    "response",
    [
        page(["r-0"], total=1, has_more=True),
        page(["r-0"], total=1, has_more=True, cursor=""),
        page(["r-0"], total=1, has_more=True, cursor=7),
        page(["r-0"], total=1, has_more=None),
        page(["r-0"], total=1, has_more="false"),
        page(["r-0"], total=2),
        page(["r-0", "r-0"], total=2),
        page([], total=1),
        page(["r-0"], total=1, has_more=True, cursor="same"),
        httpx.Response(200, json={"data": []}),
        httpx.Response(200, json={"data": [], "pagination": None}),
        httpx.Response(
            200, json={"data": [{"goal": "of a row without id"}], "pagination": {"has_more": False}}
        ),
    ],
    ids=[
        "no cursor",
        "empty cursor",
        "malformed cursor",
        "has_more null",
        "has_more a text",
        "fewer rows than total",
        "the same row twice",
        "no rows but a total",
        "a cursor that repeats itself",
        "no pagination",
        "pagination null",
        "a row that cannot be read",
    ],
)
async def test_a_listing_that_ends_early_is_incomplete(response: httpx.Response) -> None:
    listing = await client_of(lambda _: response).find_by_marker("bf-")
    assert not listing.is_complete


async def test_a_repeated_cursor_ends_the_listing() -> None:
    follow = {None: "a", "a": "b", "b": "a"}
    calls: list[str | None] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request.url.params.get("cursor"))
        return page(["r-0"], has_more=True, cursor=follow[calls[-1]])

    assert not (await client_of(answer).find_by_marker("bf-")).is_complete
    assert calls == [None, "a", "b"]


async def test_the_number_of_pages_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchfish.webagent.listing.MAX_PAGES", 20)
    calls: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(str(request.url))
        return page([], has_more=True, cursor=str(len(calls)))

    assert not (await client_of(answer).find_by_marker("bf-")).is_complete
    assert len(calls) == 20


async def test_a_total_that_grew_while_paging_makes_the_listing_incomplete() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if "cursor" in request.url.params:
            return page(["r-1"], total=3)
        return page(["r-0"], total=2, has_more=True, cursor="c")

    listing = await client_of(answer).find_by_marker("bf-")
    assert (listing.is_complete, listing.total) == (False, 3)


@pytest.mark.parametrize(
    ("count", "limit", "rows", "is_complete"),
    [(0, 1, 0, True), (1, 1, 1, True), (5, 1, 1, False), (5, 500, 5, True)],
)
async def test_a_limit_asks_for_one_page(count: int, limit: int, rows: int, *, is_complete: bool) -> None:
    listing = await client_of(pages_of(count)).find_by_marker("bf-", limit=limit)
    assert (len(listing.rows), listing.is_complete, listing.total) == (rows, is_complete, count)


async def test_a_hostile_row_hides_no_other() -> None:
    body = b'{"data": [%s, %s], "pagination": {"total": 2, "has_more": false}}' % (
        row("r-0", b"NaN"),
        row("r-1"),
    )
    listing = await client_of(lambda _: httpx.Response(200, content=body)).find_by_marker("bf-")
    assert ([run.run_id for run in listing.rows], listing.is_complete) == (["r-0", "r-1"], True)


async def test_a_page_too_large_is_asked_for_with_fewer_rows() -> None:
    answer = pages_of(30)

    def grow(request: httpx.Request) -> httpx.Response:
        if int(request.url.params["limit"]) > 20:
            return httpx.Response(200, stream=Chunks([b" " * 2**20] * 65))
        return answer(request)

    listing = await client_of(grow).find_by_marker("bf-")
    assert (len(listing.rows), listing.is_complete) == (30, True)


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (refusal(401), NotPermitted),
        (refusal(404), WrongInput),
        (httpx.Response(405), WrongInput),
        (refusal(400), WebAgentUnavailable),
        (refusal(429), WebAgentUnavailable),
        (httpx.Response(502, text="<html>"), WebAgentUnavailable),
        (httpx.Response(200, text="<html>"), WebAgentUnavailable),
        (httpx.Response(200, text='{"data": [{}'), WebAgentUnavailable),
        (httpx.Response(200, json={"runs": []}), WebAgentUnavailable),
    ],
)
async def test_a_listing_without_an_answer_is_an_error(
    response: httpx.Response, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await client_of(lambda _: response).find_by_marker("bf-")
