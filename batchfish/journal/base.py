"""The values that a journal takes and returns, besides the items and attempts of the core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.core.items import Attempt, Item


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """One manifest in one period, as its journal holds it.

    `name` is the full name, `manifest` the resolved manifest without its rows, `batch8` what the batch's
    markers begin with, `markers` is `untested`, `proven` or `off`. Times are epoch seconds; `ended_at` and
    `exit_code` are None until the batch is finished.
    """

    pk: int
    name: str
    period: str | None
    number: int
    batch8: str
    base_url: str
    manifest: Mapping[str, Any]
    manifest_path: str
    markers: str
    begun_at: float
    ended_at: float | None = None
    exit_code: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewBatch:
    """A batch that is to begin. `name` is its short name, `markers` says whether its goals carry markers."""

    name: str
    period: str | None
    number: int
    base_url: str
    manifest: Mapping[str, Any]
    manifest_path: str
    markers: bool


def full_name(name: str, period: str | None, number: int) -> str:
    """Return a batch's full name: `name`, `name@2026-11-24`, `name.2` or `name@2026-11-24.2`."""
    return name + (f"@{period}" if period else "") + (f".{number}" if number > 1 else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """The request of an item: URL, rendered goal without marker, further fields, and its row's variables."""

    url: str
    goal: str
    fields: Mapping[str, Any]
    inputs: Mapping[str, str]


class Row(NamedTuple):
    """What options select an item by. `key` is an item's key or a staged row's number, `inputs` are JSON."""

    key: int
    id: str
    url: str
    inputs: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """A complete comparison of a batch's runs with the API's listing of them.

    It covered the runs created before `until` (epoch seconds of the server's clock). `unlisted` is how many
    more of those the journal knew than the API listed.
    """

    until: float
    unlisted: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Tracked:
    """An open attempt with its item, and the batch8 of its batch, which its marker begins with."""

    item: Item
    attempt: Attempt
    batch8: str
