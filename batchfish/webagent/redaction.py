"""Redaction of keys and passwords that the API may echo in its messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from msgspec.structs import replace

if TYPE_CHECKING:
    from batchfish.core.runs import RunSnapshot

Redact: TypeAlias = Callable[[str], str]
"""Returns a text with every known secret replaced."""

PLACEHOLDER = "[hidden]"
SHORTEST_PIECE = 4
"""Characters of a secret at the end of a shortened text that are redacted; fewer reveal nothing."""


def make_redact(secrets: Iterable[str]) -> Redact:
    """Return a function that redacts these secrets from a text.

    In a text that was shortened, the start of a secret at its end is redacted, too.
    """
    known = [" ".join(secret.split()) for secret in secrets]

    def redact(text: str) -> str:
        for secret in known:
            text = text.replace(secret, PLACEHOLDER)
        return text if not text.endswith("…") else _redact_piece(text.removesuffix("…"), known) + "…"

    return redact


def redact_run(run: RunSnapshot, redact: Redact) -> RunSnapshot:
    """Return a run whose error is redacted; its result stays as it came."""
    if run.error is None:
        return run
    error = run.error
    code = redact(error.code) if error.code is not None else None
    return replace(run, error=replace(error, message=redact(error.message), code=code))


def _redact_piece(text: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        for length in range(len(secret) - 1, SHORTEST_PIECE - 1, -1):
            if text.endswith(secret[:length]):
                return text[:-length] + PLACEHOLDER
    return text
