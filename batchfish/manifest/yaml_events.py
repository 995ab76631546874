"""YAML restricted to JSON's types, read from the parser's events, with the line of every key.

The parser is slow to import, so this module is imported only where YAML is read.
"""

from __future__ import annotations

import math
import re
from typing import IO, TYPE_CHECKING, Any

import yaml

from batchfish.core.describe import cut
from batchfish.manifest.document import MAX_DEPTH, Document, Lines, PassedOver, YamlFault
from batchfish.manifest.problems import RefusedLine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batchfish.core.describe import Keys

MAX_FAULTS = 100

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_LONGEST_INTEGER = 18


def read_document(stream: IO[str], *, skip: str | None = None, as_text: tuple[str, ...] = ()) -> Document:
    """Return the only document of a stream; a list under the top-level key `skip` is skipped.

    Unquoted numbers and words below the top-level keys `as_text` stay texts. Raises RefusedLine if the stream
    cannot be read.
    """
    reader = _Reader(stream, as_text)
    reader.open_document()
    lines: Lines = {}
    value = reader.read_value((), lines, skip)
    reader.close_document()
    return Document(value=value, lines=lines, faults=tuple(reader.faults))


def stream_sequence(stream: IO[str], key: str, *, as_text: tuple[str, ...] = ()) -> Iterator[Document]:
    """Yield the entries of the list under a top-level key one by one; none if it is not a list."""
    reader = _Reader(stream, as_text)
    reader.open_document()
    if not isinstance(reader.take(), yaml.MappingStartEvent):
        return
    while not isinstance(event := reader.take(), yaml.MappingEndEvent):
        if isinstance(event, yaml.ScalarEvent) and event.value == key:
            break
        reader.skip_value()
    else:
        return
    if not isinstance(reader.take(), yaml.SequenceStartEvent):
        return
    while not isinstance(reader.peek(), yaml.SequenceEndEvent):
        lines: Lines = {}
        reader.faults.clear()
        value = reader.read_value((), lines, None)
        yield Document(value=value, lines=lines, faults=tuple(reader.faults))


class _Reader:
    """A cursor over the events of one YAML text."""

    def __init__(self, stream: IO[str], as_text: tuple[str, ...]) -> None:
        self._events: Iterator[Any] = yaml.parse(stream, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self._next: Any = None
        self._as_text = as_text
        self.faults: list[YamlFault] = []

    def open_document(self) -> None:
        self.take()
        if isinstance(event := self.take(), yaml.StreamEndEvent):
            raise RefusedLine(1, "the file is empty", "A manifest begins with `batchfish: 1`.")
        if event.tags:
            self._note(event, "tags are not part of a manifest", "Remove the %TAG line.")

    def close_document(self) -> None:
        self.take()
        if not isinstance(event := self.take(), yaml.StreamEndEvent):
            raise RefusedLine(
                _line(event), "a second document begins", "Put each manifest in a file of its own."
            )

    def take(self) -> Any:  # noqa: ANN401 - PyYAML's events have no common base with these attributes
        """Return the next event; add a fault for notation that is not allowed. Aliases are never followed."""
        event, self._next = self.peek(), None
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            mark = "*" if isinstance(event, yaml.AliasEvent) else "&"
            self._note(
                event,
                f"anchors and aliases are not part of a manifest: {mark}{cut(event.anchor)}",
                "Write the value out, put it under `defaults`, or quote the text.",
            )
        if getattr(event, "tag", None) is not None:
            self._note(
                event,
                f"tags are not part of a manifest: {cut(event.tag)}",
                "Remove the tag, or quote the text.",
            )
        return event

    def peek(self) -> Any:  # noqa: ANN401 - as above
        if self._next is None:
            try:
                self._next = next(self._events)
            except yaml.MarkedYAMLError as error:
                raise _explain(error) from None
            except (yaml.YAMLError, RecursionError) as error:
                raise RefusedLine(1, f"not valid YAML: {cut(str(error), 200)}") from None
        return self._next

    def skip_value(self) -> PassedOver:
        """Skip one value, and the faults in it: they are found when it is read."""
        noted = len(self.faults)
        depth = entries = 0
        while True:
            event = self.take()
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif depth == 1:
                entries += 1
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                _check_depth(depth, event)
            if depth == 0:
                del self.faults[noted:]
                return PassedOver(count=entries)

    def read_value(self, keys: Keys, lines: Lines, skip: str | None) -> Any:  # noqa: ANN401 - any JSON value
        event = self.take()
        lines.setdefault(keys, _line(event))
        _check_depth(len(keys), event)
        match event:
            case yaml.AliasEvent():
                return None
            case yaml.ScalarEvent():
                is_text = bool(keys) and keys[0] in self._as_text
                return event.value if event.style else _read_plain(event.value, _line(event), is_text=is_text)
            case yaml.SequenceStartEvent():
                entries: list[Any] = []
                while not isinstance(self.peek(), yaml.SequenceEndEvent):
                    entries.append(self.read_value((*keys, len(entries)), lines, None))
                self.take()
                return entries
        return self._read_map(keys, lines, skip)

    def _read_map(self, keys: Keys, lines: Lines, skip: str | None) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := self.take(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise RefusedLine(_line(event), "a key is a plain text", "Quote it if it begins with { or [.")
            name, where = event.value, (*keys, event.value)
            if name in found:
                first = lines[where]
                self._note(event, f"the key '{cut(name)}' occurs twice, first on line {first}", "Remove one.")
            lines[where] = _line(event)
            if skip == name and not keys and isinstance(self.peek(), yaml.SequenceStartEvent):
                found[name] = self.skip_value()
            else:
                found[name] = self.read_value(where, lines, None)
        return found

    def _note(self, event: Any, message: str, remedy: str) -> None:  # noqa: ANN401 - as above
        fault = YamlFault(line=_line(event), message=message, remedy=remedy)
        if len(self.faults) < MAX_FAULTS and fault not in self.faults:
            self.faults.append(fault)


def _read_plain(text: str, line: int, *, is_text: bool) -> Any:  # noqa: ANN401 - any JSON scalar
    """Return the value of an unquoted scalar as in JSON; `NO`, `1:30`, `010` and dates stay texts."""
    if text in _WORDS and not (is_text and _WORDS[text] is not None):
        return _WORDS[text]
    if is_text:
        return text
    if _INTEGER.fullmatch(text):
        if len(text.lstrip("-")) > _LONGEST_INTEGER:
            raise RefusedLine(line, f"the number {cut(text, 30)} is too large", "Quote it if it is a text.")
        return int(text)
    if _FLOAT.fullmatch(text):
        if not math.isfinite(number := float(text)):
            raise RefusedLine(line, f"the number {cut(text, 30)} is too large", "Quote it if it is a text.")
        return number
    return text


def _check_depth(depth: int, event: Any) -> None:  # noqa: ANN401 - as above
    if depth > MAX_DEPTH:
        raise RefusedLine(_line(event), f"nested deeper than {MAX_DEPTH} levels")


def _line(event: Any) -> int:  # noqa: ANN401 - as above
    return int(event.start_mark.line) + 1


def _explain(error: yaml.MarkedYAMLError) -> RefusedLine:
    is_open_quote = "end of stream" in (error.problem or "") and "quoted scalar" in (error.context or "")
    mark = error.context_mark if is_open_quote else error.problem_mark or error.context_mark
    message = error.problem or error.context or "it cannot be read"
    remedy = None
    if "cannot start any token" in message:
        message = "a value cannot begin with this character"
        remedy = "Indent with spaces, not with tabs; quote a text that begins with @, ` or %."
    elif "mapping values" in message:
        remedy = "Quote a text that contains `: `, and check the indentation."
    elif "Unicode character escape" in message:
        remedy = "Write the character itself instead of half a pair of escapes."
    elif is_open_quote:
        message, remedy = "a quote that opens here is never closed", "Close it."
    return RefusedLine(mark.line + 1 if mark else 1, f"not valid YAML: {cut(message, 200)}", remedy)
