"""Which wishes of a request have no effect on this machine: they are accepted, as the API does, and told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# What is heeded, or asks for nothing: a label, a time limit, and pictures, which the browser always takes.
HEEDED = frozenset({"api_integration", "agent_config.max_duration_seconds", "capture_config.screenshots"})
AS_EVER = frozenset({"lite", "default"})  # the API's own choice where nothing is said


def unheeded(options: Mapping[str, Any]) -> list[str]:
    """Name the members of a request that ask for something that will not be done."""
    return list(_walk(options, ""))


def _walk(options: Mapping[str, Any], before: str) -> Iterator[str]:
    for name, value in options.items():
        path = f"{before}{name}"
        match value:
            case {"enabled": is_wanted}:  # a proxy, one wish however it is described
                yield from [path] if is_wanted else []
            case dict():
                yield from _walk(value, f"{path}.")
            case list():
                yield path
            case _ if path not in HEEDED and value and value not in AS_EVER:
                yield path
