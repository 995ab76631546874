"""The sample site: files of a folder, served as `http://….example`."""

from __future__ import annotations

import mimetypes
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".example"
NO_SAMPLE_SITE = "no sample site is served here: --site FOLDER names one"


@dataclass(frozen=True, kw_only=True, slots=True)
class SitePage:
    """A file of the sample site, read."""

    body: bytes
    content_type: str


def is_sample(host: str) -> bool:
    """Whether a host is one of the sample site: no real host can have such a name (RFC 2606)."""
    return host.endswith(SUFFIX)


class SampleSite:
    """A folder of pages: a URL is the first of the files HOST/PATH, HOST/PATH.html, HOST/PATH/index.html."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def read(self, url: str) -> SitePage | None:
        """Return the page at a URL, None if there is none.

        Nothing outside the host's folder is opened, however a path is spelled and wherever a symlink leads.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        names = [unquote(name) for name in parts.path.split("/") if name]
        if not is_sample(host) or any(name.startswith(".") or "/" in name or "\0" in name for name in names):
            return None
        home = self._folder / host
        wanted = home.joinpath(*names)
        for candidate in (wanted, wanted.with_name(f"{wanted.name}.html"), wanted / "index.html"):
            try:
                file = candidate.resolve()
                if file.is_relative_to(home) and file.is_file():
                    return SitePage(body=file.read_bytes(), content_type=_content_type(file))
            except OSError:  # a name too long, a folder that may not be read: no page there
                continue
        return None


def _content_type(file: Path) -> str:
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/plain") else kind
