"""`batchfish doctor`: checks what a batch needs, and says what to do about what is wrong."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import to_builtins

from batchfish.cli import diagnosis
from batchfish.cli.access import local_agent, refuse_other_access, remote_access, spell_api
from batchfish.cli.console import put
from batchfish.cli.diagnosis import Finding, State
from batchfish.cli.documents import DocumentType, put_document
from batchfish.cli.exits import ExitCode
from batchfish.cli.factory import make_client_without_journal
from batchfish.cli.locate import HOME, LOCAL, find, journals
from batchfish.cli.options import ApiOptions, JournalLocation, Reporting
from batchfish.cli.parser import Arguments, group
from batchfish.cli.system_clock import SystemClock
from batchfish.core.describe import several
from batchfish.errors import TryLater, WrongInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batchfish.cli.access import Access
    from batchfish.cli.console import Console


class Options(Arguments, frozen=True, kw_only=True):
    """The options of `doctor`."""

    reporting: Reporting = group(Reporting, "output", only=("json",))
    location: JournalLocation = group(
        JournalLocation,
        "journal",
        help={
            "local": "check the agent on this machine instead of TinyFish, and its journals",
            "journal": "check this journal file (default: those of this folder and the folders above)",
        },
    )
    api: ApiOptions = group(ApiOptions, "API")


def run(options: Options, env: Mapping[str, str], console: Console) -> int:
    """Check everything, print what was found, and return 1 if something is wrong; no run is made."""
    location = options.location
    refuse_other_access(options.api, is_local=location.local)
    findings = _check_access(options, env)
    paths = [find(None, location).journal] if location.journal else journals(is_local=location.local)
    folder = _folder(location)
    findings += diagnosis.check_journals(paths, folder)
    findings.append(diagnosis.check_disk(folder))
    chromium = options.api.agent.chromium
    findings.append(diagnosis.check_local_agent(None if chromium is None else Path(chromium)))
    wrong = [one for one in findings if one.state is State.WRONG]
    if options.reporting.json:
        put_document(DocumentType.DIAGNOSIS, ok=not wrong, checks=to_builtins(findings))
    else:
        _put_findings(wrong if console.is_quiet else findings)
    if wrong:
        console.warn(f"{several(len(wrong), 'check')} failed")
    else:
        console.say("nothing is wrong")
    return ExitCode.ITEMS_NOT_OK if wrong else ExitCode.OK


def _check_access(options: Options, env: Mapping[str, str]) -> list[Finding]:
    with ExitStack() as stack:
        try:
            access = (
                stack.enter_context(local_agent(options.api.agent, env, Path.cwd()))
                if options.location.local
                else remote_access(options.api, env)
            )
        except (WrongInput, TryLater) as error:
            what = "local agent" if options.location.local else "access"
            return [Finding(check=what, state=State.WRONG, message=error.message, remedy=error.remedy)]
        return asyncio.run(_ask_api(access, env))


async def _ask_api(access: Access, env: Mapping[str, str]) -> list[Finding]:
    async with make_client_without_journal(access) as agent:
        return await diagnosis.check_api(agent, spell_api(access.recorded_as), SystemClock(), env)


def _folder(location: JournalLocation) -> Path:
    """Return the folder of the journals, or the nearest one above that exists."""
    home = Path(HOME) / LOCAL if location.local else Path(HOME)
    folder = location.journal.parent if location.journal else home
    while not folder.is_dir():
        folder = folder.parent
    return folder.absolute()


def _put_findings(findings: list[Finding]) -> None:
    for one in findings:
        put(f"{one.state:<6}{one.check:<13}{one.message}")
        if one.remedy:
            put(f"{'':<19}→ {one.remedy}")
