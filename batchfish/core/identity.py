"""Who an item is: its fingerprint, its key, and the marker that carries the key in a goal."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from batchfish.core.items import ItemSpec

FINGERPRINT_VERSION = 1

TRY_SUFFIX = "@try"
"""The end of a name whose batches are tries of single items."""

BATCH_PREFIX_LETTERS = 4
"""The letters of a batch8 that its name determines; the others are random."""

MARKER_OPENING = "[ref bf-"
"""How a marker's line begins; a goal that holds it, in any case, is refused: no marker can be forged."""

# The fields that determine a run's result. A webhook or a recording changes nothing that is asked.
_RESULT_FIELDS = (
    "agent_config",
    "browser_profile",
    "credential_item_ids",
    "output_schema",
    "profile_id",
    "proxy_config",
    "use_profile",
    "use_vault",
)
_CANONICAL = msgspec.json.Encoder(order="deterministic")
_MARKER = re.compile(r"\[ref bf-([a-z2-7]{8})-([a-z2-7]{13})-([1-9][0-9]{0,8})\.\]", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Marker:
    """A marker read back from a goal: which batch, which item, which of its intents."""

    batch8: str
    key: str
    k: int

    def __str__(self) -> str:
        """Spell it as it is sent, without the line around it."""
        return make_marker(self.batch8, self.key, self.k)


def fingerprint(spec: ItemSpec, version: int = FINGERPRINT_VERSION) -> bytes:
    """Digest what is asked of which URL, 32 bytes; ValueError where a text is no Unicode (a lone surrogate).

    `version` is the one that a journal's fingerprints were made with: they stay comparable after an upgrade.
    """
    if version != FINGERPRINT_VERSION:
        raise ValueError(f"fingerprints of version {version} are not known here")
    asked = {name: spec.request[name] for name in _RESULT_FIELDS if name in spec.request}
    return hashlib.sha256(_CANONICAL.encode({"url": spec.url, "goal": spec.goal, **asked})).digest()


def item_key(fingerprint: bytes, occurrence: int) -> str:
    """Name an item by what it asks and which repetition of it this is (from 1): 13 letters of `a-z2-7`."""
    return _letters(fingerprint + b"#%d" % occurrence, 13)


def default_id(fingerprint: bytes, occurrence: int = 1) -> str:
    """Label an item whose row gives no id; a repetition has its number behind it."""
    label = fingerprint.hex()[:12]
    return label if occurrence == 1 else f"{label}-{occurrence}"


def batch_prefix(name: str) -> str:
    """Hash a batch's name and period into the first 4 letters of its batch8.

    Its number is left out: whoever begins the first batch of a name finds the runs of all of them, whatever
    became of their journal.
    """
    return _letters(name.encode(), BATCH_PREFIX_LETTERS)


def make_batch8(name: str, chance: bytes) -> str:
    """Mint the 8 letters that stand for a batch in its markers; `chance` is random, at least 3 bytes."""
    return batch_prefix(name) + base64.b32encode(chance).decode().lower()[:4]


def make_marker(batch8: str, key: str, k: int) -> str:
    """Spell the marker of an item's k-th intent."""
    return f"bf-{batch8}-{key}-{k}"


def mark(goal: str, marker: str) -> str:
    """Write the marker as the last line of a goal."""
    return f"{goal.rstrip()}\n[ref {marker}.]"


def read_marker(goal: str) -> Marker | None:
    """Read the marker on the last line of a goal; whatever stands elsewhere in it is mere text."""
    last_line = goal.rstrip().rpartition("\n")[2]
    found = _MARKER.fullmatch(last_line)
    return Marker(batch8=found[1], key=found[2], k=int(found[3])) if found else None


def _letters(text: bytes, count: int) -> str:
    digest = hashlib.sha256(text).digest()[:10]  # 16 letters, more than are asked for
    return base64.b32encode(digest).decode().lower()[:count]
