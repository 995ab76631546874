"""Bytes to text: which encoding a page is in, by its mark, its header, its own words, or its bytes."""

from __future__ import annotations

import codecs
import re

MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
IN_HEADER = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
IN_PAGE = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
LOOKED_AT = 4096
# What the web means by these names.
AS_BROWSERS_DO = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
}


def decode(body: bytes, content_type: str = "") -> str:
    """Turn a page into text as browsers do; bytes that fit no encoding become replacement characters."""
    for mark, encoding in MARKS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    named = IN_HEADER.search(content_type)
    declared = IN_PAGE.search(body[:LOOKED_AT])
    for name in (named and named[1], declared and declared[1].decode("ascii", "replace")):
        if name and (encoding := _known(name)):
            return body.decode(encoding, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def _known(name: str) -> str:
    try:
        encoding = codecs.lookup(name).name
    except LookupError:
        return ""
    # A page that says UTF-16 in its own ASCII letters is not in it.
    return "" if encoding.startswith("utf-16") else AS_BROWSERS_DO.get(encoding, encoding)
