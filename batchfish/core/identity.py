"""The identity of an item: its fingerprint, its key, and the marker with that key in its goal."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.core.items import ItemSpec

FINGERPRINT_VERSION = 1

BATCH_PREFIX_LETTERS = 4
"""The letters of a batch8 that its name determines; the others are random."""

MARKER_OPENING = "[ref bf-"
"""The start of a marker's line; a goal that holds it, in any case, is refused: no marker can be forged."""

Markers: TypeAlias = Literal["untested", "proven", "off"]
"""Whether the runs of a batch can be found by their marker: not known yet, shown by a first run, or no."""

# The fields that determine a run's result; a webhook or a recording does not.
_RESULT_FIELDS = frozenset(
    {
        "agent_config",
        "browser_profile",
        "credential_item_ids",
        "output_schema",
        "profile_id",
        "proxy_config",
        "use_profile",
        "use_vault",
    }
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]  # base32 of ten bits, in lower case
_FIRST_BITS = struct.Struct(">QH").unpack_from
_CANONICAL = msgspec.json.Encoder(order="deterministic")
_MARKER = re.compile(r"\[ref bf-([a-z2-7]{8})-([a-z2-7]{13})-([1-9][0-9]{0,8})\.\]", re.ASCII)


class Marker(Struct, frozen=True, kw_only=True):
    """A marker read from a goal: the batch8 of a batch, the key of an item, and the k of an intent."""

    batch8: str
    key: str
    k: int

    def __str__(self) -> str:
        """Return the marker as it is sent, without the brackets of its line."""
        return make_marker(self.batch8, self.key, self.k)


class Fingerprints(NamedTuple):
    """Makes the fingerprints of items that share their request fields, which are encoded once.

    These are parts of canonical JSON, which has its names in order: `goal` and `url` stand among the others.
    """

    before_goal: bytes
    before_url: bytes
    after_url: bytes

    @classmethod
    def with_request(cls, request: Mapping[str, Any], version: int = FINGERPRINT_VERSION) -> Self:
        """Encode the fields that determine the result of a run; ValueError where a text is not Unicode.

        `version` is the one that a journal's fingerprints were made with, so that they stay comparable after
        an upgrade.
        """
        if version != FINGERPRINT_VERSION:
            raise ValueError(f"fingerprints of version {version} are not known here")
        asked = {
            name: _CANONICAL.encode({name: request[name]})[1:-1] for name in _RESULT_FIELDS & request.keys()
        }
        names = sorted(asked)
        return cls(
            b'{%b"goal":' % b"".join(asked[name] + b"," for name in names if name < "goal"),
            b'%b,"url":' % b"".join(b"," + asked[name] for name in names if "goal" < name < "url"),
            b"%b}" % b"".join(b"," + asked[name] for name in names if name > "url"),
        )

    def of(self, url: str, goal: str) -> bytes:
        """Return the SHA-256 digest of the URL, the goal and the encoded fields.

        ValueError where a text is not Unicode (a lone surrogate).
        """
        encode = _CANONICAL.encode
        text = self.before_goal + encode(goal) + self.before_url + encode(url) + self.after_url
        return hashlib.sha256(text).digest()


def fingerprint(spec: ItemSpec, version: int = FINGERPRINT_VERSION) -> bytes:
    """Return an item's fingerprint, as Fingerprints makes it."""
    return Fingerprints.with_request(spec.request, version).of(spec.url, spec.goal)


def item_key(fingerprint: bytes, occurrence: int) -> str:
    """Return an item's key, 13 letters of `a-z2-7`; `occurrence` counts equal fingerprints from 1."""
    return _letters(fingerprint + b"#%d" % occurrence, 13)


def default_id(fingerprint: bytes, occurrence: int = 1) -> str:
    """Return the id of an item whose row gives none; a repetition has its number at the end."""
    label = fingerprint.hex()[:12]
    return label if occurrence == 1 else f"{label}-{occurrence}"


def batch_prefix(name: str) -> str:
    """Return the first 4 letters of a batch8, a hash of the batch's name and period.

    They are the same for all batches of one name and period, so that a search finds the runs of all of them
    even if their journal is lost.
    """
    return _letters(name.encode(), BATCH_PREFIX_LETTERS)


def make_batch8(name: str, chance: bytes) -> str:
    """Return a new batch8, which stands for a batch in its markers; `chance` is at least 3 random bytes."""
    return batch_prefix(name) + base64.b32encode(chance).decode().lower()[:4]


def make_marker(batch8: str, key: str, k: int) -> str:
    """Return the marker of an item's k-th intent."""
    return f"bf-{batch8}-{key}-{k}"


def mark(goal: str, marker: str) -> str:
    """Return a goal with the marker as its last line."""
    return f"{goal.rstrip()}\n{_reference(marker)}"


def is_marked(goal: str, marker: str) -> bool:
    """Whether a goal ends with a marker as `mark` writes it."""
    return goal.endswith(_reference(marker))


def _reference(marker: str) -> str:
    return f"[ref {marker}.]"


@lru_cache(maxsize=4096)  # each poll of a run shows the same goal
def read_marker(goal: str) -> Marker | None:
    """Return the marker on the last line of a goal; None where it has none there."""
    last_line = goal.rstrip().rpartition("\n")[2]
    found = _MARKER.fullmatch(last_line)
    return Marker(batch8=found[1], key=found[2], k=int(found[3])) if found else None


def _letters(text: bytes, count: int) -> str:
    """Return up to 14 letters for the first bits of a text's SHA-256 digest, 5 bits each."""
    high, low = _FIRST_BITS(hashlib.sha256(text).digest())
    return (
        f"{_PAIRS[high >> 54]}{_PAIRS[high >> 44 & 1023]}{_PAIRS[high >> 34 & 1023]}"
        f"{_PAIRS[high >> 24 & 1023]}{_PAIRS[high >> 14 & 1023]}{_PAIRS[high >> 4 & 1023]}"
        f"{_PAIRS[(high & 15) << 6 | low >> 10]}"
    )[:count]
