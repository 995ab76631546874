"""Which addresses are on this machine."""

from __future__ import annotations

import pytest

from batchfish.core.addresses import is_loopback


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "https://localhost", "http://localhost./x", "http://[::1]:9", "http://127.9.9.9"],
)
def test_this_machine(url: str) -> None:
    assert is_loopback(url)


@pytest.mark.parametrize(
    "url", ["https://agent.tinyfish.ai", "http://localhost.example", "http://10.0.0.1", "hook", ""]
)
def test_other_machines(url: str) -> None:
    assert not is_loopback(url)
