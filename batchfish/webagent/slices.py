"""Cutting JSON into its parts by brackets and quotes alone: for answers that no parser accepts whole."""

from __future__ import annotations

import json
import re

_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_TOKEN = re.compile(_STRING + rb"|[{}\[\],\"]", re.DOTALL)
_MEMBER = re.compile(rb"\s*(" + _STRING + rb")\s*:\s*(.*?)\s*", re.DOTALL)


class Cut(Exception):
    """The text ends before its outermost bracket closes, or has none."""


def slice_object(text: bytes, *, may_be_cut: bool = False) -> dict[str, bytes]:
    """Cut an object into its members' values; of a cut one, where allowed, those that came whole."""
    members = {}
    for element in _elements(text, b"{", may_be_cut=may_be_cut):
        if member := _MEMBER.fullmatch(element):
            members[_read_name(member[1])] = member[2]
    return members


def slice_array(text: bytes, *, may_be_cut: bool = False) -> list[bytes]:
    """Cut an array into its elements; of a cut one, where allowed, also the last, unfinished one."""
    return [element.strip() for element in _elements(text, b"[", may_be_cut=may_be_cut) if element.strip()]


def _elements(text: bytes, bracket: bytes, *, may_be_cut: bool) -> list[bytes]:
    if text.lstrip()[:1] != bracket:
        if may_be_cut:
            return []
        raise Cut
    found: list[bytes] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        match token[0]:
            case b"{" | b"[":
                depth += 1
                start = token.end() if depth == 1 else start
            case b"}" | b"]":
                depth -= 1
                if depth == 0:
                    return [*found, text[start : token.start()]]
            case b"," if depth == 1:
                found.append(text[start : token.start()])
                start = token.end()
            case b'"':  # a string that never ends: all that follows is inside it
                break
    if not may_be_cut:
        raise Cut
    return [*found, text[start:]]


def _read_name(quoted: bytes) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1].decode(errors="replace")
