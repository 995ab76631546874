"""The target of a table: what may be replaced, and atomic replacement."""

from __future__ import annotations

import os
import resource
import stat
from typing import TYPE_CHECKING

import pytest

from batchfish.errors import NeedsYes, StorageFailed, WrongInput
from batchfish.table.target import (
    FileMark,
    check_target,
    is_same_file,
    make_parents,
    mark_of,
    name_for_file,
    replacing,
    write_whole,
)

if TYPE_CHECKING:
    from pathlib import Path


def write(target: Path, content: bytes) -> FileMark:
    with replacing(target) as (file, _):
        file.write(content)
        return mark_of(file)


def test_a_new_file_appears_whole_with_mode_0600(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_bytes(b"old")
    with replacing(target) as (file, beside):
        file.write(b"new")
        assert target.read_bytes() == b"old"
        assert beside.parent == tmp_path
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("failure", [RuntimeError("half-way"), KeyboardInterrupt()])
def test_after_a_failure_only_the_old_file_exists(tmp_path: Path, failure: BaseException) -> None:
    target = tmp_path / "out.csv"
    target.write_bytes(b"old")

    def write_half() -> None:
        with replacing(target) as (file, _):
            file.write(b"half")
            raise failure

    with pytest.raises(type(failure)):
        write_half()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_disk_that_fills_up_during_a_write_leaves_no_part_of_a_file(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        with replacing(tmp_path / "out.html") as (file, _):
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
            try:
                write_whole(file, bytes(1001))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    with pytest.raises(OSError, match="File too large"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_a_replaced_temporary_file_is_detected(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"

    def write_and_be_robbed() -> None:
        with replacing(target) as (file, beside):
            file.write(b"ours")
            beside.unlink()
            beside.symlink_to("/etc/passwd")

    with pytest.raises(StorageFailed, match="another process"):
        write_and_be_robbed()
    assert list(tmp_path.iterdir()) == []


def test_only_temporary_files_of_killed_writers_are_removed(tmp_path: Path) -> None:
    dead = tmp_path / f".batchfish-{'0' * 16}.tmp"
    dead.write_bytes(b"half")
    other = tmp_path / ".batchfish-notes.tmp"
    other.write_bytes(b"not ours")
    with replacing(tmp_path / "one.csv") as (file, living):
        assert not dead.exists()
        file.write(b"one")
        write(tmp_path / "two.csv", b"two")
        assert living.exists()
    assert (tmp_path / "one.csv").read_bytes() == b"one"
    assert other.exists()


def test_a_link_among_the_leftovers_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    link = tmp_path / f".batchfish-{'1' * 16}.tmp"
    link.symlink_to(precious)
    write(tmp_path / "out.csv", b"x")
    assert precious.read_bytes() == b"precious"


def test_a_written_file_is_recognised_until_it_changes(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    mark = write(target, b"a,b\n")
    assert is_same_file(target, mark)
    moved = target.rename(tmp_path / "moved.csv")
    assert is_same_file(moved, mark)
    moved.write_bytes(b"a,c\n")
    assert not is_same_file(moved, mark)
    moved.write_bytes(b"a,b\n\n")
    assert not is_same_file(moved, mark)
    assert not is_same_file(tmp_path / "none.csv", mark)
    link = tmp_path / "link.csv"
    write(target, b"a,b\n")
    link.symlink_to(target)
    assert not is_same_file(link, mark)
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    assert not is_same_file(pipe, mark)
    assert not is_same_file(tmp_path, mark)


def test_only_our_files_are_replaced_without_a_yes(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    check_target(target)
    mark = write(target, b"ours")
    check_target(target, written=[FileMark(size=1, sha256="0"), mark])
    with pytest.raises(NeedsYes, match="agree to replace it") as needed:
        check_target(target)
    assert needed.value.question == "replace-output"
    target.write_bytes(b"edited")
    with pytest.raises(NeedsYes):
        check_target(target, written=[mark])
    check_target(target, may_replace=True)


@pytest.mark.parametrize("name", ["out", "out.xlsx", "out.parquet.gz", "out.CSV", ".csv"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongInput, match=r"\.parquet, \.csv, \.jsonl"):
        check_target(tmp_path / name)


def test_links_folders_and_devices_are_refused_even_with_a_yes(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_bytes(b"precious")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    (tmp_path / "dangling.csv").symlink_to(tmp_path / "nowhere.csv")
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("link", "dangling", "folder", "pipe"):
        with pytest.raises(WrongInput, match="Name"):
            check_target(tmp_path / f"{name}.csv", may_replace=True)
    assert (tmp_path / "real.csv").read_bytes() == b"precious"


def test_folders_are_created_only_where_allowed(tmp_path: Path) -> None:
    target = tmp_path / "results" / "deep" / "out.csv"
    with pytest.raises(StorageFailed, match="Make that folder first"):
        check_target(target)
    with pytest.raises(StorageFailed, match="Make that folder first"):
        check_target(target, parents_under=tmp_path / "elsewhere")
    check_target(target, parents_under=tmp_path)
    assert not target.parent.exists()
    make_parents(target, tmp_path)
    assert target.parent.is_dir()


@pytest.mark.parametrize("way", ["../outside/out.csv", "link/sub/out.csv"])
def test_a_path_out_of_the_allowed_folder_makes_no_folder(tmp_path: Path, way: str) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    (tmp_path / "other").mkdir()
    (allowed / "link").symlink_to(tmp_path / "other")
    with pytest.raises(StorageFailed):
        check_target(allowed / way, parents_under=allowed)
    make_parents(allowed / way, allowed)
    assert list((tmp_path / "other").iterdir()) == []
    assert not (tmp_path / "outside").exists()


def test_a_file_where_a_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for under in (None, tmp_path):
        with pytest.raises(StorageFailed):
            check_target(tmp_path / "file" / "out.csv", parents_under=under)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_write_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageFailed, match="permissions"):
        check_target(tmp_path / "out.csv")


@pytest.mark.parametrize("name", ["a\0b.csv", "x" * 300 + ".csv"])
def test_a_name_that_the_system_refuses_is_reported(tmp_path: Path, name: str) -> None:
    with pytest.raises(StorageFailed):
        check_target(tmp_path / name)


ODD_NAMES = [
    *(
        "../../etc/passwd",
        "..",
        ".",
        "",
        "/",
        "//host/share",
        "\\\\host\\share",
        "C:\\x",
        "C:x",
        "a/b",
        "a\\b",
    ),
    *(
        "a\0b",
        "a\nb",
        "a\x1b[31mb",
        "\u202ex",
        "~",
        "~root",
        "-rf",
        ".hidden",
        "...",
        "a..",
        "a.",
        " a ",
        "%2e%2e/",
    ),
    *(
        "CON",
        "con",
        "nul.txt",
        "COM1",
        "lpt9.csv",
        "aux",
        "PRN",
        "x" * 300,
        "é" * 200,
        "日本" * 100,
        "$(x)",
        "`x`",
    ),
    *(
        "a;b",
        "a|b",
        "a&b",
        "a*b",
        "a?b",
        "[a]",
        "{a}",
        "<a>",
        '"a"',
        "'a'",
        "a:b",
        "#",
        "book-prices@2026-11-24.2",
    ),
]


@pytest.mark.parametrize("text", ODD_NAMES)
def test_any_text_becomes_one_name_inside_its_folder(tmp_path: Path, text: str) -> None:
    name = name_for_file(text)
    target = tmp_path / f"{name}.csv"
    assert target.parent == tmp_path
    assert target.resolve().is_relative_to(tmp_path.resolve())
    assert 0 < len(name.encode()) <= 101
    assert not name.startswith((".", "-"))
    target.write_bytes(b"")
    assert [path.name for path in tmp_path.iterdir()] == [f"{name}.csv"]


def test_a_batch_name_stays_readable() -> None:
    assert name_for_file("book-prices@2026-11-24.2") == "book-prices@2026-11-24.2"
