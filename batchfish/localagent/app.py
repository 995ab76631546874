"""The application: the routes of the Web Agent API and the live view, behind their guard."""

import os
import secrets
import time
from collections.abc import Callable

from fastapi import FastAPI, Request, Security
from fastapi.responses import Response
from fastapi.security import APIKeyHeader

from batchfish.localagent.api.ascii_json import Json
from batchfish.localagent.api.automation_routes import creates
from batchfish.localagent.api.cancel_routes import cancels
from batchfish.localagent.api.guard import Guard
from batchfish.localagent.api.openapi import add_openapi
from batchfish.localagent.api.refusals import answer_refusals, refused
from batchfish.localagent.api.run_routes import looks
from batchfish.localagent.attach import HEALTH
from batchfish.localagent.liveview.links import WatchLinks
from batchfish.localagent.liveview.routes import live_view
from batchfish.localagent.runs.queue import RunQueue
from batchfish.localagent.settings import ServeSettings
from batchfish.localagent.simulation.faults import Faults, FaultyRequests
from batchfish.webagent import wire


def create_app(
    queue: RunQueue,
    links: WatchLinks,
    settings: ServeSettings,
    *,
    token: str,
    clock: Callable[[], float] = time.time,
    faults: Faults | None = None,
) -> FastAPI:
    """Make the application over a queue that the caller has entered.

    `token` is what the agent is known by, and the only key accepted where the settings say so. `faults` is
    what requests meet in a simulation.
    """
    app = FastAPI(title="Local web agent", version="1", docs_url=None, redoc_url=None, redirect_slashes=False)
    if faults is not None:
        app.add_middleware(FaultyRequests, faults=faults)
    app.add_middleware(Guard, token=token if settings.require_token else None, clock=clock)
    answer_refusals(app)
    _answer_health(app, token)
    # The guard has looked at the key; this says so in the served document.
    key = [Security(APIKeyHeader(name=wire.API_KEY_HEADER, auto_error=False))]
    for router in (
        creates(queue, links, clock=clock, heartbeat_every=settings.heartbeat_every),
        cancels(queue),
        looks(queue, links),
    ):
        app.include_router(router, dependencies=key)
    app.include_router(live_view(queue, links, clock=clock, watch_for=settings.keep_for))
    add_openapi(app)
    return app


def _answer_health(app: FastAPI, token: str) -> None:
    @app.get(HEALTH, include_in_schema=False)
    async def tell_health(request: Request) -> Response:
        """Prove to whoever read the port file that this is the agent that wrote it."""
        if not secrets.compare_digest(request.headers[wire.API_KEY_HEADER].encode(), token.encode()):
            return refused(401, "INVALID_API_KEY", "That is another agent's token.")
        return Json({"pid": os.getpid()})
