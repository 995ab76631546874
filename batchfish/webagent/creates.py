"""What came of a create, as an event for the pipeline or as an error for a person's script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchfish.core.events import SubmitAccepted, SubmitDeferred, SubmitRejected, SubmitUnanswered
from batchfish.errors import BatchfishError, NotPermitted, RunMayExist, TryLater, WrongInput
from batchfish.webagent.answers import read_create_answer
from batchfish.webagent.http import HttpAnswer, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchfish.core.events import CreateAnswer


def prove(answer: HttpAnswer | NoAnswer, hide: Callable[[str], str]) -> CreateAnswer:
    """Say what the answer to a create proves, or the lack of one; `hide` blots out echoed secrets."""
    if isinstance(answer, NoAnswer):
        return prove_without_answer(answer, hide)
    proof = read_create_answer(answer.status, answer.headers, answer.body)
    match proof:
        case SubmitAccepted():
            return proof
        case SubmitDeferred(reason=reason, message=message, retry_after=wait):
            return SubmitDeferred(reason=reason, message=hide(message), retry_after=wait)
        case SubmitRejected(reason=reason, message=message):
            return SubmitRejected(reason=reason, message=hide(message))
        case SubmitUnanswered(message=message, retry_after=wait):
            return SubmitUnanswered(message=hide(message), retry_after=wait)


def prove_without_answer(answer: NoAnswer, hide: Callable[[str], str]) -> SubmitDeferred | SubmitUnanswered:
    """Say what the failure of a create proves: only that which cannot have left surely made no run."""
    message = hide(answer.message)
    if answer.may_have_left:
        return SubmitUnanswered(message=message)
    return SubmitDeferred(reason="unreachable", message=message)


def accepted_run(proof: CreateAnswer) -> str:
    """Return the id of the run that was made, or raise what a script may do next."""
    if isinstance(proof, SubmitAccepted):
        return proof.run_id
    raise explain_create(proof)


def explain_create(proof: SubmitDeferred | SubmitRejected | SubmitUnanswered) -> BatchfishError:
    """Make the error that tells a script what it may do next."""
    match proof:
        case SubmitRejected(message=message):
            return WrongInput(f"the API refuses this request: {message}")
        case SubmitDeferred(reason="key_refused" | "forbidden", message=message):
            return NotPermitted(f"the API does not permit this: {message}")
        case SubmitDeferred(reason="wrong_api", message=message):
            return WrongInput(f"this is not the Web Agent API, or not at this base URL: {message}")
        case SubmitDeferred(message=message):
            return TryLater(f"no run was made: {message}")
        case SubmitUnanswered(message=message):
            return RunMayExist(
                f"{message}. A run may exist: look for its goal in the listing before sending it again."
            )
