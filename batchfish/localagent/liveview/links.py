"""Links to runs that nobody can guess: the run's id, signed."""

from __future__ import annotations

import base64
import hashlib
import hmac

PATH = "/live"


class WatchLinks:
    """Makes the addresses under which runs are watched, and reads them back; nothing is kept of them."""

    def __init__(self, base_url: str, secret: str) -> None:
        """`secret` signs the links: who knows it can make one for every run."""
        self._base_url = base_url.rstrip("/")
        self._secret = secret.encode()

    def url(self, run_id: str) -> str:
        """Give the address of a run's live view."""
        return f"{self._base_url}{PATH}/{run_id}.{self._sign(run_id)}"

    def run_of(self, token: str) -> str | None:
        """Give the run that a token was made for; None where it was not made here."""
        run_id, _, signature = token.rpartition(".")
        is_ours = hmac.compare_digest(signature.encode(), self._sign(run_id).encode())
        return run_id if is_ours else None

    def _sign(self, run_id: str) -> str:
        digest = hmac.digest(self._secret, run_id.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest[:24]).decode()
