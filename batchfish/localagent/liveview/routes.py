"""The routes of the live view: the page, its assets, its events, its screenshots."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from batchfish.localagent.api import sse
from batchfish.localagent.liveview.events import run_event, step_event
from batchfish.localagent.liveview.links import PATH, WatchLinks
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.runs.records import StoredRun
from batchfish.localagent.runs.steps import step_number

FILES = Path(__file__).parent
SCRIPT = "text/javascript; charset=utf-8"
ASSETS = {"live.css": "text/css; charset=utf-8", "live.js": SCRIPT, "found.js": SCRIPT}
ALIVE_EVERY = 15.0
# Nothing is loaded from elsewhere and no inline script runs, whatever text a page or a goal contains. Other
# pages may frame it: nothing on it changes anything.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def live_view(
    queue: RunQueue, links: WatchLinks, *, clock: Callable[[], float], watch_for: float
) -> list[Route]:
    """Return the routes; everybody with its link sees a run, up to `watch_for` seconds after its end."""

    def watched(request: Request) -> StoredRun | None:
        run_id = links.run_of(request.path_params["token"])
        run = None if run_id is None else queue.get([run_id]).get(run_id)
        is_gone = run is not None and run.finished_at is not None and run.finished_at + watch_for < clock()
        return None if is_gone else run

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ASSETS:
            return Response(status_code=404)
        return Response((FILES / name).read_bytes(), media_type=ASSETS[name], headers=HEADERS)

    async def page(request: Request) -> Response:
        name, status = ("gone.html", 404) if watched(request) is None else ("live.html", 200)
        return Response((FILES / name).read_bytes(), status, HEADERS, "text/html; charset=utf-8")

    async def events(request: Request) -> Response:
        run = watched(request)
        if run is None:
            return Response(status_code=404, headers=HEADERS)
        seen = step_number(request.headers.get("last-event-id", "")) or 0
        stream = watch(queue, run, clock=clock, seen=seen)
        return StreamingResponse(stream, headers={**HEADERS, **sse.HEADERS}, media_type=sse.MEDIA_TYPE)

    async def screenshot(request: Request) -> Response:
        run = watched(request)
        picture = None if run is None else queue.screenshot(run, request.path_params["number"])
        if picture is None:
            return Response(status_code=404, headers=HEADERS)
        return Response(picture, media_type="image/jpeg", headers=HEADERS)

    return [
        Route(f"{PATH}/assets/{{name}}", asset),
        Route(f"{PATH}/{{token}}", page),
        Route(f"{PATH}/{{token}}/events", events),
        Route(f"{PATH}/{{token}}/steps/{{number:int}}/screenshot", screenshot),
    ]


async def watch(
    queue: RunQueue, run: StoredRun, *, clock: Callable[[], float], seen: int
) -> AsyncIterator[bytes]:
    """Yield the state of a run, now and when it changes, and each step after the first `seen`."""
    trail, sent, status = queue.trail(run), seen, None
    heartbeats = sse.Schedule(ALIVE_EVERY)
    while True:
        changes, is_over = trail.changes, trail.is_over
        now = queue.get([run.run_id]).get(run.run_id, run)
        if now.status is not status:
            status = now.status
            yield sse.frame(run_event(now, clock()), name="run")
        for number, timed in enumerate(trail.steps[sent:], start=sent + 1):
            yield sse.frame(step_event(number, timed), name="step", number=number)
            sent = number
        if is_over:
            yield sse.frame({}, name="end")
            return
        if await heartbeats.is_due_before(trail, changes):
            yield b": still here\n\n"
