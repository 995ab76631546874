"""Listings of runs by their marker: only one that was read to its end is complete."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from batchfish.errors import NotPermitted, WebAgentUnavailable, WrongInput
from tests.webagent.fakes import Chunks, client_of, refusal, row

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


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


@dataclass(kw_only=True)
class Books:
    """An API's listing of runs created at `times` (epoch seconds), with what an API may do otherwise.

    `shows_seconds`: times are shown without their fraction. `made_meanwhile`
    runs are made, one at each request after the first.
    """

    times: list[float]
    excludes_after: bool = False
    ignores_before: bool = False
    ignores_order: bool = False
    shows_seconds: bool = False
    hides_total: bool = False
    hides_times: bool = False
    made_meanwhile: int = 0
    alive: int = 0
    most_alive: int = 0
    asked: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        params = dict(request.url.params)
        self.asked.append(params)
        if len(self.asked) > 1 and self.made_meanwhile:
            self.made_meanwhile -= 1
            self.times.append(max(self.times) + 0.001)
        self.alive += 1
        self.most_alive = max(self.most_alive, self.alive)
        await asyncio.sleep(0)
        self.alive -= 1
        found = sorted(
            (at, number) for number, at in enumerate(self.times) if self._is_wanted(round(at, 6), params)
        )
        if params.get("sort_direction") != "asc" or self.ignores_order:
            found.reverse()
        if "cursor" in params:
            found = found[found.index((self.times[int(params["cursor"])], int(params["cursor"]))) + 1 :]
        shown, has_more = found[: int(params["limit"])], len(found) > int(params["limit"])
        total = sum(self._is_wanted(round(at, 6), params) for at in self.times)
        return httpx.Response(
            200,
            json={
                "data": [self.row(at, number) for at, number in shown],
                "pagination": {
                    "total": None if self.hides_total else total,
                    "has_more": has_more,
                    "next_cursor": str(shown[-1][1]) if has_more else None,
                },
            },
        )

    def _is_wanted(self, at: float, params: dict[str, str]) -> bool:
        after = datetime.fromisoformat(params["created_after"]).timestamp()
        before = datetime.fromisoformat(params.get("created_before", "2999-01-01T00:00:00Z")).timestamp()
        is_after = at > after if self.excludes_after else at >= after
        return is_after and (self.ignores_before or at < before)

    def row(self, at: float, number: int) -> dict[str, object]:
        shown = datetime.fromtimestamp(int(at) if self.shows_seconds else at, UTC).isoformat()
        known = json.loads(row(f"r-{number}", b"{}"))
        return {**known, "created_at": None if self.hides_times else shown}


BEGAN = 1_700_000_000.0
EVENLY = [BEGAN + number * 0.0123 for number in range(1_234)]
AT_TWO_TIMES = [BEGAN + number // 600 * 60.0 for number in range(1_200)]


@pytest.mark.parametrize("times", [EVENLY, AT_TWO_TIMES], ids=["evenly", "at two times"])
@pytest.mark.parametrize(
    "manner",
    [
        {},
        {"excludes_after": True},
        {"ignores_before": True},
        {"ignores_order": True},
        {"shows_seconds": True},
        {"hides_total": True},
        {"hides_times": True},
    ],
    ids=lambda manner: next(iter(manner), "as specified"),
)
async def test_a_long_listing_is_whole_whatever_the_api_makes_of_bounds_and_times(
    times: list[float], manner: dict[str, Any]
) -> None:
    books = Books(times=list(times), **manner)
    listing = await client_of(books.answer).find_by_marker("bf-abc")
    assert {run.run_id for run in listing.rows} == {f"r-{number}" for number in range(len(times))}
    assert (listing.is_complete, listing.covers_start) == (True, True)


async def test_a_long_listing_is_read_in_parts_side_by_side_and_hardly_any_page_twice() -> None:
    books = Books(times=list(EVENLY))
    await client_of(books.answer).find_by_marker("bf-abc")
    assert books.most_alive == 8
    assert len(books.asked) <= 2 + 2 * 8 + 1  # the ends, parts of 130 to 140 runs, and the count


async def test_an_api_that_ignores_a_bound_is_asked_for_few_pages_in_vain() -> None:
    books = Books(times=list(EVENLY), ignores_before=True)
    await client_of(books.answer).find_by_marker("bf-abc")
    assert len(books.asked) <= 13 + 1 + 8 + 1 + 2


async def test_no_two_questions_of_long_listings_are_the_same() -> None:
    books = Books(times=list(EVENLY))
    client = client_of(books.answer)
    for _ in range(3):
        await client.find_by_marker("bf-abc")
    assert len({json.dumps(params) for params in books.asked}) == len(books.asked)


async def test_runs_made_while_parts_are_read_make_a_listing_incomplete_but_cover_its_start() -> None:
    books = Books(times=list(EVENLY), made_meanwhile=3)
    listing = await client_of(books.answer).find_by_marker("bf-abc")
    assert {f"r-{number}" for number in range(len(EVENLY))} <= {run.run_id for run in listing.rows}
    assert (listing.is_complete, listing.covers_start) == (False, True)
    assert listing.total == len(EVENLY) + 3


async def test_a_run_made_meanwhile_does_not_pass_for_one_that_no_part_shows() -> None:
    books = Books(times=list(EVENLY), made_meanwhile=50)

    async def answer(request: httpx.Request) -> httpx.Response:
        response = await books.answer(request)
        shown = response.json()
        if "created_before" in request.url.params:
            shown["data"] = [one for one in shown["data"] if one["run_id"] != "r-700"]
            if not shown["pagination"]["has_more"]:
                shown["data"].append(books.row(BEGAN + 60.0, 5_000))
        return httpx.Response(200, json=shown)

    listing = await client_of(answer).find_by_marker("bf-abc")
    assert "r-700" in {run.run_id for run in listing.rows}  # the pages were read one after another


async def test_a_part_without_an_answer_is_an_error() -> None:
    books = Books(times=list(EVENLY))

    async def answer(request: httpx.Request) -> httpx.Response:
        return refusal(429) if "created_before" in request.url.params else await books.answer(request)

    with pytest.raises(WebAgentUnavailable):
        await client_of(answer).find_by_marker("bf-abc")
