"""A small model of the Web Agent API that loses answers, lags, acts late, and keeps honest books.

It knows nothing of markers beyond searching goals for a text, as the API does, and nothing of how a client
reasons.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx

from tests.pipeline.virtual_time import EPOCH, VirtualTimeLoop

if TYPE_CHECKING:
    from random import Random


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How the server misbehaves: shares from 0 to 1, times in seconds."""

    acts_then_resets: float = 0.0
    resets_without_acting: float = 0.0
    fails_without_acting: float = 0.0
    fails_after_acting: float = 0.0
    refuses_rate: float = 0.0
    refuses_request: float = 0.0
    looks_fail: float = 0.0
    runs_fail: float = 0.0
    latest_act: float = 0.0
    longest_lag: float = 0.0


@dataclass(kw_only=True)
class BookedRun:
    """One run in the server's books."""

    run_id: str
    url: str
    goal: str
    created_at: float
    visible_at: float
    ends_at: float
    end: str
    cancelled_at: float | None = None

    def status(self, now: float) -> str:
        if self.cancelled_at is not None and now >= self.cancelled_at:
            return "CANCELLED"
        return self.end if now >= self.ends_at else "RUNNING"

    def is_alive(self, now: float) -> bool:
        return self.status(now) == "RUNNING"


@dataclass(kw_only=True)
class ModelServer:
    """The API's books and its behaviour; every run that is made is held against the invariants at once."""

    loop: VirtualTimeLoop
    chance: Random
    faults: Faults
    concurrency: int
    durations: tuple[float, float] = (1.0, 6.0)
    runs: dict[str, BookedRun] = field(default_factory=dict)
    creates: int = 0
    violations: list[str] = field(default_factory=list)
    most_alive: int = 0
    on_create: list[Any] = field(default_factory=list)
    on_cancel: list[Any] = field(default_factory=list)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, or fail as a network would."""
        await asyncio.sleep(self.chance.uniform(0.001, 0.03))
        path = request.url.path
        if path == "/v1/automation/run-async":
            return await self._create(request, json.loads(request.content))
        if self.chance.random() < self.faults.looks_fail:
            raise httpx.ReadError("connection reset")
        if path == "/v1/runs/batch":
            return self._json(request, 200, self._get(json.loads(request.content)["run_ids"]))
        if path == "/v1/runs/batch/cancel":
            return self._json(request, 200, self._cancel(json.loads(request.content)["run_ids"]))
        if path == "/v1/runs":
            return self._json(request, 200, self._list(dict(request.url.params)))
        return self._json(request, 404, {"error": {"code": "NOT_FOUND", "message": path}})

    async def _create(self, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        self.creates += 1
        for callback in self.on_create:
            callback()
        fate, faults = self.chance.random(), self.faults
        if (fate := fate - faults.acts_then_resets) < 0:
            # The server has the request: it acts when it likes, whether or not anybody still waits.
            self.loop.call_later(self.chance.uniform(0.0, faults.latest_act), self._act, body)
            raise httpx.ReadError("connection reset")
        if (fate := fate - faults.resets_without_acting) < 0:
            raise httpx.ReadError("connection reset")
        if (fate := fate - faults.fails_without_acting) < 0:
            return self._error(request, 500, "INTERNAL_ERROR")
        if (fate := fate - faults.fails_after_acting) < 0:
            self._act(body)
            return self._error(request, 502, "INTERNAL_ERROR")
        if (fate := fate - faults.refuses_rate) < 0:
            return self._error(request, 429, "RATE_LIMIT_EXCEEDED")
        if (fate := fate - faults.refuses_request) < 0:
            return self._error(request, 400, "INVALID_INPUT")
        run = self._act(body)
        await asyncio.sleep(self.chance.uniform(0.001, 0.03))
        return self._json(request, 200, {"run_id": run.run_id, "error": None})

    def _act(self, body: dict[str, Any]) -> BookedRun:
        now = self.loop.now
        run = BookedRun(
            run_id=f"run-{len(self.runs) + 1}",
            url=body["url"],
            goal=body["goal"],
            created_at=now,
            visible_at=now + self.chance.uniform(0.0, self.faults.longest_lag),
            ends_at=now + self.chance.uniform(*self.durations),
            end="FAILED" if self.chance.random() < self.faults.runs_fail else "COMPLETED",
        )
        self._hold_against_invariants(run)
        self.runs[run.run_id] = run
        return run

    def _hold_against_invariants(self, new: BookedRun) -> None:
        """No run of an item while another is alive or has completed, and never more alive than allowed."""
        for run in self.runs.values():
            if run.url == new.url and run.status(self.loop.now) != "FAILED":
                self.violations.append(
                    f"{new.url}: {new.run_id} beside {run.run_id} ({run.status(self.loop.now)})"
                )
        alive = 1 + sum(run.is_alive(self.loop.now) for run in self.runs.values())
        self.most_alive = max(self.most_alive, alive)
        if alive > self.concurrency:
            self.violations.append(f"{alive} runs are alive at {self.loop.now:.3f}")

    def _row(self, run: BookedRun) -> dict[str, Any]:
        now = self.loop.now
        status = run.status(now)
        error = {"code": "TASK_FAILED", "message": "failed", "category": "SYSTEM_FAILURE", "retry_after": 1}
        return {
            "run_id": run.run_id,
            "status": status,
            "goal": run.goal,
            "created_at": _iso(run.created_at),
            "started_at": _iso(run.created_at),
            "finished_at": None if status == "RUNNING" else _iso(run.ends_at),
            "num_of_steps": 1,
            "result": {"of": run.url} if status == "COMPLETED" else None,
            "error": error if status == "FAILED" else None,
        }

    def _get(self, run_ids: list[str]) -> dict[str, Any]:
        found = [self._row(self.runs[run_id]) for run_id in run_ids if run_id in self.runs]
        missing = [run_id for run_id in run_ids if run_id not in self.runs]
        self.chance.shuffle(found)
        return {"data": found, "not_found": missing or None}

    def _cancel(self, run_ids: list[str]) -> dict[str, Any]:
        for callback in self.on_cancel:
            callback(run_ids)
        for run_id in run_ids:
            if self.runs[run_id].is_alive(self.loop.now):
                self.runs[run_id].cancelled_at = self.loop.now
        return {"results": [], "not_found": None}

    def _list(self, query: dict[str, str]) -> dict[str, Any]:
        text, limit, start = (
            query.get("goal", "").lower(),
            int(query.get("limit", "20")),
            int(query.get("cursor", "0")),
        )
        rows = [
            run
            for run in reversed(self.runs.values())
            if text in run.goal.lower() and run.visible_at <= self.loop.now
        ]
        page, more = rows[start : start + limit], start + limit < len(rows)
        cursor = str(start + limit) if more else None
        return {
            "data": [self._row(run) for run in page],
            "pagination": {"total": len(rows), "next_cursor": cursor, "has_more": more},
        }

    def _error(self, request: httpx.Request, status: int, code: str) -> httpx.Response:
        return self._json(request, status, {"error": {"code": code, "message": code.lower()}})

    def _json(self, request: httpx.Request, status: int, body: dict[str, Any]) -> httpx.Response:
        date = format_datetime(datetime.fromtimestamp(EPOCH + self.loop.now, UTC), usegmt=True)
        return httpx.Response(status, json=body, headers={"Date": date}, request=request)


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


def _iso(at: float) -> str:
    return datetime.fromtimestamp(EPOCH + at, UTC).isoformat()
