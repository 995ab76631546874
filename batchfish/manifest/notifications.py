"""The section `notify` of a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchfish.core.describe import Keys, name_kind, quote
from batchfish.core.expressions import InvalidExpression, compile_condition, compile_template
from batchfish.core.notifications import (
    ARGUMENT_NAMES,
    CONDITION_NAMES,
    MESSAGES,
    SPENT,
    BatchEvent,
    Channel,
    Target,
)
from batchfish.manifest.problems import Refused, suggest
from batchfish.manifest.request import check_text, read_variable_name, read_webhook_url
from batchfish.manifest.values import Fault, Table, one_of, read_map, read_text

if TYPE_CHECKING:
    from collections.abc import Callable

_ADDRESS_HINTS = {
    "url": "Write `webhook: {url: …}`, or `webhook: {url_env: NAME}`.",
    "url_env": "Write `webhook: {url_env: NAME}`.",
    "apprise": "Write `apprise_env: NAME`: the variable NAME holds the address.",
}


def read_notify(value: object, faults: list[Fault], *, has_budget: bool) -> tuple[Target, ...]:
    """Return the targets of notifications; those that are wrong are left out."""
    if not isinstance(value, list):
        message = f"notify: expected a list, got {name_kind(value)}"
        remedy = "Begin each target with a dash: `- webhook: {url_env: NAME}`."
        faults.append(Fault(keys=("notify",), message=message, remedy=remedy))
        return ()
    targets = [_read_target(entry, index, faults) for index, entry in enumerate(value)]
    for index, target in enumerate(targets):
        condition = target.only_if if target is not None and not has_budget else None
        if condition is not None and SPENT in compile_condition(condition).variables:
            message = "notify: `spent` is not known without a budget"
            remedy = "Write a `budget` with the price of a step, or leave `spent` out."
            faults.append(Fault(keys=("notify", index, "only_if"), message=message, remedy=remedy))
    return tuple(target for target in targets if target is not None)


def _read_target(entry: object, index: int, faults: list[Fault]) -> Target | None:
    where: Keys = ("notify", index)
    known = len(faults)
    found = read_map(entry, NOTIFY_KEYS, where, faults, _ADDRESS_HINTS)
    written = [name for name in ADDRESSES if isinstance(entry, Mapping) and name in entry]
    if isinstance(entry, Mapping) and len(written) != 1:
        message = "a target has no address" if not written else f"a target has {' and '.join(written)}"
        remedy = f"Write one of {', '.join(ADDRESSES)} in it."
        faults.append(Fault(keys=where, message=message, remedy=remedy))
    webhook = found.pop("webhook", None)
    if webhook is not None and len(entry["webhook"]) != 1:  # type: ignore[index]
        message = "a webhook has one address"
        remedy = "Write `url_env: NAME`, or, if the address is no secret, `url: https://…`."
        faults.append(Fault(keys=(*where, "webhook"), message=message, remedy=remedy))
    if len(faults) > known:
        return None
    more = {name: found[name] for name in ("on", "only_if", "include") if name in found}
    if webhook is not None:
        return Target(
            channel=Channel.WEBHOOK, variable=webhook.get("url_env"), url=webhook.get("url"), **more
        )
    if "command" in found:
        return Target(channel=Channel.COMMAND, argv=found["command"], **more)
    return Target(channel=Channel.APPRISE, variable=found["apprise_env"], **more)


def _read_command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        kind = "an empty list" if value == [] else name_kind(value)
        raise Refused(
            f"expected a list of a program and its arguments, got {kind}",
            "Write [mail, -s, '{{ subject }}', ann@example.org].",
        )
    for argument in value:
        if not isinstance(argument, str):
            raise Refused(f"expected texts, got {name_kind(argument)}", "Quote it.")
        check_text(argument)
        _refuse_unknown(argument, compile_template, ARGUMENT_NAMES)
    read_text(value[0])
    return tuple(value)


def _read_only_if(value: object) -> str:
    text = read_text(value)
    _refuse_unknown(text, compile_condition, CONDITION_NAMES)
    return text


def _refuse_unknown(text: str, compile_text: Callable[[str], Any], known: frozenset[str]) -> None:
    try:
        variables: frozenset[str] = compile_text(text).variables
    except InvalidExpression as error:
        raise Refused(f"{error} in {quote(text)}", error.remedy) from None
    for name in sorted(variables - known):
        raise Refused(f"{quote(name)} is not known here", suggest(name, known))


def _read_events(value: object) -> tuple[BatchEvent, ...]:
    chosen = _read_choices(value, tuple(BatchEvent))
    if not chosen:
        raise Refused("the list is empty", f"Known: {', '.join(BatchEvent)}.")
    return tuple(map(BatchEvent, chosen))


def _read_include(value: object) -> tuple[str, ...]:
    return _read_choices(value, (MESSAGES,))


def _read_choices(value: object, choices: tuple[str, ...]) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Refused(f"expected a list, got {name_kind(value)}", f"Known: {', '.join(choices)}.")
    read = one_of(*choices)
    return tuple(dict.fromkeys(read(entry) for entry in value))


ADDRESSES = ("webhook", "command", "apprise_env")
"""The keys of which a target has one."""

NOTIFY_KEYS: Table = {
    "apprise_env": read_variable_name,
    "command": _read_command,
    "include": _read_include,
    "on": _read_events,
    "only_if": _read_only_if,
    "webhook": {"url": read_webhook_url, "url_env": read_variable_name},
}
"""The keys of a target."""
