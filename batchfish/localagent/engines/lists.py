"""The concatenation of lists that continue over several pages or readings of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

Result: TypeAlias = dict[str, Any]


def count_of(result: Result) -> int | None:
    """Return the length of the longest list in a result; None if it holds no list."""
    lengths = [len(value) for value in result.values() if isinstance(value, list)]
    return max(lengths) if lengths else None


def is_more(before: Result, after: Result) -> bool:
    """Whether the lists of a later reading hold something that the earlier one did not."""
    return any(
        member not in (before.get(name) or [])
        for name, value in after.items()
        if isinstance(value, list)
        for member in value
    )


def extends(before: Result, after: Result) -> bool:
    """Whether a later reading repeats the earlier one and goes on from there: the page grew in place."""
    return all(
        value[: len(before[name])] == before[name]
        for name, value in after.items()
        if isinstance(value, list) and isinstance(before.get(name), list)
    )


def join(pages: Sequence[Result], most: int | None) -> Result:
    """Concatenate the lists of several pages, `most` members at most; all else is the first page's."""
    joined = dict(pages[0])
    for page in pages[1:]:
        for name, value in page.items():
            if isinstance(value, list) and isinstance(joined.get(name), list) and value != pages[0].get(name):
                joined[name] = joined[name] + value
    return {name: value[:most] if isinstance(value, list) else value for name, value in joined.items()}
