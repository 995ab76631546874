"""Fingerprints and keys of items, and their markers in goals."""

from __future__ import annotations

import hashlib
import re
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchfish.core import identity
from batchfish.core.identity import (
    FINGERPRINT_VERSION,
    Fingerprints,
    Marker,
    batch_prefix,
    default_id,
    fingerprint,
    item_key,
    make_batch8,
    make_marker,
    mark,
    read_marker,
)
from batchfish.core.items import ItemSpec

LETTERS = string.ascii_lowercase + "234567"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)
markers = st.builds(
    Marker,
    batch8=st.text(LETTERS, min_size=8, max_size=8),
    key=st.text(LETTERS, min_size=13, max_size=13),
    k=st.integers(1, 999_999_999),
)


def spec(**changes: object) -> ItemSpec:
    asked: dict[str, Any] = {
        "row": 1,
        "line": 2,
        "id": None,
        "url": "https://books.example/1",
        "goal": "Read.",
    }
    return ItemSpec(**(asked | changes))


class TestFingerprint:
    def test_it_is_the_same_in_every_release_of_its_version(self) -> None:
        # Another digest makes the items of every journal look changed, to be paid for again.
        assert FINGERPRINT_VERSION == 1
        assert fingerprint(spec()).hex() == "e8386091244b7ad317a93ebdbfdae99223ebc9ebd45b2b37bf91377807aec30b"
        request = {
            "browser_profile": "stealth",
            "output_schema": {"type": "object", "properties": {"preis": {"type": "number", "minimum": 0.5}}},
            "agent_config": {"max_steps": 20},
            "proxy_config": {"enabled": True, "password_env": "PROXY"},
            "use_vault": True,
            "credential_item_ids": ["a"],
            "use_profile": True,
            "profile_id": "p",
        }
        assert (
            fingerprint(spec(goal="Lies den Preis für „Emma“.", request=request)).hex()
            == "8201bcc323457d1390dac8e94411ee46fa2eb9d22e0d544a2ee4d757005c3255"
        )

    @pytest.mark.parametrize(
        "changes",
        [
            {"row": 7, "line": 9},
            {"id": "b1"},
            {"inputs": {"title": "Emma"}},
            {"request": {"webhook_url": "https://hooks.example/"}},
            {"request": {"capture_config": {"recording": True}}},
            {"request": {"api_integration": "batchfish"}},
        ],
    )
    def test_what_changes_no_result_changes_no_fingerprint(self, changes: dict[str, Any]) -> None:
        assert fingerprint(spec(**changes)) == fingerprint(spec())

    @pytest.mark.parametrize(
        "changes",
        [
            {"url": "https://books.example/2"},
            {"goal": "Read it."},
            {"request": {"output_schema": {"type": "object"}}},
            {"request": {"browser_profile": "lite"}},
            {"request": {"proxy_config": {"enabled": False}}},
            {"request": {"agent_config": {"max_steps": 5}}},
            {"request": {"use_vault": True}},
            {"request": {"credential_item_ids": ["a"]}},
            {"request": {"use_profile": True}},
            {"request": {"profile_id": "p"}},
        ],
    )
    def test_what_changes_the_result_changes_the_fingerprint(self, changes: dict[str, Any]) -> None:
        assert fingerprint(spec(**changes)) != fingerprint(spec())

    def test_the_order_of_keys_does_not_matter(self) -> None:
        one = {"output_schema": {"type": "object", "required": ["a"]}, "use_vault": True}
        other = {"use_vault": True, "output_schema": {"required": ["a"], "type": "object"}}
        assert fingerprint(spec(request=one)) == fingerprint(spec(request=other))

    @given(
        st.dictionaries(st.sampled_from(sorted(identity._RESULT_FIELDS)), json_values),  # noqa: SLF001 - every one
        st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=3),
    )
    def test_it_is_the_digest_of_canonical_json(
        self, request_fields: dict[str, Any], asked: list[tuple[str, str]]
    ) -> None:
        shared = Fingerprints.with_request({**request_fields, "webhook_url": "https://hooks.example/"})
        encode = msgspec.json.Encoder(order="deterministic").encode
        for url, goal in asked:
            whole = encode({"url": url, "goal": goal, **request_fields})
            assert shared.of(url, goal) == hashlib.sha256(whole).digest()

    def test_an_unknown_version_is_refused(self) -> None:
        with pytest.raises(ValueError, match="version 2"):
            fingerprint(spec(), version=2)


class TestNames:
    def test_a_key_is_the_same_in_every_release(self) -> None:
        # Another key would be the marker of another item.
        assert item_key(bytes(32), 1) == "cysku25sqj3vl"
        assert item_key(bytes(range(32)), 12) == "x6zfj5q62qnju"

    def test_a_key_is_13_letters_that_tell_occurrences_apart(self) -> None:
        keys = {item_key(fingerprint(spec()), occurrence) for occurrence in range(1, 1000)}
        assert len(keys) == 999
        assert all(re.fullmatch("[a-z2-7]{13}", key) for key in keys)

    def test_a_default_id_is_the_start_of_the_fingerprint(self) -> None:
        digest = fingerprint(spec())
        assert default_id(digest) == digest.hex()[:12]
        assert default_id(digest, 2) == digest.hex()[:12] + "-2"

    def test_a_batch_has_four_letters_of_its_name_and_four_of_chance(self) -> None:
        batch8 = make_batch8("books@2026-11-24", b"\x00\x01\x02")
        assert re.fullmatch("[a-z2-7]{8}", batch8)
        assert batch8.startswith(batch_prefix("books@2026-11-24"))
        assert batch_prefix("books@2026-11-24") != batch_prefix("books@2026-11-25")


class TestMarker:
    @given(markers, st.text())
    def test_what_is_marked_is_read_back(self, marker: Marker, goal: str) -> None:
        assert read_marker(mark(goal, str(marker))) == marker
        assert str(marker) == make_marker(marker.batch8, marker.key, marker.k)

    @given(st.text())
    def test_reading_any_text_finds_at_most_what_its_last_line_spells(self, goal: str) -> None:
        found = read_marker(goal)
        assert (
            found is None or goal.rstrip().endswith(f"\n[ref {found}.]") or goal.strip() == f"[ref {found}.]"
        )

    def test_it_is_the_last_line_of_the_goal_as_sent(self) -> None:
        assert mark("Read.\n\n", "bf-abcdefgh-abcdefghijklm-1") == "Read.\n[ref bf-abcdefgh-abcdefghijklm-1.]"

    def test_a_goal_is_known_to_end_with_its_own_marker_alone(self) -> None:
        marker = "bf-abcdefgh-abcdefghijklm-1"
        assert identity.is_marked(identity.mark("Read the price", marker), marker)
        assert not identity.is_marked(identity.mark("Read the price", f"{marker}1"), marker)
        assert not identity.is_marked(f"Read the price of {marker}", marker)

    @pytest.mark.parametrize("tail", ["", "\n", "\r\n", "  \n\n", "\t"])
    def test_white_space_after_a_marker_is_ignored(self, tail: str) -> None:
        found = read_marker("Read.\n[ref bf-abcdefgh-abcdefghijklm-12.]" + tail)
        assert found == Marker(batch8="abcdefgh", key="abcdefghijklm", k=12)

    @pytest.mark.parametrize(
        "goal",
        [
            "Read.",
            "",
            "[ref bf-abcdefgh-abcdefghijklm-1.]\nRead.",
            "Read. [ref bf-abcdefgh-abcdefghijklm-1.]",
            "Read.\n [ref bf-abcdefgh-abcdefghijklm-1.]",
            "Read.\n[ref bf-abcdefgh-abcdefghijklm-1.] ok",
            "Read.\n[ref bf-abcdefgh-abcdefghijklm-1]",
            "Read.\n[ref bf-abcdefgh-abcdefghijklm-0.]",
            "Read.\n[ref bf-abcdefgh-abcdefghijklm-01.]",
            "Read.\n[ref bf-abcdefgh-abcdefghijklm-.]",
            "Read.\n[ref bf-abcdefgh-abcdefghijklm-1234567890.]",
            "Read.\n[ref bf-abcdefgh-abcdefghijklm-\u0661.]",
            "Read.\n[ref bf-abcdefg-abcdefghijklm-1.]",
            "Read.\n[ref bf-abcdefgh-abcdefghijkl-1.]",
            "Read.\n[ref bf-abcdefg1-abcdefghijklm-1.]",
            "Read.\n[ref bf-ABCDEFGH-abcdefghijklm-1.]",
            "Read.\n[REF bf-abcdefgh-abcdefghijklm-1.]",
            "Read.\r[ref bf-abcdefgh-abcdefghijklm-1.]",
            "Read.\u2028[ref bf-abcdefgh-abcdefghijklm-1.]",
        ],
    )
    def test_texts_that_resemble_markers_are_not_read_as_one(self, goal: str) -> None:
        assert read_marker(goal) is None
