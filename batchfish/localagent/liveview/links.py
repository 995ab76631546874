"""Links to the live view of a run: the run's id, signed."""

from __future__ import annotations

import base64
import hashlib
import hmac

PATH = "/live"


class WatchLinks:
    """Creates and verifies the links; none of them is stored."""

    def __init__(self, base_url: str, secret: str) -> None:
        """`secret` signs the links: a person who knows it can create one for every run."""
        self._base_url = base_url.rstrip("/")
        self._secret = secret.encode()

    def url(self, run_id: str) -> str:
        """Return the address of a run's live view."""
        return f"{self._base_url}{PATH}/{run_id}.{self._sign(run_id)}"

    def run_of(self, token: str) -> str | None:
        """Return the id of the run that a token was created for; None if it was not created here."""
        run_id, _, signature = token.rpartition(".")
        is_ours = hmac.compare_digest(signature.encode(), self._sign(run_id).encode())
        return run_id if is_ours else None

    def _sign(self, run_id: str) -> str:
        digest = hmac.digest(self._secret, run_id.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:24]).decode()
