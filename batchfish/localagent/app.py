"""The application: the routes of the Web Agent API and the live view, behind the guard."""

import os
import time
from collections.abc import Callable

from fastapi import FastAPI
from fastapi.responses import Response

from batchfish.localagent.api.answers import Json
from batchfish.localagent.api.automation_routes import automation_routes
from batchfish.localagent.api.guard import Guard
from batchfish.localagent.api.openapi import add_openapi
from batchfish.localagent.api.refusals import answer_refusals
from batchfish.localagent.api.run_routes import run_routes
from batchfish.localagent.attach import HEALTH
from batchfish.localagent.liveview.links import WatchLinks
from batchfish.localagent.liveview.routes import live_view
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.serve_settings import ServeSettings
from batchfish.localagent.simulation.faults import Faults, FaultyRequests


def create_app(
    queue: RunQueue,
    links: WatchLinks,
    settings: ServeSettings,
    *,
    token: str,
    clock: Callable[[], float] = time.time,
    faults: Faults | None = None,
) -> FastAPI:
    """Return the application over a queue that the caller has entered.

    `token` is the only API key accepted; `faults` is what requests meet in a simulation.
    """
    app = FastAPI(title="Local web agent", version="1", docs_url=None, redoc_url=None, redirect_slashes=False)
    if faults is not None:
        app.add_middleware(FaultyRequests, faults=faults)
    app.add_middleware(Guard, key=token, clock=clock)
    answer_refusals(app)
    automation = automation_routes(
        queue,
        links.url,
        clock=clock,
        heartbeat_every=settings.heartbeat_every,
        allowed_origins=settings.allowed_origins(),
    )
    live = live_view(queue, links, clock=clock, watch_for=settings.keep_for)
    # `include_router` would build every route a second time.
    app.router.routes += [*automation.routes, *run_routes(queue, links.url).routes, *live.routes]
    add_openapi(app)

    @app.get(HEALTH, include_in_schema=False)
    async def health() -> Response:
        """Answer a client that read the port file, and sent the token in it."""
        return Json({"pid": os.getpid()})

    return app
