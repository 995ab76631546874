"""Builds a command's parser from a class of its options, and an instance of it from a command line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, NoReturn

from msgspec import Struct, StructMeta, field
from msgspec.structs import replace

from batchfish.cli.console import put
from batchfish.core.describe import nearest
from batchfish.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

WIDEST = 110
COLUMN_OF_HELP = 26
POSITIONAL, OWN_OPTIONS = "arguments", "options"
"""The groups of positional arguments, and of the options that a command's class declares itself."""


class Argument(Struct, frozen=True, kw_only=True):
    """One argument of a command line, as `--help` and the command reference show it.

    `names` are the spellings of an option, and empty for a positional argument. `metavar` is None for an
    option without a value. `spell` is the inverse of `parse`.
    """

    names: tuple[str, ...]
    metavar: str | None
    help: str
    title: str | None = None
    repeats: bool = False
    is_optional: bool = True
    is_exclusive: bool = False
    parse: Callable[[str], object] = str
    spell: Callable[[Any], str] = str
    default: object = None

    @property
    def name(self) -> str:
        """The longest spelling, which messages use."""
        return max(self.names, key=len) if self.names else self.metavar or ""

    def make_field(self) -> Any:  # noqa: ANN401 - as msgspec has it
        """Return the field of an instance: without a default if every command line has the argument."""
        is_required = not (self.names or self.is_optional or self.repeats)
        return field() if is_required else field(default=self.default)


class Group(Struct, frozen=True, kw_only=True):
    """The options of another class, those that are left out excepted."""

    options: type[Arguments]
    title: str | None
    leaves_out: frozenset[str]
    fixed: Mapping[str, object]
    help: Mapping[str, str]

    def make_field(self) -> Any:  # noqa: ANN401 - as msgspec has it
        """Return the field of an instance: the other class with its defaults."""
        return field(default_factory=self.options)


class _ArgumentsMeta(StructMeta):
    """Keeps the arguments that a class declares as its `specs`, and leaves fields with their defaults."""

    specs: Mapping[str, Argument | Group]

    def __new__(  # noqa: PYI034 - a metaclass has no Self
        cls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        frozen: bool,
        kw_only: bool,
    ) -> _ArgumentsMeta:
        specs = {key: value for key, value in namespace.items() if isinstance(value, Argument | Group)}
        namespace |= {key: spec.make_field() for key, spec in specs.items()}
        made = super().__new__(cls, name, bases, namespace, frozen=frozen, kw_only=kw_only)
        made.specs = specs
        return made


class Arguments(Struct, frozen=True, kw_only=True, metaclass=_ArgumentsMeta):
    """The base of a class of options.

    A field made by `argument`, `option` or `flag` is one argument of the command line; one made by `group`
    holds the options of another class. A field's default is the option's default.
    """


def argument(
    metavar: str,
    help: str,  # noqa: A002 - as argparse calls it
    *,
    parse: Callable[[str], object] = str,
    default: object = None,
    is_optional: bool = False,
    repeats: bool = False,
) -> Any:  # noqa: ANN401 - stands for a value of the field's type
    """Return a field for a positional argument; if it `repeats`, its value is a tuple."""
    return Argument(
        names=(),
        metavar=metavar,
        help=help,
        parse=parse,
        is_optional=is_optional,
        repeats=repeats,
        default=() if repeats else default,
    )


def option(
    *names: str,
    metavar: str,
    help: str,  # noqa: A002 - as argparse calls it
    parse: Callable[[str], object] = str,
    spell: Callable[[Any], str] = str,
    default: object = None,
    repeats: bool = False,
    is_exclusive: bool = False,
) -> Any:  # noqa: ANN401 - stands for a value of the field's type
    """Return a field for an option with a value; if it `repeats`, its value is a tuple."""
    return Argument(
        names=names,
        metavar=metavar,
        help=help,
        parse=parse,
        spell=spell,
        repeats=repeats,
        is_exclusive=is_exclusive,
        default=() if repeats else default,
    )


def flag(
    *names: str,
    help: str,  # noqa: A002 - as argparse calls it
    title: str | None = None,
    is_exclusive: bool = False,
) -> Any:  # noqa: ANN401 - stands for a boolean
    """Return a field for an option without a value.

    `title` puts it into another group of the help. Exactly one of a command's `is_exclusive` options must be
    given.
    """
    return Argument(
        names=names, metavar=None, help=help, title=title, is_exclusive=is_exclusive, default=False
    )


def group(
    options: type[Arguments],
    title: str | None = None,
    *,
    only: Collection[str] = (),
    without: Collection[str] = (),
    fixed: Mapping[str, object] | None = None,
    help: Mapping[str, str] | None = None,  # noqa: A002 - as argparse calls it
) -> Any:  # noqa: ANN401 - stands for a value of the type `options`
    """Return a field for the options of another class, which help shows under a title.

    A command that does not offer all of them names `only` those that it does, or those that it is `without`;
    the others keep their defaults. It does not offer those whose values are `fixed` either. `help` replaces
    the help of some.
    """
    names = frozenset(name for name, _, _ in _walk(options))
    leaves_out = names - frozenset(only) if only else frozenset(without).union(fixed or {})
    return Group(options=options, title=title, leaves_out=leaves_out, fixed=fixed or {}, help=help or {})


def arguments_of(*options: type[Arguments]) -> dict[str, list[tuple[str, Argument]]]:
    """Return the arguments of a command by the title of their group, each with the name of its field."""
    found: dict[str, list[tuple[str, Argument]]] = {POSITIONAL: []}
    for one in options:
        for name, spec, title in _walk(one):
            found.setdefault(title if spec.names else POSITIONAL, []).append((name, spec))
    return {title: specs for title, specs in found.items() if specs}


def _walk(
    options: type[Arguments], title: str = OWN_OPTIONS, leaves_out: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Argument, str]]:
    """Yield field name, argument and title of every argument, those of inner groups included."""
    for name, spec in options.specs.items():
        if isinstance(spec, Group):
            inner = _walk(spec.options, spec.title or title, leaves_out | spec.leaves_out)
            for its_name, its_spec, its_title in inner:
                yield its_name, _with_help(its_spec, spec.help.get(its_name)), its_title
        elif name not in leaves_out:
            yield name, spec, spec.title or title


def _with_help(spec: Argument, text: str | None) -> Argument:
    if text is None:
        return spec
    return replace(spec, help=text)


def given(options: Arguments) -> list[str]:
    """Return how the options that differ from their defaults are spelled; inner groups are left out."""
    return [
        spec.name
        for name, spec in type(options).specs.items()
        if isinstance(spec, Argument) and getattr(options, name) != spec.default
    ]


def spelled(*options: Arguments) -> list[str]:
    """Return the words of a command line that give these options, those of inner groups included."""
    return [word for one in options for word in _spelled(one, frozenset())]


def _spelled(options: Arguments, leaves_out: frozenset[str]) -> Iterator[str]:
    for name, spec in type(options).specs.items():
        value = getattr(options, name)
        if isinstance(spec, Group):
            yield from _spelled(value, leaves_out | spec.leaves_out)
        elif name not in leaves_out and value != spec.default:
            for single in value if spec.repeats else (value,):
                words = [spec.name] if spec.names else []
                if spec.metavar is not None:
                    words.append(spec.spell(single))
                # After a space, a value that begins with a dash would be taken for an option.
                is_joined = len(words) > 1 and words[-1].startswith("-")
                yield from ["=".join(words)] if is_joined else words


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


def build(command: str, summary: str, *options: type[Arguments]) -> Parser:
    """Build the parser of a command, with the arguments of its classes in groups."""
    groups = arguments_of(*options)
    parser = Parser(
        prog=f"batchfish {command}",
        usage=usage_of(command, groups),
        description=f"{summary[0].upper()}{summary[1:]}.",
        formatter_class=_make_formatter,
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


def _make_formatter(prog: str) -> argparse.HelpFormatter:
    import shutil  # slow to import, and needed for help alone

    width = min(WIDEST, shutil.get_terminal_size().columns) - 2
    return argparse.HelpFormatter(prog, max_help_position=COLUMN_OF_HELP, width=width)


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


def parse(parser: Parser, words: Sequence[str], *options: type[Arguments]) -> list[Any]:
    """Parse the words after a command's name into its options; WrongUsage says which word is wrong."""
    # Intermixed: `cancel shop --json item-1` names an item, too.
    namespace, unknown = parser.parse_known_intermixed_args(words)
    if unknown:
        word = unknown[0].partition("=")[0]
        known = [name for one in options for _, spec, _ in _walk(one) for name in spec.names]
        near = nearest(word, known) if word[:1] == "-" else None
        parser.error(f"unknown argument {word}" + (f" (did you mean {near}?)" if near else ""))
    return [_read(one, vars(namespace)) for one in options]


def _read(options: type[Arguments], values: Mapping[str, Any]) -> Arguments:
    """Make an instance from the values that were given, by the names of its fields."""
    read: dict[str, Any] = {}
    for name, spec in options.specs.items():
        if isinstance(spec, Group):
            read[name] = _read(spec.options, {**values, **spec.fixed})
        elif (value := values.get(name)) is not None:
            read[name] = tuple(value) if isinstance(value, list) else value
    return options(**read)


def one_of(*choices: str, what: str = "choice") -> Choice:
    """Return an argument type that takes one of these words; its error names the nearest one."""
    return Choice(choices=choices, what=what)


class Choice(Struct, frozen=True, kw_only=True):
    """An argument type that takes one of some words; errors call a word `what`."""

    choices: tuple[str, ...]
    what: str

    def __call__(self, text: str) -> str:
        """Return the word; ArgumentTypeError if it is none of the choices."""
        if text in self.choices:
            return text
        near = nearest(text, self.choices)
        hint = f"did you mean {near}?" if near else f"choose one of: {', '.join(self.choices)}"
        raise argparse.ArgumentTypeError(f"there is no {self.what} {text!r} ({hint})")
