"""One try at each kind of target: real listeners on loopback, real programs, and apprise itself."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import TYPE_CHECKING

import pytest

from batchfish.core.notifications import Channel, Target
from batchfish.notify.targets import Message, NotSent, Surroundings, find_fault, send, unlogged
from tests.loopback import nobody_listening
from tests.notify.listener import Listener, listening

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOOK = Target(channel=Channel.WEBHOOK, variable="SHOP_HOOK")
APPRISE = Target(channel=Channel.APPRISE, variable="SHOP_CHAT")
SECRET = "T0-canary-B1"
PATIENCE = 60.0
MESSAGE = Message(
    key="abcdefgh-7",
    batch="shop",
    event="finished",
    subject="batchfish: shop finished: 2 succeeded",
    text="shop finished (exit code 0): 2 succeeded.\n",
    body=json.dumps({"type": "notification", "batch": "shop"}),
)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as listener:
        yield listener


def around(folder: Path, **env: str) -> Surroundings:
    return Surroundings(env={"PATH": os.environ["PATH"], **env}, folder=folder, version="1.2.3")


def command(*argv: str) -> Target:
    return Target(channel=Channel.COMMAND, argv=argv)


async def refusal(target: Target, surroundings: Surroundings, within: float = PATIENCE) -> NotSent:
    with pytest.raises(NotSent) as caught:
        await send(target, MESSAGE, surroundings, within)
    assert SECRET not in str(caught.value)
    return caught.value


class TestWebhook:
    async def test_the_body_is_posted_with_a_key_that_stays_the_same(
        self, listener: Listener, tmp_path: Path
    ) -> None:
        await send(HOOK, MESSAGE, around(tmp_path, SHOP_HOOK=f"{listener.url}/{SECRET}\n"), PATIENCE)
        ((path, headers, body),) = listener.requests
        assert path == f"/{SECRET}"
        assert headers["Content-Type"] == "application/json"
        assert headers["Idempotency-Key"] == MESSAGE.key
        assert headers["User-Agent"] == "batchfish/1.2.3"
        assert body.decode() == MESSAGE.body

    async def test_a_plain_address_needs_no_variable(self, listener: Listener, tmp_path: Path) -> None:
        await send(Target(channel=Channel.WEBHOOK, url=listener.url), MESSAGE, around(tmp_path), PATIENCE)
        assert len(listener.requests) == 1

    async def test_no_proxy_of_the_environment_sees_what_is_sent_to_this_machine(
        self, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with listening() as proxy:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
                monkeypatch.setenv(name, proxy.url)
            await send(HOOK, MESSAGE, around(tmp_path, SHOP_HOOK=listener.url), PATIENCE)
            assert proxy.requests == []
        assert len(listener.requests) == 1

    @pytest.mark.parametrize(
        ("status", "is_lasting"),
        [(400, True), (404, True), (410, True), (408, False), (429, False), (503, False)],
    )
    async def test_any_other_answer_is_a_failure(
        self,
        status: int,
        is_lasting: bool,  # noqa: FBT001 - a case
        tmp_path: Path,
    ) -> None:
        with listening(lambda _: (status, {})) as listener:
            error = await refusal(HOOK, around(tmp_path, SHOP_HOOK=f"{listener.url}/{SECRET}"))
        assert str(error) == f"it answered with status {status}"
        assert error.is_lasting == is_lasting

    async def test_no_redirect_is_followed(self, listener: Listener, tmp_path: Path) -> None:
        with listening(lambda _: (307, {"Location": listener.url})) as first:
            error = await refusal(HOOK, around(tmp_path, SHOP_HOOK=f"{first.url}/{SECRET}"))
        assert "redirect (307), which is not followed" in str(error)
        assert listener.requests == []

    async def test_a_slow_listener_is_left_in_time(self, tmp_path: Path) -> None:
        with listening(lambda _: None) as listener:
            before = time.monotonic()
            error = await refusal(HOOK, around(tmp_path, SHOP_HOOK=f"{listener.url}/{SECRET}"), within=0.2)
            assert time.monotonic() - before < PATIENCE / 2
        assert str(error) == "no answer within 0.2 s"
        assert not error.is_lasting

    async def test_nobody_listens(self, tmp_path: Path) -> None:
        with nobody_listening() as port:
            address = f"http://127.0.0.1:{port}/{SECRET}"
            error = await refusal(HOOK, around(tmp_path, SHOP_HOOK=address))
        assert str(error) == "it cannot be reached (ConnectError)"
        assert not error.is_lasting

    @pytest.mark.parametrize(
        ("address", "fault"),
        [
            ("", "the environment variable SHOP_HOOK is not set"),
            (f"http://hooks.example/{SECRET}", "it must begin with https://"),
            (f"ftp://127.0.0.1/{SECRET}", "not a URL such as"),
            (f"https:///{SECRET}", "not a URL such as"),
            (f"https://hooks.example/a b{SECRET}", "not a URL such as"),
            (f"https://[::1/{SECRET}", "not a URL"),
            (f"https://hooks.example:x/{SECRET}", "not a URL"),
            (SECRET, "not a URL such as"),
        ],
    )
    async def test_an_address_that_cannot_be_used_is_not_repeated(
        self, address: str, fault: str, tmp_path: Path
    ) -> None:
        error = await refusal(HOOK, around(tmp_path, SHOP_HOOK=address))
        assert fault in str(error)
        assert error.is_lasting
        assert find_fault(HOOK, around(tmp_path, SHOP_HOOK=address)) == str(error)

    async def test_an_environment_that_httpx_cannot_use_is_a_failure(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Any other error would keep the rest of the targets from being told."""
        monkeypatch.setenv("HTTPS_PROXY", "gopher://127.0.0.1:9")
        error = await refusal(HOOK, around(tmp_path, SHOP_HOOK="https://hooks.invalid/"))
        assert "it cannot be reached" in str(error)

    async def test_no_log_has_the_address(
        self, listener: Listener, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        logging.getLogger("httpx").setLevel(logging.INFO)
        try:
            with unlogged():
                await send(HOOK, MESSAGE, around(tmp_path, SHOP_HOOK=f"{listener.url}/{SECRET}"), PATIENCE)
            assert logging.getLogger("httpx").level == logging.INFO
        finally:
            logging.getLogger("httpx").setLevel(logging.NOTSET)
        assert SECRET not in caplog.text


class TestCommand:
    async def test_it_reads_the_text_and_finds_the_body_in_its_environment(self, tmp_path: Path) -> None:
        script = 'cat > text; printf %s "$BATCHFISH_NOTIFICATION" > body; printf %s "$1" > argument'
        argument = "{{ batch }}; {{ event }}: {{ subject }} $(id) *"
        await send(command("sh", "-c", script, "sh", argument), MESSAGE, around(tmp_path), PATIENCE)
        assert (tmp_path / "text").read_text() == MESSAGE.text
        assert (tmp_path / "body").read_text() == MESSAGE.body
        assert (tmp_path / "argument").read_text() == f"shop; finished: {MESSAGE.subject} $(id) *"

    async def test_a_program_beside_the_manifest_that_leaves_its_input_unread(self, tmp_path: Path) -> None:
        program = tmp_path / "tell"
        program.write_text("#!/bin/sh\ntouch told\n")
        program.chmod(0o700)
        await send(command("./tell"), MESSAGE, around(tmp_path), PATIENCE)
        assert (tmp_path / "told").exists()

    async def test_a_program_that_fails(self, tmp_path: Path) -> None:
        error = await refusal(command("sh", "-c", f"echo no; echo {SECRET} >&2; exit 3"), around(tmp_path))
        assert str(error) == "it ended with exit code 3"
        assert error.detail == SECRET
        assert not error.is_lasting

    async def test_a_program_that_is_not_there(self, tmp_path: Path) -> None:
        assert (
            find_fault(command("no-such-program"), around(tmp_path)) == "there is no program no-such-program"
        )
        (tmp_path / "text").write_text("not a program")
        error = await refusal(command("./text"), around(tmp_path))
        assert str(error) == "there is no program ./text"
        (tmp_path / "text").chmod(0o700)
        error = await refusal(command("./text"), around(tmp_path))
        assert str(error) == "it cannot be started: Exec format error"

    async def test_a_slow_program_is_killed_with_its_children(self, tmp_path: Path) -> None:
        fifo = tmp_path / "fifo"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        try:
            error = await refusal(
                command("sh", "-c", "exec 3> fifo; sleep 60 & wait"), around(tmp_path), within=0.5
            )
            assert str(error) == "no answer within 0.5 s"
            os.set_blocking(reader, True)
            assert os.read(reader, 1) == b"", "the end of the file: no process has it open"
        finally:
            os.close(reader)


# Where Python still has the module imghdr, apprise imports it.
@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
class TestApprise:
    async def test_the_address_is_in_the_variable(self, listener: Listener, tmp_path: Path) -> None:
        address = listener.url.replace("http://", "json://") + f"/{SECRET}"
        await send(APPRISE, MESSAGE, around(tmp_path, SHOP_CHAT=address), PATIENCE)
        ((path, _, body),) = listener.requests
        assert path.rstrip("/") == f"/{SECRET}"
        found = json.loads(body)
        assert (found["title"], found["message"].strip()) == (MESSAGE.subject, MESSAGE.text.strip())

    @pytest.mark.parametrize(
        ("address", "fault"),
        [
            ("", "the environment variable SHOP_CHAT is not set"),
            (f"nothing://{SECRET}", "the variable holds no address that apprise knows"),
            (
                f"json://a.example/{SECRET}, json://b.example",
                "the variable holds more than one address",
            ),
        ],
    )
    async def test_what_is_no_address(self, address: str, fault: str, tmp_path: Path) -> None:
        with unlogged():
            assert str(await refusal(APPRISE, around(tmp_path, SHOP_CHAT=address))) == fault

    async def test_a_service_that_fails(self, tmp_path: Path) -> None:
        with listening(lambda _: (500, {})) as listener, unlogged():
            address = listener.url.replace("http://", "json://") + f"/{SECRET}"
            error = await refusal(APPRISE, around(tmp_path, SHOP_CHAT=address))
        assert str(error) == "apprise could not send it"

    async def test_a_service_that_hangs_is_left_in_time(self, tmp_path: Path) -> None:
        with listening(lambda _: None) as listener, unlogged():
            address = listener.url.replace("http://", "json://")
            error = await refusal(APPRISE, around(tmp_path, SHOP_CHAT=address), within=0.2)
        assert str(error) == "no answer within 0.2 s"

    def test_without_the_package_the_fault_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("batchfish.notify.targets.find_spec", lambda _: None)
        fault = find_fault(APPRISE, around(tmp_path, SHOP_CHAT="json://a.example"))
        assert fault == "apprise is not installed: pip install 'batchfish[notify]'"
