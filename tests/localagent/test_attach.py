"""The token that an agent keeps in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from batchfish.errors import WrongInput
from batchfish.localagent.attach import keep_token
from batchfish.localagent.serve import serve
from batchfish.localagent.serve_settings import ServeSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_file_gets_a_token_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "token"
    token = keep_token(path)
    assert len(token) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == f"{token}\n"


def test_the_token_stays_from_one_start_to_the_next(tmp_path: Path) -> None:
    assert keep_token(tmp_path / "a") == keep_token(tmp_path / "a") != keep_token(tmp_path / "b")


def test_a_token_that_others_can_read_is_no_token(tmp_path: Path) -> None:
    path = tmp_path / "token"
    keep_token(path)
    path.chmod(0o640)
    with pytest.raises(WrongInput, match="Others can read"):
        keep_token(path)


@pytest.mark.parametrize("text", ["", "short", "sixteen letters and blanks", "ü" * 20])
def test_a_file_without_a_token_is_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(WrongInput, match="no key"):
        keep_token(path)
    assert path.read_text() == text


def test_an_agent_whose_key_nobody_could_know_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(WrongInput, match="--token-file"):
        serve(ServeSettings())
