"""The application: the routes of the Web Agent API and the live view, behind the guard."""

import os
import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from batchfish.localagent.api.answers import reply
from batchfish.localagent.api.automation_routes import automation_routes
from batchfish.localagent.api.guard import Guard
from batchfish.localagent.api.openapi import openapi_route
from batchfish.localagent.api.refusals import HANDLERS
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
) -> Starlette:
    """Return the application over a queue that the caller has entered.

    `token` is the only API key accepted; `faults` is what requests meet in a simulation.
    """
    middleware = [Middleware(Guard, key=token, clock=clock)]
    if faults is not None:
        middleware.append(Middleware(FaultyRequests, faults=faults))
    creates = automation_routes(
        queue,
        links.url,
        clock=clock,
        heartbeat_every=settings.heartbeat_every,
        allowed_origins=settings.allowed_origins(),
    )
    operations = [*creates, *run_routes(queue, links.url)]
    routes = [
        *(Route(one.path, one, methods=[one.method]) for one in operations),
        *live_view(queue, links, clock=clock, watch_for=settings.keep_for),
        openapi_route(operations),
        Route(HEALTH, _health),
    ]
    app = Starlette(routes=routes, middleware=middleware, exception_handlers=HANDLERS)
    app.router.redirect_slashes = False
    return app


async def _health(_: Request) -> Response:
    """Answer a client that read the port file, and sent the token in it."""
    return reply({"pid": os.getpid()})
