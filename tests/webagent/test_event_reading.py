"""The events of run-sse: any framing that a server may choose, and both spellings of names."""

from __future__ import annotations

import collections
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.runs import RunError, RunSnapshot
from batchfish.webagent.streaming import (
    Complete,
    FrameReader,
    FrameTooLarge,
    Heartbeat,
    Progress,
    Started,
    StreamEvent,
    StreamingUrl,
    read_event,
)


def read_all(*chunks: bytes) -> list[bytes]:
    reader = FrameReader()
    return [frame for chunk in chunks for frame in reader.feed(chunk)] + reader.finish()


@pytest.mark.parametrize(
    ("stream", "frames"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\ndata: b\n\r", [b"a", b"b"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\n\n", [b""]),
        (b"data: a", [b"a"]),
        (b"data: a\n", [b"a"]),
        (b"data: a\r", [b"a"]),
        (b": comment\n\n:\ndata: a\n: more\n\n", [b"a"]),
        (b"event: X\nid: 7\nretry: 10\ndata: a\nunknown: z\nnothing\n\n", [b"a"]),
        (b"event: X\n\n\n\n\ndata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b" data: a\n\n", []),
        (b"dataset: a\n\n", []),
        (b"", []),
        (b"\n\n\n", []),
        ("data: é\u2028ü\x85\x0c\n\n".encode(), ["é\u2028ü\x85\x0c".encode()]),
    ],
)
def test_frames_are_cut_in_the_same_way_however_they_arrive(stream: bytes, frames: list[bytes]) -> None:
    assert read_all(stream) == frames
    assert read_all(*(stream[i : i + 1] for i in range(len(stream)))) == frames
    for cut in range(len(stream)):
        assert read_all(stream[:cut], stream[cut:]) == frames


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1)), st.data())
def test_framed_data_is_read_back(texts: list[str], data: st.DataObject) -> None:
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    stream = "".join(f"data: {text}{end}{end}" for text in texts).encode()
    size = data.draw(st.integers(1, 40))
    chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
    assert read_all(*chunks) == [text.encode() for text in texts]


@pytest.mark.parametrize("stream", [b"data: " + b"x" * 2000, b"data: x\n" * 600, b"x" * 2000])
def test_a_frame_that_never_ends_is_refused(stream: bytes) -> None:
    reader = FrameReader(max_bytes=1000)
    with pytest.raises(FrameTooLarge):
        collections.deque(reader.feed(stream[start : start + 100]) for start in range(0, len(stream), 100))


def test_many_small_frames_are_not_one_large_frame() -> None:
    reader = FrameReader(max_bytes=1000)
    assert sum(len(reader.feed(b"data: " + b"x" * 500 + b"\n\n")) for _ in range(100)) == 100


def event(members: dict[str, object], run_id: str | None = "r-1") -> StreamEvent | None:
    return read_event(json.dumps(members).encode(), run_id)


AT, SECONDS = "2026-11-24T20:00:00Z", 1795550400.0


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"type": "STARTED", "run_id": "r-1", "timestamp": AT}, Started(run_id="r-1", at=SECONDS)),
        ({"type": "STARTED", "runId": "r-1"}, Started(run_id="r-1")),
        (
            {"type": "STREAMING_URL", "run_id": "r-1", "streaming_url": "https://x", "timestamp": AT},
            StreamingUrl(url="https://x", run_id="r-1", at=SECONDS),
        ),
        ({"type": "STREAMING_URL", "streamingUrl": "https://x"}, StreamingUrl(url="https://x", run_id="r-1")),
        (
            {"type": "PROGRESS", "purpose": "Reading\nthe page", "tinyfish_api": "fetch"},
            Progress(purpose="Reading the page", run_id="r-1"),
        ),
        ({"type": "PROGRESS"}, Progress(purpose="", run_id="r-1")),
        ({"type": "HEARTBEAT", "timestamp": AT}, Heartbeat(at=SECONDS)),
        ({"type": "HEARTBEAT", "timestamp": "never"}, Heartbeat()),
        ({"type": "TF_API_RESULT", "run_id": "r-1", "result": []}, None),
        ({"type": "STREAMING_URL"}, None),
        ({"type": "STREAMING_URL", "streaming_url": 7}, None),
        ({"type": "STARTED", "run_id": "r-2"}, None),
        ({"type": "STARTED", "run_id": "../r"}, None),
        ({"type": "started"}, None),
        ({"type": None}, None),
        ({}, None),
    ],
)
def test_events_are_read_in_all_their_spellings(
    members: dict[str, object], expected: StreamEvent | None
) -> None:
    assert event(members) == expected


@pytest.mark.parametrize("name", ["result", "result_json", "resultJson"])
def test_the_result_is_kept_as_it_came_under_any_of_its_names(name: str) -> None:
    data = b'{"type": "COMPLETE", "run_id": "r-1", "status": "COMPLETED", "%s": {"a" : 1.0}, "error": null}'
    done = read_event(data % name.encode(), None)
    assert done == Complete(run=RunSnapshot(run_id="r-1", status="COMPLETED", result=b'{"a" : 1.0}'))


def test_a_result_that_is_null_does_not_hide_one_that_is_not() -> None:
    done = event({"type": "COMPLETE", "status": "COMPLETED", "result": None, "resultJson": {"a": 1}})
    assert isinstance(done, Complete)
    assert done.run.result == b'{"a": 1}'


@pytest.mark.parametrize("hostile", [b'"\\ud800"', b"NaN", b"[" * 50_000 + b"]" * 50_000])
def test_a_hostile_result_ends_the_run_all_the_same(hostile: bytes) -> None:
    done = read_event(b'{"type": "COMPLETE", "status": "COMPLETED", "result": %s}' % hostile, "r-1")
    assert isinstance(done, Complete)
    assert done.run.result == hostile


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("it broke", RunError(message="it broke")),
        (
            {"message": "m", "category": "AGENT_FAILURE", "code": "task_failed"},
            RunError(message="m", category="AGENT_FAILURE", code="TASK_FAILED"),
        ),
    ],
)
def test_an_error_comes_as_a_text_or_an_object(error: object, expected: RunError) -> None:
    done = event(
        {
            "type": "COMPLETE",
            "status": "FAILED",
            "error": error,
            "help_url": "https://h",
            "help_message": "help",
        }
    )
    assert done == Complete(
        run=RunSnapshot(run_id="r-1", status="FAILED", error=expected),
        help_url="https://h",
        help_message="help",
    )


@pytest.mark.parametrize("status", [None, "", "RUNNING", 7])
def test_a_complete_event_without_a_final_status_is_ignored(status: object) -> None:
    assert event({"type": "COMPLETE", "status": status}) is None


@pytest.mark.parametrize("kind", ["STARTED", "COMPLETE"])
def test_an_event_of_a_run_without_a_name_is_dropped(kind: str) -> None:
    assert event({"type": kind, "status": "COMPLETED"}, None) is None


@given(st.binary() | st.dictionaries(st.text(), st.text()).map(lambda value: json.dumps(value).encode()))
def test_no_frame_makes_reading_fail(data: bytes) -> None:
    assert read_event(data, None) is None
