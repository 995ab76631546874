"""Options read from a command line into classes, and the parser that is built from these."""

from __future__ import annotations

from typing import Any

import pytest

from batchfish.cli.parser import (
    Arguments,
    argument,
    arguments_of,
    build,
    flag,
    given,
    group,
    one_of,
    option,
    parse,
    spelled,
)
from batchfish.errors import WrongInput


class Size(Arguments, frozen=True, kw_only=True):
    width: int = option("--width", metavar="N", parse=int, default=3, help="set the width (default: 3)")
    height: int | None = option("--height", metavar="N", parse=int, help="set the height (default: none)")
    deep: bool = flag("--deep", help="use depth, too")


class Options(Arguments, frozen=True, kw_only=True):
    file: str = argument("FILE", "the file to draw")
    names: tuple[str, ...] = argument("NAME", "names to draw", repeats=True)
    colour: tuple[str, ...] = option(
        "-c", "--colour", metavar="NAME", repeats=True, parse=one_of("red", "green"), help="use a colour"
    )
    size: Size = group(Size, "size", without=("height",), fixed={"deep": True})


class Either(Arguments, frozen=True, kw_only=True):
    first: bool = flag("--first", is_exclusive=True, help="use the first")
    last: bool = flag("--last", is_exclusive=True, help="use the last")
    size: Size = group(Size, "size", only=("height",), help={"height": "set the depth (default: none)"})


def read(options: type[Arguments], *words: str) -> Any:  # noqa: ANN401 - an instance of `options`
    (found,) = parse(build("draw", "draw a picture", options), words, options)
    return found


def test_what_is_not_given_has_the_default_of_its_field() -> None:
    assert read(Options, "a.png") == Options(file="a.png", size=Size(deep=True))


def test_values_are_parsed_and_repeated_ones_are_tuples() -> None:
    found = read(Options, "a.png", "x", "y", "-c", "red", "--colour=green", "--width", "7")
    assert (found.file, found.names, found.colour) == ("a.png", ("x", "y"), ("red", "green"))
    assert found.size == Size(width=7, deep=True)


def test_a_group_offers_only_the_options_that_it_names() -> None:
    groups = arguments_of(Options)
    assert [name for name, _ in groups["size"]] == ["width"]
    assert list(groups) == ["arguments", "options", "size"]
    ((name, height),) = arguments_of(Either)["size"]
    assert (name, height.help) == ("height", "set the depth (default: none)")
    assert read(Either, "--first").size == Size()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "the following arguments are required: FILE"),
        (("a", "--deep"), "unknown argument --deep"),
        (("a", "--widht", "3"), "unknown argument --widht (did you mean --width?)"),
        (("a", "--wid", "3"), "unknown argument --wid"),
        (("a", "--width", "x"), "argument --width: invalid int value: 'x'"),
        (("a", "-c", "gren"), "argument -c/--colour: there is no choice 'gren' (did you mean green?)"),
        (("a", "-c", "blue"), "there is no choice 'blue' (choose one of: red, green)"),
    ],
)
def test_a_wrong_word_is_named_in_the_error(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(WrongInput) as error:
        read(Options, *words)
    assert message in str(error.value)
    assert str(error.value).endswith("Try `batchfish draw --help`.")


@pytest.mark.parametrize("words", [(), ("--first", "--last")])
def test_exactly_one_of_exclusive_options_must_be_given(words: tuple[str, ...]) -> None:
    with pytest.raises(WrongInput, match="--first"):
        read(Either, *words)


def test_the_options_that_were_given_are_named_by_their_long_spelling() -> None:
    assert given(read(Options, "a.png", "-c", "red")) == ["FILE", "--colour"]
    assert given(Size()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("a.png",),
        ("a.png", "x", "y", "--colour", "red", "--colour", "green", "--width", "7"),
        ("a b.png", "--colour", "red"),
        ("a.png", "--width=-7"),
    ],
)
def test_options_are_spelled_as_they_were_given(words: tuple[str, ...]) -> None:
    found = read(Options, *words)
    assert spelled(found) == list(words)
    assert read(Options, *spelled(found)) == found
    assert spelled(read(Either, "--first", "--height", "2")) == ["--first", "--height", "2"]
