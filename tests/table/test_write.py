"""Table files on disk: their types, their order, and what failures leave behind."""

from __future__ import annotations

import csv
import json
import stat
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core.results import decode_result
from batchfish.core.rules import OutputRules
from batchfish.errors import NeedsYes, StorageFailed, WrongInput
from batchfish.table import write as table_writer
from batchfish.table.columns import ColumnPlan, plan_columns
from batchfish.table.target import FileMark, is_same_file
from batchfish.table.write import TableReport, write_frames, write_table
from tests import forking
from tests.outcomes import Outcome, in_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from batchfish.core.outcomes import Outcomes

SUFFIXES = (".parquet", ".csv", ".jsonl")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "price": {"type": "number"},
        "pages": {"type": "integer"},
        "in_stock": {"type": "boolean"},
        "day": {"type": "string", "format": "date"},
        "seen": {"type": "string", "format": "date-time"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "status": {"type": "string"},
    },
}
PLAN = plan_columns([SCHEMA], ["isbn"], OutputRules())
RAW = (
    b'{"title":"Walden\\n\\"or, Life\\"","price":7.10,"pages":9007199254740993,"in_stock":true,'
    b'"day":"1854-08-09","seen":"2026-11-24T01:00:00.000001Z","tags":["a","\xc3\xa9"],"status":"new"}'
)
START = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)


def row(number: int, **facts: Any) -> Outcome:  # noqa: ANN401 - any field of an outcome
    common: dict[str, Any] = {
        "item_id": f"b{number}",
        "batch": "books",
        "row": number,
        "url": f"https://books.example/{number}",
        "status": "succeeded",
    }
    if "result" in facts:
        facts["result"] = decode_result(facts["result"])
    return Outcome(**{**common, **facts})


FULL = row(
    1,
    result=RAW,
    inputs={"isbn": "9780000000001"},
    run_id="r1",
    run_status="COMPLETED",
    attempts=1,
    steps=7,
    submitted_at=START.timestamp(),
    started_at=START.timestamp() + 1.5,
    finished_at=START.timestamp() + 31.75,
    streaming_url="https://live.example/r1",
)
FAILED = row(
    2, status="failed", reason="site_blocked", attempts=2, error_code="SITE_BLOCKED", error_message="no"
)
EXPECTED: dict[str, object] = {
    "item_id": "b1",
    "batch": "books",
    "row": 1,
    "url": "https://books.example/1",
    "status": "succeeded",
    "reason": None,
    "title": 'Walden\n"or, Life"',
    "price": 7.1,
    "pages": 9007199254740993,
    "in_stock": True,
    "day": date(1854, 8, 9),
    "seen": datetime(2026, 11, 24, 1, 0, 0, 1, tzinfo=UTC),
    "tags": '["a","é"]',
    "result_status": "new",
    "result": RAW.decode(),
    "result_error": None,
    "input_isbn": "9780000000001",
    "run_id": "r1",
    "run_status": "COMPLETED",
    "attempts": 1,
    "steps": 7,
    "submitted_at": START,
    "started_at": datetime(2026, 11, 24, 12, 0, 1, 750_000, tzinfo=UTC),
    "finished_at": datetime(2026, 11, 24, 12, 0, 32, tzinfo=UTC),
    "queue_s": 1.5,
    "run_s": 30.25,
    "error_code": None,
    "error_message": None,
    "streaming_url": "https://live.example/r1",
    "suspicious": None,
    "reused_from": None,
}


def write(
    target: Path,
    *rows: Outcome,
    plan: ColumnPlan = PLAN,
    **options: Any,  # noqa: ANN401 - any option of write_table
) -> TableReport:
    return write_table(target, plan, lambda: iter([in_columns(rows)] if rows else []), **options)


def read(target: Path) -> list[dict[str, Any]]:
    """The rows as a reader sees them who knows nothing of us."""
    match target.suffix:
        case ".parquet":
            return pl.read_parquet(target).to_dicts()
        case ".csv":
            usual = csv.field_size_limit(2**20)
            try:
                with target.open(newline="", encoding="utf-8") as file:
                    return list(csv.DictReader(file, strict=True))
            finally:
                csv.field_size_limit(usual)
        case _:
            with target.open(encoding="utf-8") as file:
                return [json.loads(line) for line in file]


def many(count: int) -> Callable[[], Iterator[Outcomes]]:
    def chunks() -> Iterator[Outcomes]:
        for start in range(0, count, 700):
            yield in_columns(row(number, result=RAW) for number in range(start, min(start + 700, count)))

    return chunks


def test_parquet_holds_every_value_in_its_type(tmp_path: Path) -> None:
    report = write(tmp_path / "out.parquet", FULL, FAILED)
    assert (report.rows, report.path) == (2, tmp_path / "out.parquet")
    first, second = read(report.path)
    assert first == EXPECTED
    assert list(first) == list(PLAN.columns)
    known = {"status": "failed", "reason": "site_blocked", "attempts": 2, "error_code": "SITE_BLOCKED"}
    assert {name: value for name, value in second.items() if value is not None} == known | {
        "item_id": "b2",
        "batch": "books",
        "row": 2,
        "url": "https://books.example/2",
        "error_message": "no",
    }


@pytest.mark.parametrize("rows", [(), (FAILED,), (FULL,)])
def test_parquet_has_the_declared_types_for_any_results(tmp_path: Path, rows: tuple[Outcome, ...]) -> None:
    report = write(tmp_path / "out.parquet", *rows)
    assert report.rows == len(rows)
    instant = pl.Datetime("ms", "UTC")
    assert dict(pl.read_parquet_schema(report.path)) == {
        **dict.fromkeys(PLAN.columns, pl.String()),
        **dict.fromkeys(("row", "pages", "attempts", "steps"), pl.Int64()),
        **dict.fromkeys(("price", "queue_s", "run_s"), pl.Float64()),
        "in_stock": pl.Boolean(),
        "day": pl.Date(),
        "seen": pl.Datetime("us", "UTC"),
        **dict.fromkeys(("submitted_at", "started_at", "finished_at"), instant),
    }


def test_csv_holds_the_same_values_as_text(tmp_path: Path) -> None:
    first, second = read(write(tmp_path / "out.csv", FULL, FAILED).path)
    special = {
        "in_stock": "true",
        "seen": "2026-11-24T01:00:00.000001Z",
        "submitted_at": "2026-11-24T12:00:00.250Z",
        "started_at": "2026-11-24T12:00:01.750Z",
        "finished_at": "2026-11-24T12:00:32Z",
    }
    assert first == {
        name: special.get(name, "" if value is None else str(value)) for name, value in EXPECTED.items()
    }
    assert (second["item_id"], second["title"], second["price"]) == ("b2", "", "")


def test_jsonl_holds_the_same_values_as_json(tmp_path: Path) -> None:
    first, _ = read(write(tmp_path / "out.jsonl", FULL, FAILED).path)
    for name, expected in EXPECTED.items():
        found = datetime.fromisoformat(first[name]) if isinstance(expected, datetime) else first[name]
        assert found == (str(expected) if type(expected) is date else expected)
    assert list(first) == list(PLAN.columns)


def test_a_table_without_rows_has_its_header(tmp_path: Path) -> None:
    assert (
        write(tmp_path / "out.csv").path.read_text() == ",".join(f'"{name}"' for name in PLAN.columns) + "\n"
    )
    assert write(tmp_path / "out.jsonl").path.read_bytes() == b""


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_many_chunks_keep_their_order_and_give_equal_files(tmp_path: Path, suffix: str) -> None:
    one = write_table(tmp_path / f"one{suffix}", PLAN, many(12_345))
    two = write_table(tmp_path / f"two{suffix}", PLAN, many(12_345))
    assert one.rows == 12_345
    assert [int(found["row"]) for found in read(one.path)] == list(range(12_345))
    assert one.mark == two.mark


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_exploded_table_has_one_row_for_each_record(tmp_path: Path, suffix: str) -> None:
    books = {"type": "object", "properties": {"books": {"type": "array", "items": SCHEMA}}}
    plan = plan_columns([books], [], OutputRules(explode="result.books"))
    rows = [
        row(1, result=b'{"books":[' + b",".join([RAW] * 2500) + b"]}"),
        row(2, result=b'{"books":[]}'),
        row(3, status="failed"),
        row(4, result=b'{"books":[{"price":"n/a"}]}'),
    ]
    report = write(tmp_path / f"out{suffix}", *rows, plan=plan)
    assert report.rows == 2503
    found = read(report.path)
    assert [str(record["record_index"]) for record in found[:2500]] == [str(index) for index in range(2500)]
    assert [record["item_id"] for record in found[2499:]] == ["b1", "b2", "b3", "b4"]
    assert [record["record_index"] or None for record in found[2500:2502]] == [None, None]
    assert found[2502]["result_error"] == 'price: "n/a" is not a number'


NASTY = [
    b'{"title":"a","price":NaN,"pages":' + b"7" * 5000 + b"}",
    b'{"title":"\\ud800"}',
    b'{"title":"a\\u0000b"}',
    b'{"title":"caf\xe9"}',
    b'{"title":"a\x00b"}',
    b'{"tags":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b"[" * 100_000,
    b'"{\\"title\\":\\"a\\"}"',
    b"[1,2]",
    b"",
]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_hostile_results_keep_their_rows_and_affect_no_others(tmp_path: Path, suffix: str) -> None:
    rows = [
        fact
        for number, raw in enumerate(NASTY)
        for fact in (row(2 * number, result=raw), row(2 * number + 1, result=RAW))
    ]
    found = read(write(tmp_path / f"out{suffix}", *rows).path)
    assert [int(record["row"]) for record in found] == list(range(2 * len(NASTY)))
    assert all(record["title"] == EXPECTED["title"] and not record["result_error"] for record in found[1::2])
    assert all(record["result_error"] for record in (found[0], found[2], found[6], *found[10::2]))


@given(titles=st.lists(st.text('"\n,a', max_size=5), min_size=1, max_size=5), block=st.integers(1, 9))
def test_rows_of_a_csv_are_counted_whatever_its_texts_hold(titles: list[str], block: int) -> None:
    """The check of what was written reads blocks, which may end between two quotes."""
    rows = [row(number, result=json.dumps({"title": title}).encode()) for number, title in enumerate(titles)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(table_writer, "_READ_BYTES", block)
        target = Path(folder, "out.csv")
        write(target, *rows)
        assert [found["title"] for found in read(target)] == titles


def test_lone_surrogates_are_escaped_everywhere(tmp_path: Path) -> None:
    nasty = row(1, url="https://x.example/\ud800", inputs={"isbn": "\udfff"}, error_message="é\udc80")
    (found,) = read(write(tmp_path / "out.parquet", nasty, plan=PLAN).path)
    assert found["url"] == "https://x.example/\\ud800"
    assert found["input_isbn"] == "\\udfff"
    assert found["error_message"] == "é\\udc80"


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), -1e300, 1e15])
def test_a_time_outside_the_calendar_is_null(tmp_path: Path, suffix: str, seconds: float) -> None:
    nasty = row(1, submitted_at=0.0, started_at=seconds, finished_at=5.0, steps=2**70)
    (found,) = read(write(tmp_path / f"out{suffix}", nasty).path)
    assert [found[name] or None for name in ("started_at", "queue_s", "run_s", "steps")] == [None] * 4
    assert str(found["submitted_at"]).startswith("1970-01-01")


def test_formulas_are_escaped_only_in_csv(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"=title": {"type": "string"}, "price": {"type": "number"}}}
    plan = plan_columns([schema], ["=in"], OutputRules())
    nasty = row(1, result=b'{"=title":"=1+1","price":-5.5}', inputs={"=in": "-7"}, url="@evil", item_id="-3")
    safe = read(write(tmp_path / "safe.csv", nasty, plan=plan).path)[0]
    assert (safe["'=title"], safe["price"], safe["input_=in"], safe["url"], safe["item_id"]) == (
        "'=1+1",
        "-5.5",
        "-7",
        "'@evil",
        "-3",
    )
    raw = read(write(tmp_path / "raw.csv", nasty, plan=plan, raw_csv=True).path)[0]
    assert (raw["=title"], raw["url"]) == ("=1+1", "@evil")
    for suffix in (".parquet", ".jsonl"):
        found = read(write(tmp_path / f"out{suffix}", nasty, plan=plan).path)[0]
        assert (found["=title"], found["url"], found["price"]) == ("=1+1", "@evil", -5.5)


def test_every_text_is_quoted_so_that_a_cr_ends_no_line(tmp_path: Path) -> None:
    target = write(tmp_path / "out.csv", row(1, url="a\rb", reason="x;y")).path
    assert b'"a\rb","succeeded","x;y",' in target.read_bytes()


class Stop(Exception):
    """What a source may raise."""


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    ("after", "failure"), [(0, Stop("journal gone")), (1, OSError(5, "disk")), (20_000, KeyboardInterrupt())]
)
def test_a_failing_source_keeps_the_old_file_and_its_exception(
    tmp_path: Path, suffix: str, after: int, failure: BaseException
) -> None:
    target = tmp_path / f"out{suffix}"
    old = write(target, FULL)

    def chunks() -> Iterator[Outcomes]:
        yield from many(after)()
        raise failure

    with pytest.raises(type(failure)) as raised:
        write_table(target, PLAN, chunks, written=[old.mark])
    assert raised.value is failure
    assert is_same_file(target, old.mark)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_source_may_be_read_by_another_thread(tmp_path: Path, suffix: str) -> None:
    """One frame at a time, from whichever thread asks, never two at once."""
    busy = threading.Lock()

    def frames() -> Iterator[pl.DataFrame]:
        for number in range(5000):
            assert busy.acquire(blocking=False)
            frame = pl.DataFrame({"row": [number]})
            busy.release()
            yield frame

    target = tmp_path / f"out{suffix}"
    assert write_frames(target, {"row": pl.Int64()}, frames).rows == 5000
    assert [int(found["row"]) for found in read(target)] == list(range(5000))


def test_the_mark_is_recorded_before_the_file_is_renamed(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    old = write(target, FULL)
    recorded: list[FileMark] = []

    def record(mark: FileMark) -> None:
        assert is_same_file(target, old.mark)
        recorded.append(mark)

    new = write(target, FULL, FAILED, written=[old.mark], record=record)
    assert recorded == [new.mark]
    assert is_same_file(target, new.mark)


def test_nothing_is_replaced_if_recording_fails(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    old = write(target, FULL)

    def record(_: FileMark) -> None:
        raise Stop

    with pytest.raises(Stop):
        write(target, FAILED, written=[old.mark], record=record)
    assert is_same_file(target, old.mark)
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_that_is_not_ours_is_not_replaced_without_a_yes(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("precious")
    with pytest.raises(NeedsYes):
        write(target, FULL)
    assert target.read_text() == "precious"
    assert write(target, FULL, may_replace=True).rows == 1


def test_no_row_is_read_for_a_refused_target(tmp_path: Path) -> None:
    def chunks() -> Iterator[Outcomes]:
        raise AssertionError("the journal was read")

    for name in ("out.xlsx", "none/out.csv"):
        with pytest.raises((WrongInput, StorageFailed)):
            write_table(tmp_path / name, PLAN, chunks)
    assert list(tmp_path.iterdir()) == []


def test_missing_folders_are_created_below_the_allowed_one(tmp_path: Path) -> None:
    target = tmp_path / "results" / "2026" / "out.csv"
    with pytest.raises(StorageFailed, match="Make that folder first"):
        write(target, FULL)
    assert write(target, FULL, parents_under=tmp_path).rows == 1
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_with_glob_or_hive_syntax_are_plain_names(tmp_path: Path, suffix: str) -> None:
    """Brackets and stars are no patterns, and `day=1` is no partition."""
    folder = tmp_path / "day=1" / "[ab]*"
    folder.mkdir(parents=True)
    (tmp_path / "day=1" / "a").mkdir()
    target = folder / f"x?{suffix}"
    assert write(target, FULL).rows == 1
    assert target.exists()


def test_a_folder_that_cannot_be_written_is_reported() -> None:
    with pytest.raises(StorageFailed, match=r"^/proc/self/fdinfo(/out\.csv could not be| cannot be) written"):
        write(Path("/proc/self/fdinfo/out.csv"), FULL)


LIMITED = """
import resource, sys
from hashlib import sha256
from pathlib import Path
sys.path.insert(0, {root!r})
from batchfish.core.rules import OutputRules
from batchfish.errors import StorageFailed
from batchfish.table.columns import plan_columns
from batchfish.table.write import write_table
from tests.outcomes import Outcome, in_columns
def chunks():
    for start in range(0, 50_000, 1000):
        numbers = range(start, start + 1000)
        urls = [sha256(str(number).encode()).hexdigest() for number in numbers]
        yield in_columns(Outcome(item_id=url, batch="b", row=1, url=url, status="s") for url in urls)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
try:
    write_table(Path({target!r}), plan_columns([], [], OutputRules()), chunks, may_replace=True)
except StorageFailed as error:
    print("StorageFailed", error)
"""


@pytest.mark.process
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(
    "limit", [*(pytest.param(few, marks=pytest.mark.slow) for few in (0, 1000)), 200_000]
)
def test_a_full_disk_keeps_the_old_file(tmp_path: Path, suffix: str, limit: int) -> None:
    """A limit on the size of files stands for the full disk."""
    target = tmp_path / f"out{suffix}"
    target.write_text("old")
    program = LIMITED.format(root=str(_root()), limit=limit, target=str(target))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    out, err = forking.start([sys.executable, "-c", program], **pipes).communicate()
    assert out.startswith(f"StorageFailed {target} could not be written: "), err
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from batchfish.core.rules import OutputRules
from batchfish.table.columns import plan_columns
from batchfish.table.write import write_table
from tests.outcomes import Outcome, in_columns
def chunks():
    for at in range(100):
        if at == {at}:
            os.kill(os.getpid(), signal.SIGKILL)
        yield in_columns(
            Outcome(item_id=str(n), batch="b", row=n, url="u", status="s") for n in range(1000)
        )
def record(mark):
    if {at} == 100:
        os.kill(os.getpid(), signal.SIGKILL)
write_table(Path({target!r}), plan_columns([], [], OutputRules()), chunks, may_replace=True, record=record)
"""


@pytest.mark.process
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("at", [0, pytest.param(50, marks=pytest.mark.slow), 100])
def test_a_killed_writer_keeps_the_old_file(tmp_path: Path, suffix: str, at: int) -> None:
    target = tmp_path / f"out{suffix}"
    old = write(target, FULL)
    program = KILLED.format(root=str(_root()), at=at, target=str(target))
    assert forking.start([sys.executable, "-c", program]).wait() == -9
    assert is_same_file(target, old.mark)
    assert len(list(tmp_path.iterdir())) == 2
    assert write(target, FULL, FAILED, written=[old.mark]).rows == 2
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.process
def test_planning_and_checking_import_no_polars() -> None:
    modules = "columns", "cells", "target", "preview"
    imports = "; ".join(f"import batchfish.table.{name}" for name in modules)
    program = f"import sys; {imports}; print('polars' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=_root()
    )
    assert done.stdout == "False\n"


def _root() -> Path:
    return Path(__file__).parents[2]
