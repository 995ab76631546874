"""One try to send a notification to a target, and what is wrong with a target before it is tried.

An address goes into no message, log or journal: it may hold a secret.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import signal
import tempfile
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from batchfish.core.addresses import is_loopback
from batchfish.core.describe import cut
from batchfish.core.expressions import compile_template
from batchfish.core.notifications import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from batchfish.core.notifications import Target

BODY_VARIABLE = "BATCHFISH_NOTIFICATION"
"""The environment variable in which a command gets the body, as JSON."""

INSTALL = "pip install 'batchfish[notify]'"

_LOGGERS = ("apprise", "httpx", "urllib3")
"""The loggers of packages that log addresses."""

_SILENT = logging.CRITICAL + 1
_TEMPORARY = frozenset({408, 425, 429})
_ERROR_BYTES = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A notification as it is sent: one line, a text, and the body as JSON.

    `key` is the same at each try. `batch` and `event` are for the arguments of commands.
    """

    key: str
    batch: str
    event: str
    subject: str
    text: str
    body: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """The environment variables to send with, and the folder in which commands are started.

    `version` is that of batchfish, which webhooks are told.
    """

    env: Mapping[str, str]
    folder: Path
    version: str


class NotSent(Exception):
    """A try failed. `is_lasting`: another try soon would fail, too.

    `detail` is for the person at hand alone: it is not safe to be stored.
    """

    def __init__(self, message: str, *, is_lasting: bool = False, detail: str = "") -> None:
        """Keep whether another try soon can help."""
        super().__init__(message)
        self.is_lasting = is_lasting
        self.detail = detail


def find_fault(target: Target, around: Surroundings) -> str | None:
    """Return why nothing can be sent to a target; None if nothing is known to be wrong."""
    if target.channel is Channel.COMMAND:
        return _find_fault_of_program(target.argv[0], around)
    if target.variable is not None and not around.env.get(target.variable, "").strip():
        return f"the environment variable {target.variable} is not set"
    if target.channel is Channel.WEBHOOK:
        return _find_fault_of_address(_address_of(target, around))
    return None if find_spec("apprise") is not None else f"apprise is not installed: {INSTALL}"


async def send(target: Target, message: Message, around: Surroundings, within: float) -> None:
    """Send a message once, `within` seconds; raise NotSent if that failed."""
    if (fault := find_fault(target, around)) is not None:
        raise NotSent(fault, is_lasting=True)
    try:
        async with asyncio.timeout(within):
            match target.channel:
                case Channel.WEBHOOK:
                    await _post(_address_of(target, around), message, around.version, within)
                case Channel.COMMAND:
                    await _run(target.argv, message, around)
                case Channel.APPRISE:
                    await _send_by_apprise(_address_of(target, around), message)
    except TimeoutError:
        raise NotSent(f"no answer within {within:.3g} s") from None


@contextmanager
def unlogged() -> Iterator[None]:
    """Keep the addresses of targets out of the logs of the packages that send to them."""
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    try:
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(_SILENT)
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _address_of(target: Target, around: Surroundings) -> str:
    return (target.url or around.env[target.variable or ""]).strip()


def _find_fault_of_address(address: str) -> str | None:
    try:
        parts = urlsplit(address)
        is_here, has_host = is_loopback(address), bool(parts.hostname and parts.port != 0)
    except ValueError:
        return "the address is not a URL"
    if not has_host or parts.scheme not in {"http", "https"} or re.search(r"[\s\x00-\x1f\\]", address):
        return "the address is not a URL such as https://hooks.example/batches"
    if parts.scheme == "http" and not is_here:
        return "the address would be sent to unencrypted: it must begin with https://"
    return None


def _find_fault_of_program(program: str, around: Surroundings) -> str | None:
    if "/" in program:
        found = os.access(around.folder / program, os.X_OK)
    else:
        found = shutil.which(program, path=around.env.get("PATH")) is not None
    return None if found else f"there is no program {cut(program)}"


async def _post(address: str, message: Message, version: str, within: float) -> None:
    """Post the body; any answer 2xx means that it was received. Its content is not read."""
    import httpx

    headers = {
        "Content-Type": "application/json",
        "Idempotency-Key": message.key,
        "User-Agent": f"batchfish/{version}",
    }
    try:
        client = httpx.AsyncClient(  # which reads proxies and certificates that the environment names
            trust_env=not is_loopback(address), follow_redirects=False, timeout=httpx.Timeout(within)
        )
        async with client, client.stream("POST", address, content=message.body, headers=headers) as answer:
            status = answer.status_code
    except httpx.TimeoutException:
        raise TimeoutError from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
        # The texts of these errors may quote the address.
        raise NotSent(f"it cannot be reached ({type(error).__name__})") from None
    if httpx.codes.is_success(status):
        return
    if httpx.codes.is_redirect(status):
        raise NotSent(f"it answered with a redirect ({status}), which is not followed", is_lasting=True)
    is_lasting = httpx.codes.is_client_error(status) and status not in _TEMPORARY
    raise NotSent(f"it answered with status {status}", is_lasting=is_lasting)


async def _run(argv: tuple[str, ...], message: Message, around: Surroundings) -> None:
    """Start a program that reads the text from standard input; exit code 0 means that it was sent.

    It and its children are killed if this is cancelled.
    """
    values = {"batch": message.batch, "event": message.event, "subject": message.subject}
    words = [compile_template(word).render(values) for word in argv]
    # Files, not pipes: a program may leave its input unread, or its output open to a child that goes on.
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as errors:
        source.write(message.text.encode())
        source.seek(0)
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=source,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
                cwd=around.folder,
                env={**around.env, BODY_VARIABLE: message.body},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else "its arguments cannot be passed"
            raise NotSent(f"it cannot be started: {why}", is_lasting=True) from None
        try:
            code = await process.wait()
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await asyncio.shield(process.wait())
            raise
        if code:
            how = f"exit code {code}" if code > 0 else f"signal {-code}"
            raise NotSent(f"it ended with {how}", detail=_last_line(errors))


def _last_line(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _ERROR_BYTES))
    lines = file.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


async def _send_by_apprise(address: str, message: Message) -> None:
    """Send by apprise, in a thread that is left behind if this is cancelled: its calls cannot be."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str | None] = loop.create_future()

    def finish(fault: str | None) -> None:
        if not answer.done():
            answer.set_result(fault)

    def work() -> None:
        fault = _notify_by_apprise(address, message)
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(finish, fault)

    threading.Thread(target=work, daemon=True).start()
    fault = await answer
    if fault is not None:
        raise NotSent(fault)


def _notify_by_apprise(address: str, message: Message) -> str | None:
    """Return why nothing was sent; None if it was."""
    try:
        import apprise

        notifier = apprise.Apprise()
        notifier.add(address)
        if len(notifier) != 1:
            known = "no address that apprise knows" if not len(notifier) else "more than one address"
            return f"the variable holds {known}"
        is_sent = notifier.notify(
            title=message.subject, body=message.text, body_format=apprise.NotifyFormat.TEXT
        )
    except Exception as error:  # noqa: BLE001 - whatever its plugins raise; the text may quote the address
        return f"apprise failed ({type(error).__name__})"
    return None if is_sent else "apprise could not send it"
