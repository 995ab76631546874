"""A small model of the Web Agent API, and of what stands before it, that misbehaves and keeps honest books.

It knows nothing of markers beyond searching goals for a text, as the API does, and nothing of how a client
reasons. An API key is spelled `account/key`: what stands before the slash owns the runs.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from random import Random
from typing import Any

import httpx
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from tests.pipeline.virtual_time import EPOCH, VirtualTimeLoop

LOGIN_PAGE = "<!doctype html><title>Please log in to the network</title>"
ROUND_TRIP = 0.1
"""Seconds within which an answer has surely reached its client."""


class Faults(Struct, frozen=True, kw_only=True):
    """How the server misbehaves: shares from 0 to 1, times in seconds, lengths in characters."""

    # Creates.
    acts_then_resets: float = 0.0  # the connection breaks; the run is made by `latest_act`
    resets_without_acting: float = 0.0  # the connection breaks, and no run is ever made
    fails_without_acting: float = 0.0  # a 500 of a server that did nothing
    fails_after_acting: float = 0.0  # a 502 of a gateway whose server made the run
    redirects_creates: float = 0.0  # a gateway sends the client elsewhere, and makes no run
    redirects_after_acting: float = 0.0  # a gateway answers a POST with "see other" once it is carried out
    refuses_rate: float = 0.0  # a 429 without a reason that the client could know of
    refuses_request: float = 0.0  # a 400
    doubles: float = 0.0  # a proxy sends the POST twice: two runs, one answer
    in_flight_limit: int | None = None  # a 429 with `retry_after` while so many runs are alive
    retry_after: float = 1.0  # what that 429 asks for
    earliest_act: float = 0.0  # how long after it broke off a create is carried out at the soonest
    latest_act: float = 0.0  # and at the latest
    repeats_run_id: float = 0.0  # a 200 that makes a run, and names the id of an earlier one
    # Runs.
    runs_fail: float = 0.0  # the run ends as FAILED
    hides_steps: float = 0.0  # the run never shows how many steps it took
    slots: int | None = (
        None  # so many runs are at work at once, the others are PENDING, first come first served
    )
    starts: tuple[float, float] | None = None  # how long a run that has a slot is still PENDING
    # Polls and searches.
    reads_fail: float = 0.0  # the connection breaks
    redirects_reads: float = 0.0  # a gateway sends the client to its login page
    swaps_rows: float = 0.0  # two rows of an answer carry each other's run_id
    longest_lag: float = 0.0  # how long a new run may be missing from listings
    listed_for: float = math.inf  # how long a run is listed; by its id it can be read for ever
    listed_goal: int | None = None  # listings show so much of a goal; 0 leaves the member out
    searched_goal: int | None = None  # the goal filter searches so much of a goal
    ignores_filter: bool = False  # the goal filter lets every run of the account through
    lists_by_key: bool = False  # listings show a key the runs that were created under that very key
    cache_seconds: float = 0.0  # a cache answers a GET again for so long, by its URL
    cache_tells_age: bool = True  # the cache's answers carry an Age header
    cache_obeys: bool = True  # the cache obeys `Cache-Control: no-cache` in a request
    cache_ignores: str = ""  # a parameter that the cache's key leaves out
    # Everything.
    travel: tuple[float, float] = (0.001, 0.03)  # of a request, and of the answer to a create
    hides_date: bool = False  # answers carry no Date header
    portal: tuple[float, float] = (0.0, 0.0)  # from and until when a login page answers in the API's place
    portal_catches: frozenset[str] = frozenset({"creates", "reads"})  # which requests it answers


class BookedRun(Struct, kw_only=True):
    """One run in the server's books; `is_doubled` where a proxy had it made, and no client got its id."""

    run_id: str
    url: str
    goal: str
    key: str
    created_at: float
    visible_at: float
    starts_at: float
    ends_at: float
    end: str
    is_doubled: bool = False
    cancelled_at: float | None = None
    steps: int | None = 1

    @property
    def account(self) -> str:
        return self.key.partition("/")[0]

    def status(self, now: float) -> str:
        if self.cancelled_at is not None and now >= self.cancelled_at:
            return "CANCELLED"
        if now < self.starts_at:
            return "PENDING"
        return self.end if now >= self.ends_at else "RUNNING"

    def is_alive(self, now: float) -> bool:
        return self.status(now) in {"PENDING", "RUNNING"}


@dataclass(frozen=True, kw_only=True)
class Cached:
    """An answer that a cache keeps."""

    at: float
    response: httpx.Response


@dataclass(kw_only=True)
class ModelServer:
    """The API's books and its behaviour; every run that is made is held against the invariants at once.

    `payments` says how often each item may be paid for: once, until a person agrees to more. The `spared`
    first creates are answered as they should be: without any accepted run, little can be proven.
    `early_creates` counts those that came between `answered_by` and `refused_until`, before a Retry-After.
    """

    loop: VirtualTimeLoop
    chance: Random
    faults: Faults
    concurrency: int
    durations: tuple[float, float] = (1.0, 6.0)
    steps: tuple[int, int] = (1, 1)
    payments: int = 1
    spared: int = 0
    runs: dict[str, BookedRun] = field(default_factory=dict)
    creates: int = 0
    early_creates: int = 0
    lists: int = 0
    violations: list[str] = field(default_factory=list)
    most_alive: int = 0
    on_create: list[Any] = field(default_factory=list)
    on_act: list[Any] = field(default_factory=list)
    on_cancel: list[Any] = field(default_factory=list)
    cache: dict[str, Cached] = field(default_factory=dict)
    steps_chance: Random = field(default_factory=lambda: Random(1))  # of its own: histories stay the same
    slot_ends: list[float] = field(default_factory=list)
    answered_by: float = 0.0
    refused_until: float = 0.0

    def paid(self) -> Counter[str]:
        """Count the runs of each URL that a client has asked for and that did not fail."""
        now = self.loop.now
        return Counter(
            run.url
            for run in self.runs.values()
            if not run.is_doubled and (run.is_alive(now) or run.end != "FAILED")
        )

    def duplicates(self) -> int:
        """Count the runs beyond those that each item may be paid for."""
        return sum(max(0, number - self.payments) for number in self.paid().values())

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, or fail as a network would."""
        await asyncio.sleep(self.chance.uniform(*self.faults.travel))
        path = request.url.path
        kind = "creates" if path in {"/v1/automation/run", "/v1/automation/run-async"} else "reads"
        begin, end = self.faults.portal
        if begin <= self.loop.now < end and kind in self.faults.portal_catches:
            return httpx.Response(200, html=LOGIN_PAGE, request=request)
        if kind == "creates":
            return await self._create(request, json.loads(request.content))
        draw = self.chance.random()
        if (draw := draw - self.faults.reads_fail) < 0:
            raise httpx.ReadError("connection reset")
        if draw < self.faults.redirects_reads:
            return self._redirect(request, 302)
        return self._from_cache(request) or self._keep(request, self._read(request))

    async def _create(self, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        self.creates += 1
        self.early_creates += self.answered_by < self.loop.now < self.refused_until
        for callback in self.on_create:
            callback()
        draw, faults, key = self.chance.random(), self.faults, request.headers["x-api-key"]
        if self.creates <= self.spared:
            return await self._accept(request, body, key, draw=1.0)
        if (draw := draw - faults.acts_then_resets) < 0:
            # The server has the request: it acts when it likes, whether or not anybody still waits.
            late = self.chance.uniform(faults.earliest_act, faults.latest_act)
            self.loop.call_later(late, self._act, body, key)
            raise httpx.ReadError("connection reset")
        if (draw := draw - faults.resets_without_acting) < 0:
            raise httpx.ReadError("connection reset")
        if (draw := draw - faults.fails_without_acting) < 0:
            return self._error(request, 500, "INTERNAL_ERROR")
        if (draw := draw - faults.fails_after_acting) < 0:
            self._act(body, key)
            return self._error(request, 502, "INTERNAL_ERROR")
        if (draw := draw - faults.redirects_creates) < 0:
            return self._redirect(request, 308)
        if (draw := draw - faults.redirects_after_acting) < 0:
            self._act(body, key)
            return self._redirect(request, 303)
        if (draw := draw - faults.refuses_request) < 0:
            return self._error(request, 400, "INVALID_INPUT")
        if (draw := draw - faults.refuses_rate) < 0:
            return self._error(request, 429, "RATE_LIMIT_EXCEEDED")
        if self._is_full():
            return self._refuse(request)
        return await self._accept(request, body, key, draw=draw)

    def _is_full(self) -> bool:
        limit = self.faults.in_flight_limit
        return limit is not None and sum(run.is_alive(self.loop.now) for run in self.runs.values()) >= limit

    def _refuse(self, request: httpx.Request) -> httpx.Response:
        now, wait = self.loop.now, self.faults.retry_after
        self.answered_by, self.refused_until = now + ROUND_TRIP, now + wait
        refusal = self._error(request, 429, "RATE_LIMIT_EXCEEDED")
        refusal.headers["Retry-After"] = f"{wait:g}"
        return refusal

    async def _accept(
        self, request: httpx.Request, body: dict[str, Any], key: str, *, draw: float
    ) -> httpx.Response:
        answered = [run for run in self.runs.values() if run.created_at < self.loop.now - ROUND_TRIP]
        run = self._act(body, key)
        if request.url.path == "/v1/automation/run":
            await asyncio.sleep(run.ends_at - self.loop.now)
            return self._json(request, 200, self._row(run))
        if (draw := draw - self.faults.doubles) < 0:
            second = self._act(body, key, is_doubled=True)
            if self.chance.random() < 0.5:  # the proxy passes on the first answer, or the second
                run.is_doubled, second.is_doubled, run = True, False, second
        elif draw < self.faults.repeats_run_id and answered:
            run = answered[-1]
        await asyncio.sleep(self.chance.uniform(*self.faults.travel))
        return self._json(request, 200, {"run_id": run.run_id, "error": None})

    def _act(self, body: dict[str, Any], key: str, *, is_doubled: bool = False) -> BookedRun:
        now = self.loop.now
        visible_at = now + self.chance.uniform(0.0, self.faults.longest_lag)
        starts_at = now if self.faults.slots is None else self._next_free_slot(self.faults.slots)
        if self.faults.starts is not None:
            starts_at += self.chance.uniform(*self.faults.starts)
        ends_at = starts_at + self.chance.uniform(*self.durations)
        heapq.heappush(self.slot_ends, ends_at)
        run = BookedRun(
            run_id=f"run-{len(self.runs) + 1}",
            url=body["url"],
            goal=body["goal"],
            key=key,
            created_at=now,
            visible_at=visible_at,
            starts_at=starts_at,
            ends_at=ends_at,
            end="FAILED" if self.chance.random() < self.faults.runs_fail else "COMPLETED",
            is_doubled=is_doubled,
            steps=self._draw_steps(),
        )
        if not is_doubled:
            self._hold_against_invariants(run)
        self.runs[run.run_id] = run
        for callback in self.on_act:
            callback(run)
        return run

    def _draw_steps(self) -> int | None:
        """Return the steps of a new run, or None where the API will never say how many it took."""
        if self.steps_chance.random() < self.faults.hides_steps:
            return None
        return self.steps_chance.randint(*self.steps)

    def _next_free_slot(self, slots: int) -> float:
        """Return when a run that is created now starts; the slots of runs that are cancelled stay taken."""
        is_free = len(self.slot_ends) < slots
        return self.loop.now if is_free else max(self.loop.now, heapq.heappop(self.slot_ends))

    def double(self, run: BookedRun, *, lasts: float) -> BookedRun:
        """Make a second run of the same create now, which takes this many seconds."""
        now = self.loop.now
        second = replace(
            run,
            run_id=f"{run.run_id}-second",
            created_at=now,
            visible_at=now,
            starts_at=now,
            ends_at=now + lasts,
            is_doubled=True,
        )
        self.runs[second.run_id] = second
        return second

    def _hold_against_invariants(self, new: BookedRun) -> None:
        """No run of an item while another is alive or has completed, and never more alive than allowed."""
        now = self.loop.now
        others = [run for run in self.runs.values() if not run.is_doubled]
        paid = [run for run in others if run.url == new.url and run.status(now) != "FAILED"]
        if len(paid) >= self.payments:
            beside = ", ".join(f"{run.run_id} ({run.status(now)})" for run in paid)
            self.violations.append(f"{new.url}: {new.run_id} beside {beside}")
        alive = 1 + sum(run.is_alive(now) for run in others)
        self.most_alive = max(self.most_alive, alive)
        if alive > self.concurrency:
            self.violations.append(f"{alive} runs are alive at {now:.3f}")

    def _read(self, request: httpx.Request) -> httpx.Response:
        account = request.headers["x-api-key"].partition("/")[0]
        own = {run_id: run for run_id, run in self.runs.items() if run.account == account}
        match request.method, request.url.path:
            case "POST", "/v1/runs/batch":
                return self._json(request, 200, self._get(json.loads(request.content)["run_ids"], own))
            case "POST", "/v1/runs/batch/cancel":
                return self._json(request, 200, self._cancel(json.loads(request.content)["run_ids"], own))
            case "GET", "/v1/runs":
                return self._list(request, list(own.values()))
            case _:
                return self._error(request, 404, "NOT_FOUND")

    def _row(self, run: BookedRun) -> dict[str, Any]:
        now = self.loop.now
        status = run.status(now)
        error = {"code": "TASK_FAILED", "message": "failed", "category": "SYSTEM_FAILURE", "retry_after": 1}
        return {
            "run_id": run.run_id,
            "status": status,
            "goal": run.goal,
            "created_at": _iso(run.created_at),
            "started_at": None if now < run.starts_at else _iso(run.starts_at),
            "finished_at": None if run.is_alive(now) else _iso(run.ends_at),
            "num_of_steps": 1 if run.is_alive(now) else run.steps,
            "result": {"of": run.url} if status == "COMPLETED" else None,
            "error": error if status == "FAILED" else None,
        }

    def _get(self, run_ids: list[str], own: dict[str, BookedRun]) -> dict[str, Any]:
        found = [self._row(own[run_id]) for run_id in run_ids if run_id in own]
        missing = [run_id for run_id in run_ids if run_id not in own]
        self.chance.shuffle(found)
        if len(found) > 1 and self.chance.random() < self.faults.swaps_rows:
            one, other = found[:2]
            one["run_id"], other["run_id"] = other["run_id"], one["run_id"]
        return {"data": found, "not_found": missing or None}

    def _cancel(self, run_ids: list[str], own: dict[str, BookedRun]) -> dict[str, Any]:
        for callback in self.on_cancel:
            callback(run_ids)
        for run_id in own.keys() & run_ids:
            if own[run_id].is_alive(self.loop.now):
                own[run_id].cancelled_at = self.loop.now
        return {"results": [], "not_found": [run_id for run_id in run_ids if run_id not in own] or None}

    def _list(self, request: httpx.Request, own: list[BookedRun]) -> httpx.Response:
        self.lists += 1
        try:
            query = Query.read(request.url.params)
        except (KeyError, ValueError, OverflowError):
            return self._error(request, 400, "INVALID_INPUT")
        faults, key = self.faults, request.headers["x-api-key"]
        rows = [
            run
            for run in own
            if (faults.ignores_filter or query.goal in run.goal[: faults.searched_goal].lower())
            and query.matches(run, self.loop.now)
            and run.visible_at <= self.loop.now < run.created_at + faults.listed_for
            and (run.key == key or not faults.lists_by_key)
        ]
        rows.sort(key=lambda run: run.created_at, reverse=query.is_descending)
        ids = [run.run_id for run in rows]
        start = ids.index(query.cursor) + 1 if query.cursor in ids else 0
        page, more = rows[start : start + query.limit], start + query.limit < len(rows)
        return self._json(
            request,
            200,
            {
                "data": [self._listed(run) for run in page],
                "pagination": {
                    "total": len(rows),
                    "next_cursor": page[-1].run_id if more else None,
                    "has_more": more,
                },
            },
        )

    def _listed(self, run: BookedRun) -> dict[str, Any]:
        row = self._row(run)
        if self.faults.listed_goal == 0:
            del row["goal"]
        elif self.faults.listed_goal is not None:
            row["goal"] = row["goal"][: self.faults.listed_goal]
        return row

    def _from_cache(self, request: httpx.Request) -> httpx.Response | None:
        """Answer as a cache does: with what it has, and that answer's own Date."""
        faults = self.faults
        if request.method != "GET" or not faults.cache_seconds:
            return None
        kept = self.cache.get(self._cache_key(request))
        if kept is None or self.loop.now >= kept.at + faults.cache_seconds:
            return None
        if faults.cache_obeys and "no-cache" in request.headers.get("cache-control", ""):
            return None
        age = {"Age": f"{self.loop.now - kept.at:.0f}"} if faults.cache_tells_age else {}
        headers = {**kept.response.headers, **age}
        return httpx.Response(200, content=kept.response.content, headers=headers, request=request)

    def _keep(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.method == "GET" and response.is_success and self.faults.cache_seconds:
            self.cache[self._cache_key(request)] = Cached(at=self.loop.now, response=response)
        return response

    def _cache_key(self, request: httpx.Request) -> str:
        return str(request.url.copy_remove_param(self.faults.cache_ignores))

    def _redirect(self, request: httpx.Request, status: int) -> httpx.Response:
        return httpx.Response(status, headers={"Location": str(request.url)}, request=request)

    def _error(self, request: httpx.Request, status: int, code: str) -> httpx.Response:
        return self._json(request, status, {"error": {"code": code, "message": code.lower()}})

    def _json(self, request: httpx.Request, status: int, body: dict[str, Any]) -> httpx.Response:
        headers = {"Content-Type": "application/json"}
        if not self.faults.hides_date:
            headers["Date"] = _http_date(int(EPOCH + self.loop.now))
        return httpx.Response(status, content=msgspec.json.encode(body), headers=headers, request=request)


@dataclass(frozen=True, kw_only=True)
class Query:
    """The query of a listing, validated as the API does: what it does not know is an error."""

    goal: str = ""
    status: str | None = None
    created_after: float = -math.inf
    created_before: float = math.inf
    is_descending: bool = True
    cursor: str | None = None
    limit: int = 20

    @classmethod
    def read(cls, params: httpx.QueryParams) -> Query:
        """Read it; KeyError or ValueError where the API would answer 400."""
        given = dict(params)
        query = cls(
            goal=given.pop("goal", "").lower(),
            status=given.pop("status", None),
            created_after=_virtual(given.pop("created_after", None), -math.inf),
            created_before=_virtual(given.pop("created_before", None), math.inf),
            is_descending={"asc": False, "desc": True}[given.pop("sort_direction", "desc")],
            cursor=given.pop("cursor", None),
            limit=int(given.pop("limit", "20")),
        )
        if given or len(query.goal) > 500 or not 1 <= query.limit <= 100:
            raise ValueError(f"cannot be read: {params}")
        return query

    def matches(self, run: BookedRun, now: float) -> bool:
        """Whether a run is asked for, whatever its goal."""
        is_within = self.created_after <= run.created_at <= self.created_before
        return is_within and self.status in {None, run.status(now)}


class Wire(httpx.AsyncBaseTransport):
    """One process's way to the server; a killed process sends and hears nothing more."""

    def __init__(self, server: ModelServer) -> None:
        self._server = server
        self.is_cut = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if self.is_cut:
            await asyncio.get_running_loop().create_future()
        return await self._server.answer(request)


@lru_cache
def _http_date(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC), usegmt=True)


@lru_cache(4096)
def _iso(at: float) -> str:
    return datetime.fromtimestamp(EPOCH + at, UTC).isoformat()


def _virtual(text: str | None, default: float) -> float:
    """Read an ISO-8601 date-time, with its offset, as virtual seconds."""
    if text is None:
        return default
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} names no offset")
    return moment.timestamp() - EPOCH
