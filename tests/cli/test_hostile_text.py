"""Text of pages, of the API and of manifests: no command lets it control the terminal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from batchfish.cli.commands import COMMANDS
from tests import loopback
from tests.cli.shop import SETTLE
from tests.documents import documents_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.cli.conftest import Command, Outcome

pytestmark = pytest.mark.process

HOSTILE = (
    "A\x1b]0;title\x07\x1b[2J\x1b[31m\r\x9b5m\u202egpj.exe\u2066\x7f\ud83d\nbatchfish: all is well\u2028Z"
)
CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
    "|^batchfish: all is well",
    re.MULTILINE,
)
AT = "2026-11-24T10:00:00Z"


def as_run(run_id: str, sent: dict[str, Any]) -> dict[str, Any]:
    """Return a run as the API shows it: those of URLs that end with 1 complete, the others fail."""
    is_good = sent["url"].endswith("1")
    return {
        "run_id": run_id,
        "status": "COMPLETED" if is_good else "FAILED",
        "goal": sent["goal"],
        "created_at": AT,
        "started_at": AT,
        "finished_at": AT,
        "num_of_steps": 2,
        "result": {"title": HOSTILE, HOSTILE: HOSTILE} if is_good else None,
        "error": None if is_good else {"code": HOSTILE, "message": HOSTILE, "category": HOSTILE},
        "streaming_url": f"https://live.example/{HOSTILE}",
    }


def hostile_api() -> AbstractContextManager[str]:
    """Serve an API all of whose texts are hostile; one create of each kind of answer is refused."""
    runs: dict[str, dict[str, Any]] = {}

    class Api(loopback.Handler):
        def get(self) -> None:
            wanted = parse_qs(urlsplit(self.path).query).get("goal", [""])[0]
            found = [run for run in runs.values() if wanted in run["goal"]]
            page = {"total": len(found), "next_cursor": None, "has_more": False}
            self.tell({"data": found, "pagination": page})

        def post(self) -> None:
            sent = json.loads(self.read_body())
            if self.path.endswith("/runs/batch"):
                self.tell({"data": [runs[one] for one in sent["run_ids"] if one in runs], "not_found": []})
                return
            if sent["url"].endswith("3"):
                self.tell({"error": {"code": "INVALID_INPUT", "message": HOSTILE}}, status=400)
                return
            run_id = f"run-{len(runs)}"
            runs[run_id] = as_run(run_id, sent)
            if self.path.endswith("/run-async"):
                self.tell({"run_id": run_id, "error": None})
                return
            events: list[dict[str, Any]] = [
                {"type": "STARTED", "run_id": run_id},
                {"type": "STREAMING_URL", "streaming_url": f"https://live.example/{HOSTILE}"},
                {"type": "PROGRESS", "purpose": HOSTILE},
                {"type": "COMPLETE", **runs[run_id]},
            ]
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            for event in events:
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

        def tell(self, body: object, status: int = 200) -> None:
            self.answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})

    return loopback.serving(Api)


def write_manifest(folder: Path, rows: int = 3) -> None:
    """Write a manifest whose goals, variables and reasons are hostile as well."""
    manifest = {
        "batchfish": 1,
        "name": "shop",
        "description": HOSTILE.replace("\ud83d", ""),
        "defaults": {"goal": "Read {{ note }}."},
        "items": [
            {
                "id": f"i{number}",
                "url": f"https://shop.example/{number}",
                "vars": {"note": HOSTILE.replace("\ud83d", "")},
            }
            for number in range(1, rows + 1)
        ],
    }
    (folder / "shop.yaml").write_text(json.dumps(manifest))


def check(outcome: Outcome, *, saw: str = "") -> None:
    for text in (outcome.out, outcome.err):
        assert CONTROLS.findall(text) == [], text
    assert saw in outcome.out + outcome.err


@pytest.fixture
def served(command: Command) -> Iterator[Command]:
    """Return the command in a folder with a hostile manifest; the API is hostile, too."""
    with hostile_api() as address:
        command.use(address)
        write_manifest(command.folder)
        yield command


READING = [
    ("status", ()),
    ("results", ("--head", "3")),
    ("results", ("--failed", "-o", "failed.csv", "--head", "3")),
    ("explain", ("i1",)),
    ("explain", ("i2",)),
    ("explain", ("i3",)),
    ("held", ("list",)),
    ("recheck", ()),
    ("diff", ()),
    ("report", ()),
    ("audit", ()),
    ("plan", ("shop.yaml",)),
    ("validate", ("shop.yaml",)),
    ("ls", ()),
]


def test_no_command_prints_what_a_page_or_the_api_says_unescaped(served: Command) -> None:
    escaped = "\\x1b]0;title\\x07"
    check(served("run", "shop.yaml", "--head", "3", *SETTLE))
    for name, words in READING:
        check(served(name, *words))
        documents_in(served(name, *(word for word in words if word not in {"--head", "3"}), "--json").out)
    check(served("explain", "i2"), saw=escaped)
    check(served("try", "shop.yaml", *SETTLE), saw=escaped)
    check(served("try", "shop.yaml", "--item", "i2", *SETTLE), saw=escaped)
    check(served("try", "shop.yaml", "--item", "i3", *SETTLE), saw=escaped)
    documents_in(served("try", "shop.yaml", "--json", *SETTLE).out)
    check(served("retry", "shop", "--failed", *SETTLE))
    check(served("run", "shop.yaml", "--new", *SETTLE))
    check(served("diff", "shop"))


def test_words_of_the_command_line_are_escaped_in_errors(offline: Command) -> None:
    # A byte that is not UTF-8 is handed over by the system as one half of a surrogate pair.
    word = HOSTILE.replace("\ud83d", "\udcff").replace("\n", " ")
    for name in COMMANDS:
        check(offline(name, f"--{word}"))
        check(offline(name, word, word, word, word))
    check(offline(word))
