"""How command lines are parsed: complaints are errors that point at what was meant."""

from __future__ import annotations

import argparse
from difflib import get_close_matches
from typing import TYPE_CHECKING, NoReturn

from batchfish.cli.console import put
from batchfish.errors import WrongInput

if TYPE_CHECKING:
    from collections.abc import Sequence


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors like all others, and point at the nearest thing there is."""

    def parse_known_args(  # type: ignore[override]  # argparse has two signatures for it
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse; what is left over is named here, by the verb that does not know it."""
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown:
            given = unknown[0].partition("=")[0]
            near = get_close_matches(given, self._option_string_actions, n=1) if given[:1] == "-" else []
            hint = f" (did you mean {near[0]}?)" if near else ""
            if not near and self._subparsers is not None:
                hint = " (flags stand behind the verb)"
            self.error(f"unknown argument {given}{hint}")
        return parsed, unknown

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is None or value in action.choices:
            return
        known = list(action.choices)
        near = get_close_matches(str(value), known, n=1)
        what = {"verb": "verb", "accept": "question"}.get(action.dest, "choice")
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(known)}"
        raise argparse.ArgumentError(
            None if what == "verb" else action, f"there is no {what} {value!r} ({hint})"
        )

    def _print_message(self, message: str, _file: object = None) -> None:
        if message:  # the help; complaints are errors
            put(message.rstrip("\n"))

    def error(self, message: str) -> NoReturn:
        """Raise WrongInput instead of leaving at once."""
        raise WrongInput(f"{message}. Try `{self.prog} --help`.")
