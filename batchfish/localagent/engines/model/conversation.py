"""The conversation of one run with a model, in the best mode that its endpoint supports."""

# No postponed annotations: the library looks at those of what checks an answer when it runs.
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from openai import APIStatusError
from pydantic_ai import (
    Agent,
    ModelRetry,
    NativeOutput,
    RunContext,
    RunUsage,
    StructuredDict,
    TextOutput,
    Tool,
    ToolOutput,
    UsageLimits,
)
from pydantic_ai.capabilities import ProcessHistory
from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    UsageLimitExceeded,
)
from pydantic_ai.models import Model

from batchfish.core.schema import find_violations
from batchfish.localagent.engines.base import Emit, RunFailure, RunRequest, Step, system_failure
from batchfish.localagent.engines.model.answer import envelope, open_envelope, parse
from batchfish.localagent.engines.model.prompt import RULES, RULES_OF_TOOLS, ask, forget_pages
from batchfish.localagent.engines.model.tools import StepsExceeded

ASK_AGAIN = 2
"""How often an answer that does not fit is asked for again: as often as the API does."""
MOST_VIOLATIONS = 5
LONGEST_MESSAGE = 300
# To a way of asking that an endpoint does not know; some servers answer 500 to what they cannot read.
NOT_UNDERSTOOD = frozenset([400, 415, 422, 500, 501])
BUSY = frozenset([408, 409, 425, 429])


class Mode(Enum):
    """The ways to ask a model for its answer, the best first."""

    TOOL = "tools, the answer as one of them"
    NATIVE = "an answer that the endpoint holds to the schema"
    PROMPTED = "JSON, asked for in words"


@dataclass(slots=True)
class Modes:
    """The modes that an endpoint has refused while it took a plainer one; shared by its runs."""

    refused: set[Mode] = field(default_factory=set)

    def to_try(self, *, with_tools: bool, has_schema: bool) -> list[Mode]:
        """Return the modes for a run in the order to try them in."""
        wanted = {Mode.TOOL: with_tools, Mode.NATIVE: has_schema, Mode.PROMPTED: True}
        return [mode for mode in Mode if wanted[mode] and mode not in self.refused]


class AnswerWithout(Exception):
    """The conversation ended without an answer."""

    def __init__(self, failure: RunFailure) -> None:
        """Keep the reason."""
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """The answer of a model, and how often it was asked again."""

    answer: Any
    re_prompts: int


class Conversation:
    """Asks a model, checks its answer against the schema, and counts requests and tokens."""

    def __init__(
        self, model: Model, modes: Modes, request: RunRequest, emit: Emit, *, most_steps: int
    ) -> None:
        self._model = model
        self._modes = modes
        self._goal = request.goal
        self._schema = request.output_schema
        self._emit = emit
        self._most_steps = most_steps
        self._usage = RunUsage()
        self._re_prompts = 0

    async def answer(self, page: str, tools: Sequence[Tool[None]] = ()) -> Told:
        """Show a page to the model and return its answer; AnswerWithout or StepsExceeded if there is none.

        An endpoint that does not know a way to be asked is asked in a plainer one, from then on.
        """
        modes = self._modes.to_try(with_tools=bool(tools), has_schema=self._schema is not None)
        for mode, plainer in zip(modes, [*modes[1:], None], strict=True):
            try:
                told = await self._ask(mode, page, tools if mode is Mode.TOOL else ())
            except ModelHTTPError as refused:
                if plainer is None or self._usage.requests or not _is_mode_refused(refused):
                    raise AnswerWithout(self._failure(refused)) from refused
                words = f"the endpoint answered {refused.status_code}: it is asked for {plainer.value}"
                self._emit(Step(action=words))
            except UsageLimitExceeded:
                raise StepsExceeded from None
            except AgentRunError as broken:
                raise AnswerWithout(self._failure(broken)) from broken
            else:
                self._modes.refused.update(modes[: modes.index(mode)])
                return told
        raise AssertionError  # the last mode has no plainer one

    def tell_use(self) -> None:
        """Emit a step with the number of requests to the model and their tokens."""
        use = self._usage
        if use.requests:
            times = "once" if use.requests == 1 else f"{use.requests} times"
            tokens = f"{use.input_tokens} tokens in, {use.output_tokens} out"
            self._emit(Step(action=f"the model was asked {times}: {tokens}"))

    async def _ask(self, mode: Mode, page: str, tools: Sequence[Tool[None]]) -> Told:
        agent = Agent(
            self._model,
            output_type=self._output(mode),
            instructions=RULES + (RULES_OF_TOOLS if tools else ""),
            tools=tools,
            retries={"tools": ASK_AGAIN, "output": ASK_AGAIN},
            capabilities=[ProcessHistory(forget_pages)],
            end_strategy="early",
        )
        agent.output_validator(self._check)
        prompt = ask(self._goal, self._schema, page)
        limits = UsageLimits(request_limit=self._most_steps + 2 * ASK_AGAIN + 1)
        run = await agent.run(prompt, usage=self._usage, usage_limits=limits)
        answer, problem = open_envelope(run.output, self._schema)
        if answer is None:
            words = (problem or "no reason was given")[:LONGEST_MESSAGE]
            raise AnswerWithout(RunFailure(code="TASK_FAILED", message=f"The model found no answer: {words}"))
        return Told(answer=answer, re_prompts=self._re_prompts)

    def _output(self, mode: Mode) -> Any:  # noqa: ANN401 - one of the library's kinds of output
        shape = StructuredDict(envelope(self._schema), name="Answer", description="The answer to the goal.")
        match mode:
            case Mode.TOOL:
                return [ToolOutput(shape, name="answer"), TextOutput(self._parse)]
            case Mode.NATIVE:
                return NativeOutput(shape, name="answer", template=False)
            case Mode.PROMPTED:
                return TextOutput(self._parse)

    def _parse(self, text: str) -> dict[str, Any]:
        said = parse(text)
        if said is None:
            raise self._again("That is not a JSON object.")
        return said

    def _check(self, ctx: RunContext[None], said: dict[str, Any]) -> dict[str, Any]:
        """Ask again while an answer violates the schema; the last answer is kept with its violations."""
        answer, _ = open_envelope(said, self._schema)
        if answer is None:
            return said
        if not isinstance(answer, dict):
            raise self._again("The answer is not a JSON object.")
        violations = (
            [] if self._schema is None else find_violations(answer, self._schema, limit=MOST_VIOLATIONS)
        )
        if violations and not ctx.last_attempt:
            raise self._again(f"The answer does not fit the schema: {'; '.join(map(str, violations))}.")
        return said

    def _again(self, why: str) -> ModelRetry:
        is_last = self._re_prompts == ASK_AGAIN
        self._re_prompts += not is_last
        self._emit(Step(action=why if is_last else f"{why} The model is asked again."))
        return ModelRetry(why)

    def _failure(self, broken: AgentRunError) -> RunFailure:
        """Return the kind of an error without the endpoint's words, which may repeat what it was sent."""
        match broken:
            case ModelContextWindowExceededError():
                message = "The page is longer than the model can read."
                return RunFailure(code="LOCAL_MODEL_REFUSED", message=message)
            case ModelHTTPError(status_code=status) if status in BUSY or status >= 500:  # noqa: PLR2004
                return system_failure("LOCAL_MODEL_UNREACHABLE", f"The model's endpoint answered {status}.")
            case ModelHTTPError(status_code=status):
                message = f"The model's endpoint answered {status}{MEANINGS.get(status, '')}."
                return RunFailure(code="LOCAL_MODEL_REFUSED", message=message, category="SYSTEM_FAILURE")
            case ModelAPIError(__cause__=APIStatusError(status_code=status)):  # such as a redirect
                message = f"The model's endpoint answered {status}."
                return RunFailure(code="LOCAL_MODEL_REFUSED", message=message, category="SYSTEM_FAILURE")
            case ModelAPIError():
                message = (
                    f"The model's endpoint cannot be reached: {type(broken.__cause__ or broken).__name__}."
                )
                return system_failure("LOCAL_MODEL_UNREACHABLE", message)
            case _:
                message = "The model gave no answer that could be read, however often it was asked."
                return RunFailure(code="LOCAL_MODEL_ANSWER", message=message)


MEANINGS = {
    401: ": the key is not accepted",
    403: ": the key may not use this model",
    404: ": it does not know the model, or the URL is not that of an API",
}


def _is_mode_refused(refused: ModelHTTPError) -> bool:
    is_too_long = isinstance(refused, ModelContextWindowExceededError)
    return refused.status_code in NOT_UNDERSTOOD and not is_too_long
