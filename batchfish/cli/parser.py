"""Builds a command's parser from a dataclass of its options, and that dataclass from a command line.

A field made by `argument`, `option` or `flag` is one argument of the command line; one made by `group` holds
another dataclass of such fields. A field's default is the option's default.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from batchfish.cli.console import put
from batchfish.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from dataclasses import Field

WIDEST = 110
COLUMN_OF_HELP = 26
POSITIONAL, OWN_OPTIONS = "arguments", "options"
"""The groups of positional arguments, and of the options that a command's dataclass declares itself."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Argument:
    """One argument of a command line, as `--help` and the command reference show it.

    `names` are the spellings of an option, and empty for a positional argument. `metavar` is None for an
    option without a value.
    """

    names: tuple[str, ...]
    metavar: str | None
    help: str
    title: str | None = None
    repeats: bool = False
    is_optional: bool = True
    is_exclusive: bool = False
    parse: Callable[[str], object] = str

    @property
    def name(self) -> str:
        """The longest spelling, which messages use."""
        return max(self.names, key=len) if self.names else self.metavar or ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    options: type
    title: str | None
    leaves_out: frozenset[str]
    fixed: Mapping[str, object]
    help: Mapping[str, str]


def argument(
    metavar: str,
    help: str,  # noqa: A002 - as argparse calls it
    *,
    parse: Callable[[str], object] = str,
    default: object = None,
    is_optional: bool = False,
    repeats: bool = False,
) -> Any:  # noqa: ANN401 - stands for a value of the field's type
    """Return a dataclass field for a positional argument; if it `repeats`, its value is a tuple."""
    spec = Argument(
        names=(), metavar=metavar, help=help, parse=parse, is_optional=is_optional, repeats=repeats
    )
    if not is_optional and not repeats:
        return field(metadata={"argument": spec})
    return field(default=() if repeats else default, metadata={"argument": spec})


def option(
    *names: str,
    metavar: str,
    help: str,  # noqa: A002 - as argparse calls it
    parse: Callable[[str], object] = str,
    default: object = None,
    repeats: bool = False,
    is_exclusive: bool = False,
) -> Any:  # noqa: ANN401 - stands for a value of the field's type
    """Return a dataclass field for an option with a value; if it `repeats`, its value is a tuple."""
    spec = Argument(
        names=names, metavar=metavar, help=help, parse=parse, repeats=repeats, is_exclusive=is_exclusive
    )
    return field(default=() if repeats else default, metadata={"argument": spec})


def flag(
    *names: str,
    help: str,  # noqa: A002 - as argparse calls it
    title: str | None = None,
    is_exclusive: bool = False,
) -> Any:  # noqa: ANN401 - stands for a boolean
    """Return a dataclass field for an option without a value.

    `title` puts it into another group of the help. Exactly one of a command's `is_exclusive` options must be
    given.
    """
    spec = Argument(names=names, metavar=None, help=help, title=title, is_exclusive=is_exclusive)
    return field(default=False, metadata={"argument": spec})


def group(
    options: type,
    title: str | None = None,
    *,
    only: Collection[str] = (),
    without: Collection[str] = (),
    fixed: Mapping[str, object] | None = None,
    help: Mapping[str, str] | None = None,  # noqa: A002 - as argparse calls it
) -> Any:  # noqa: ANN401 - stands for a value of the type `options`
    """Return a dataclass field for the options of another dataclass, which help shows under a title.

    A command that does not offer all of them names `only` those that it does, or those that it is `without`;
    the others keep their defaults. It does not offer those whose values are `fixed` either. `help` replaces
    the help of some.
    """
    names = frozenset(name for name, _, _ in _walk(options))
    leaves_out = names - frozenset(only) if only else frozenset(without).union(fixed or {})
    part = _Group(options=options, title=title, leaves_out=leaves_out, fixed=fixed or {}, help=help or {})
    return field(default_factory=options, metadata={"group": part})


def arguments_of(*options: type) -> dict[str, list[tuple[str, Argument]]]:
    """Return the arguments of a command by the title of their group, each with the name of its field."""
    found: dict[str, list[tuple[str, Argument]]] = {POSITIONAL: []}
    for one in options:
        for name, spec, title in _walk(one):
            found.setdefault(title if spec.names else POSITIONAL, []).append((name, spec))
    return {title: specs for title, specs in found.items() if specs}


def _walk(
    options: type, title: str = OWN_OPTIONS, leaves_out: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Argument, str]]:
    """Yield field name, argument and title of every argument, those of inner groups included."""
    for one in fields(options):
        part: _Group | None = one.metadata.get("group")
        if part is not None:
            inner = _walk(part.options, part.title or title, leaves_out | part.leaves_out)
            for name, spec, its_title in inner:
                yield name, _with_help(spec, part.help.get(name)), its_title
        elif one.name not in leaves_out and "argument" in one.metadata:
            spec = one.metadata["argument"]
            yield one.name, spec, spec.title or title


def _with_help(spec: Argument, text: str | None) -> Argument:
    if text is None:
        return spec
    return replace(spec, help=text)


def given(options: object) -> list[str]:
    """Return how the options that differ from their defaults are spelled; inner groups are left out."""
    assert is_dataclass(options)  # noqa: S101 - for the type checker
    return [
        one.metadata["argument"].name
        for one in fields(options)
        if "argument" in one.metadata and getattr(options, one.name) != one.default
    ]


def spelled(*options: object) -> list[str]:
    """Return the words of a command line that give these options, those of inner groups included.

    Values that were parsed into something else than a text, a path or a number are spelled by `str`.
    """
    return [word for one in options for word in _spelled(one, frozenset())]


def _spelled(options: object, leaves_out: frozenset[str]) -> Iterator[str]:
    assert is_dataclass(options)  # noqa: S101 - for the type checker
    for one in fields(options):
        value = getattr(options, one.name)
        if "group" in one.metadata:
            yield from _spelled(value, leaves_out | one.metadata["group"].leaves_out)
        elif "argument" in one.metadata and one.name not in leaves_out and value != one.default:
            spec: Argument = one.metadata["argument"]
            for single in value if spec.repeats else (value,):
                if spec.names:
                    yield spec.name
                if spec.metavar is not None:
                    yield "=".join(single) if isinstance(single, tuple) else str(single)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises errors and prints help like the rest of the program.

    argparse offers no other way than to override these two methods.
    """

    def error(self, message: str) -> NoReturn:
        """Raise WrongUsage; argparse would print the usage and exit."""
        raise WrongUsage(message, remedy=f"Try `{self.prog} --help`.")

    def print_help(self, file: object = None) -> None:
        """Print the help as data: StorageFailed where standard output cannot be written."""
        del file
        put(self.format_help().rstrip("\n"))


def build(command: str, summary: str, *options: type) -> Parser:
    """Build the parser of a command, with the arguments of its dataclasses in groups."""
    groups = arguments_of(*options)
    parser = Parser(
        prog=f"batchfish {command}",
        usage=usage_of(command, groups),
        description=f"{summary[0].upper()}{summary[1:]}.",
        formatter_class=partial(
            argparse.HelpFormatter,
            max_help_position=COLUMN_OF_HELP,
            width=min(WIDEST, shutil.get_terminal_size().columns) - 2,
        ),
        allow_abbrev=False,  # an abbreviation of one option today could mean two tomorrow
        add_help=False,
    )
    exclusive = None
    for title, specs in groups.items():
        section = parser.add_argument_group(title)
        for name, spec in specs:
            place: argparse._ActionsContainer = section
            if spec.is_exclusive:
                exclusive = exclusive or section.add_mutually_exclusive_group(required=True)
                place = exclusive
            _add(place, name, spec)
        if title == list(groups)[-1]:
            section.add_argument("-h", "--help", action="help", help="show this help and exit")
    return parser


def usage_of(command: str, groups: Mapping[str, Sequence[tuple[str, Argument]]]) -> str:
    """Return one line that shows how a command is called."""
    words = ["batchfish", command]
    for _, spec in groups.get(POSITIONAL, ()):
        word = f"{spec.metavar} ..." if spec.repeats else f"{spec.metavar}"
        words.append(f"[{word}]" if spec.is_optional or spec.repeats else word)
    exclusive = [spec.name for specs in groups.values() for _, spec in specs if spec.is_exclusive]
    if exclusive:
        words.append(f"({' | '.join(exclusive)})")
    return " ".join([*words, "[OPTION ...]"])


def _add(place: argparse._ActionsContainer, name: str, spec: Argument) -> None:
    text = spec.help.replace("%", "%%")
    if not spec.names:
        nargs = "*" if spec.repeats else "?" if spec.is_optional else None
        place.add_argument(name, metavar=spec.metavar, help=text, type=spec.parse, nargs=nargs)
    elif spec.metavar is None:
        place.add_argument(*spec.names, dest=name, help=text, action="store_true", default=argparse.SUPPRESS)
    else:
        place.add_argument(
            *spec.names,
            dest=name,
            metavar=spec.metavar,
            help=text,
            type=spec.parse,
            action="append" if spec.repeats else "store",
            default=argparse.SUPPRESS,
        )


def parse(parser: Parser, words: Sequence[str], *options: type) -> list[Any]:
    """Parse the words after a command's name into its dataclasses; WrongUsage says which word is wrong."""
    # Intermixed: `cancel shop --json item-1` names an item, too.
    namespace, unknown = parser.parse_known_intermixed_args(words)
    if unknown:
        from difflib import get_close_matches  # slow to import, and needed for errors alone

        word = unknown[0].partition("=")[0]
        known = [name for one in options for _, spec, _ in _walk(one) for name in spec.names]
        near = get_close_matches(word, known, n=1) if word[:1] == "-" else []
        parser.error(f"unknown argument {word}" + (f" (did you mean {near[0]}?)" if near else ""))
    return [_read(one, vars(namespace)) for one in options]


def _read(options: type, values: Mapping[str, Any]) -> object:
    """Make a dataclass from the values that were given, by the names of its fields."""
    read: dict[str, Any] = {}
    for one in fields(options):
        if "group" in one.metadata:
            part: _Group = one.metadata["group"]
            read[one.name] = _read(part.options, {**values, **part.fixed})
        elif values.get(one.name) is not None:
            read[one.name] = _as_field(one, values[one.name])
    return options(**read)


def _as_field(one: Field[Any], value: object) -> object:
    spec: Argument = one.metadata["argument"]
    return tuple(value) if spec.repeats and isinstance(value, list) else value


def one_of(*choices: str, what: str = "choice") -> Choice:
    """Return an argument type that takes one of these words; its error names the nearest one."""
    return Choice(choices=choices, what=what)


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """An argument type that takes one of some words; errors call a word `what`."""

    choices: tuple[str, ...]
    what: str

    def __call__(self, text: str) -> str:
        """Return the word; ArgumentTypeError if it is none of the choices."""
        if text in self.choices:
            return text
        from difflib import get_close_matches

        near = get_close_matches(text, self.choices, n=1)
        hint = f"did you mean {near[0]}?" if near else f"choose one of: {', '.join(self.choices)}"
        raise argparse.ArgumentTypeError(f"there is no {self.what} {text!r} ({hint})")
