"""The text files of a manifest, and standard input that is copied to one."""

from __future__ import annotations

import io
import stat
from typing import TYPE_CHECKING

import pytest

from batchfish.manifest.load import ManifestOptions, load_manifest
from batchfish.manifest.problems import RefusedLine
from batchfish.manifest.text_files import detect_format, inspect_file, open_text, spool_standard_input

if TYPE_CHECKING:
    from pathlib import Path


class TestStandardInput:
    @pytest.mark.parametrize(
        ("text", "suffix"),
        [
            (b"batchfish: 1\nitems: []\n", ".yaml"),
            (b"# prices\n\nbatchfish: 1\n", ".yaml"),
            (b"---\nbatchfish: 1\n", ".yaml"),
            (b"name: a\nbatchfish: 1\n", ".yaml"),
            (b'{"url": "https://books.example/"}\n', ".jsonl"),
            (b'\xef\xbb\xbf\n {"url": 1}', ".jsonl"),
            (b"id,url\na,b\n", ".csv"),
            (b"url\nhttps://books.example/\n", ".csv"),
            (b"id;url;#note\n", ".csv"),
            (b"", ".csv"),
            (b"\xff\xfe", ".csv"),
        ],
    )
    def test_its_format_is_found_by_its_first_lines(self, text: bytes, suffix: str) -> None:
        assert detect_format(text) == suffix

    def test_it_is_copied_to_a_file_of_mode_0600(self, tmp_path: Path) -> None:
        text = b"id,url\na,https://books.example/1\n"
        path = spool_standard_input(io.BytesIO(text), tmp_path / ".batchfish")
        assert path == tmp_path / ".batchfish" / "stdin.csv"
        assert path.read_bytes() == text
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [entry.name for entry in path.parent.iterdir()] == ["stdin.csv"]
        manifest = load_manifest(path, ManifestOptions(goal="Read.", folder=tmp_path))
        assert (manifest.name, manifest.folder, manifest.check().items) == ("stdin", tmp_path, 1)

    def test_a_symbolic_link_at_its_name_is_not_followed(self, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_text("mine")
        (tmp_path / "stdin.csv").symlink_to(victim)
        spool_standard_input(io.BytesIO(b"url\n"), tmp_path)
        assert victim.read_text() == "mine"
        assert not (tmp_path / "stdin.csv").is_symlink()

    def test_a_later_copy_replaces_an_earlier_one(self, tmp_path: Path) -> None:
        for text in (b"url\n" + b"x" * 1_000_000, b"url\n"):
            path = spool_standard_input(io.BytesIO(text), tmp_path)
        assert path.read_bytes() == b"url\n"


def read_through(path: Path) -> str:
    with open_text(inspect_file(path)) as stream:
        return stream.read()


class TestFirstRead:
    def test_the_line_of_a_bad_byte_is_found_across_chunks(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        # The first chunk ends within a character of two bytes.
        path.write_bytes(b"x" * ((1 << 18) - 2) + b"\n" + "é".encode() + b"\n" * 41 + b"\xe9")
        with pytest.raises(RefusedLine) as caught:
            read_through(path)
        assert caught.value.line == 43

    def test_a_file_cut_within_a_character_is_not_text(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes(b"url\n\n" + "é".encode()[:1])
        with pytest.raises(RefusedLine) as caught:
            read_through(path)
        assert caught.value.line == 3

    def test_a_bad_byte_in_the_unread_rest_is_found(self, tmp_path: Path) -> None:
        path = tmp_path / "a.csv"
        path.write_bytes(b"url\n" * 100_000 + b"\xe9")
        with pytest.raises(RefusedLine) as caught, open_text(inspect_file(path)) as stream:
            stream.readline()
        assert caught.value.line == 100_001

    def test_control_characters_are_refused_in_yaml_only(self, tmp_path: Path) -> None:
        for name, is_fine in (("a.csv", True), ("a.jsonl", True), ("a.yaml", False)):
            path = tmp_path / name
            path.write_bytes(b"a\x0bb\n")
            if is_fine:
                assert read_through(path) == "a\x0bb\n"
            else:
                with pytest.raises(RefusedLine, match=r"U\+000B"):
                    read_through(path)
