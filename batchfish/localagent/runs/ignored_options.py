"""Request fields that have no effect on this machine; they are accepted, as by the API, and reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

# Fields with an effect, or that ask for nothing; screenshots are always taken in the browser.
HEEDED = frozenset(
    {
        "api_integration",
        "agent_config.max_duration_seconds",
        "capture_config.screenshots",
        "webhook_url",
    }
)
DEFAULTS = frozenset({"lite", "default"})


def ignored_options(options: Mapping[str, Any], heeded: AbstractSet[str] = frozenset()) -> list[str]:
    """Return the fields of a request, as dotted paths, that ask for something that will not be done.

    `heeded` are those with an effect on this engine alone.
    """
    return list(_walk(options, "", HEEDED | heeded))


def _walk(options: Mapping[str, Any], before: str, heeded: AbstractSet[str]) -> Iterator[str]:
    for name, value in options.items():
        path = f"{before}{name}"
        match value:
            case {"enabled": is_wanted}:  # a proxy is one wish, however it is described
                yield from [path] if is_wanted else []
            case dict():
                yield from _walk(value, f"{path}.", heeded)
            case list():
                yield path
            case _ if path not in heeded and value and value not in DEFAULTS:
                yield path
