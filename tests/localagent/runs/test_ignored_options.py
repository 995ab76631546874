"""Request fields without effect here are reported, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from batchfish.localagent.runs.ignored_options import ignored_options
from tests.localagent.doubles import create

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, []),
        ({"browser_profile": "lite", "use_vault": False, "agent_config": {"mode": "default"}}, []),
        ({"browser_profile": None, "proxy_config": None, "capture_config": {"html": None}}, []),
        ({"proxy_config": {"enabled": False, "country_code": "US"}}, []),
        ({"agent_config": {"max_duration_seconds": 5}, "api_integration": "cron"}, []),
        ({"capture_config": {"screenshots": True, "recording": False}}, []),
        ({"browser_profile": "stealth"}, ["browser_profile"]),
        ({"proxy_config": {"enabled": True, "country_code": "US"}}, ["proxy_config"]),
        (
            {"agent_config": {"max_steps": 3, "mode": "strict", "max_duration_seconds": 5}},
            ["agent_config.max_steps", "agent_config.mode"],
        ),
        (
            {"use_vault": True, "credential_item_ids": ["cred:a"], "webhook_url": "https://h.example/"},
            ["use_vault", "credential_item_ids"],
        ),
        (
            {"capture_config": {"html": True, "recording": True}},
            ["capture_config.html", "capture_config.recording"],
        ),
    ],
)
def test_only_what_asks_for_something_is_told(options: dict[str, Any], told: list[str]) -> None:
    assert ignored_options(options) == told


async def test_a_run_tells_it_first(api: httpx.AsyncClient) -> None:
    run_id = await create(api, browser_profile="stealth", use_profile=True, profile_id="prof_1")
    run = (await api.get(f"/v1/runs/{run_id}")).json()
    assert [step["action"] for step in run["steps"]] == [
        "without effect on this machine: browser_profile, use_profile, profile_id",
        "opened http://a.example/",
    ]
