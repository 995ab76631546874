"""The one CDP session that intercepts the browser's requests: it stops forms, and answers the proxy."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from playwright.async_api import Error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.async_api import CDPSession

    from batchfish.localagent.egress.proxy import Ticket

SAFE_METHODS = frozenset(["GET", "HEAD"])
DOCUMENTS = {"urlPattern": "*", "resourceType": "Document", "requestStage": "Request"}


@dataclass(eq=False, kw_only=True, slots=True)
class _Admission:
    ticket: Ticket
    answered: set[str] = field(default_factory=set)


class Interception:
    """Intercepts documents and proxy challenges in every tab, frame, popup and worker of a browser.

    Chromium asks one session for a proxy's credentials, and which one depends on its version when several
    sessions intercept requests. So no other session may enable the Fetch domain. Playwright does when a
    context has a route or proxy credentials: contexts here have neither.
    """

    def __init__(self, cdp: CDPSession) -> None:
        """`cdp` is a session with the browser itself: a page's session does not see its popups' requests."""
        self._cdp = cdp
        self._admissions: dict[str, _Admission] = {}

    async def start(self) -> None:
        """Intercept from now on."""
        self._cdp.on("Fetch.requestPaused", self._continue_or_stop)
        self._cdp.on("Fetch.authRequired", self._authenticate)
        await self._cdp.send("Fetch.enable", {"handleAuthRequests": True, "patterns": [DOCUMENTS]})

    @contextlib.contextmanager
    def admit(self, frame_id: str, ticket: Ticket) -> Iterator[None]:
        """Answer the proxy with a run's credentials when the main frame of its tab is challenged.

        A tab's first request is its main frame's. Chromium then sends the credentials along with all further
        requests of the same context.
        """
        self._admissions[frame_id] = _Admission(ticket=ticket)
        try:
            yield
        finally:
            del self._admissions[frame_id]

    async def _continue_or_stop(self, paused: dict[str, Any]) -> None:
        """Continue requests for pages and stop all that send something, also of frames and new windows."""
        if paused["request"]["method"] in SAFE_METHODS:
            await self._send("Fetch.continueRequest", paused, {})
        else:
            await self._send("Fetch.failRequest", paused, {"errorReason": "Aborted"})

    async def _authenticate(self, challenged: dict[str, Any]) -> None:
        answer = {"response": "CancelAuth"}
        admission = self._admissions.get(challenged.get("frameId", ""))
        is_proxy = challenged["authChallenge"].get("source") == "Proxy"
        request = challenged["requestId"]
        # Asked again for the same request, Chromium was refused: it would ask for ever.
        if admission is not None and is_proxy and request not in admission.answered:
            admission.answered.add(request)
            username, password = admission.ticket.username, admission.ticket.password
            answer = {"response": "ProvideCredentials", "username": username, "password": password}
        await self._send("Fetch.continueWithAuth", challenged, {"authChallengeResponse": answer})

    async def _send(self, method: str, event: dict[str, Any], more: dict[str, Any]) -> None:
        with contextlib.suppress(Error):  # the page may have gone with its request
            await self._cdp.send(method, {"requestId": event["requestId"], **more})
