"""The messages between the agent and its reading processes, each after its length."""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from batchfish.localagent.page.going_on import GoingOn  # noqa: TC001 - msgspec decodes it

HEADER = struct.Struct(">I")
LARGEST = 256 * 1024 * 1024
BEGUN = b"."
"""Written by a reading process when it begins with a job, before the answer."""

OUT_OF_MEMORY = "LOCAL_TOO_LARGE"
"""The code of an answer after which a reading process is not used again: its memory is in pieces."""


class ReadJob(msgspec.Struct, frozen=True, kw_only=True, tag="read"):
    """One page to read; `after` is the list of an earlier page that goes on here."""

    url: str
    goal: str
    content_type: str
    body: bytes
    output_schema: dict[str, Any] | None = None
    after: GoingOn | None = None


class OutlineJob(msgspec.Struct, frozen=True, kw_only=True, tag="outline"):
    """One page to write down for a model."""

    url: str
    content_type: str
    body: bytes


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a page for a model, and the addresses that it links to."""

    text: str
    links: list[str]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The place where a property was found, in words, and the text there."""

    name: str
    where: str
    text: str


class ReadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a ReadJob: a result, or an error code and words; the matches; the next page of the list.

    The result of an outline has the members of `Outline`.
    """

    result: Any = None
    code: str | None = None
    message: str | None = None
    evidence: list[Found] = []
    next_url: str | None = None
    going_on: GoingOn | None = None


def pack(message: msgspec.Struct) -> bytes:
    """Write a message with its length before it."""
    body = msgspec.msgpack.encode(message)
    return HEADER.pack(len(body)) + body


def length_of(header: bytes) -> int:
    """Read the length before a message."""
    (length,) = HEADER.unpack(header)
    if length > LARGEST:
        raise ValueError(f"a message of {length} bytes")
    return int(length)
