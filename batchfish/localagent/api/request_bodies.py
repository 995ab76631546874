"""Request bodies and queries, and what is wrong with them in the form of the API's issues."""

# The annotations below are read at run time, by pydantic.
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from batchfish.core.schema import check_schema
from batchfish.errors import WrongInput
from batchfish.localagent.api.answers import CURSOR_PATTERN
from batchfish.localagent.egress.addresses import Origin, parse_origin
from batchfish.localagent.engines.base import RunRequest
from batchfish.webagent.wire import GOAL_FILTER_LENGTH, IDS_PER_CALL, ROWS_PER_PAGE, RunStatus


def _page_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in {"http", "https"} and bool(parts.hostname) and not BLANK.search(text)
        parts.port  # noqa: B018 - reading it checks it
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ValueError("Invalid url: it must be absolute, with http:// or https:// and a host")
    return text


def _moment(text: object) -> float:
    if not isinstance(text, str) or not MOMENT.fullmatch(text):
        raise ValueError("Invalid datetime: write it as 2027-01-15T08:00:00Z, or with an offset")
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("Invalid datetime: there is no such moment") from None


def _whole(number: object) -> object:
    """Return 3 for 3.0: they are the same number in JSON."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


BLANK = re.compile(r"[\x00-\x20\x7f]")
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE)
Moment = Annotated[float, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
OutputSchema = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/OutputSchema"})]
PageUrl = Annotated[str, Field(json_schema_extra={"format": "uri"}), AfterValidator(_page_url)]
NonEmpty = Annotated[str, Field(min_length=1)]
ModelT = TypeVar("ModelT", bound=BaseModel)


class InvalidInput(Exception):
    """A request is refused: the text says why, `issues` name each place that is wrong, as the API has it."""

    def __init__(self, message: str, issues: Sequence[dict[str, Any]]) -> None:
        super().__init__(message)
        self.issues = issues


class Body(BaseModel):
    """A JSON object of a request: no conversion of types, unknown members are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore")


class ProxyConfig(Body):
    """The proxy that the run should use; the local agent uses none."""

    enabled: bool
    type: Literal["tetra", "custom"] = "tetra"
    country_code: Annotated[str, Field(pattern="^[A-Z]{2}$")] | None = None
    url: PageUrl | None = None
    username: str | None = None
    password: str | None = None

    @model_validator(mode="after")
    def custom_needs_url(self) -> "ProxyConfig":
        """Raise ValueError for a custom proxy without its URL."""
        if self.type == "custom" and self.url is None:
            raise ValueError('url is required when type is "custom"')
        return self


class AgentConfig(Body):
    """Limits and settings of the agent."""

    mode: Literal["default", "strict"] | None = None
    max_steps: Annotated[int, Field(ge=1, le=500), BeforeValidator(_whole)] | None = None
    max_duration_seconds: Annotated[int, Field(ge=1, le=2**53), BeforeValidator(_whole)] | None = None
    cursor_style: Literal["fish", "standard", "green-pointer"] | None = None


class CaptureConfig(Body):
    """Captures to make of each step."""

    elements: bool | None = None
    snapshots: bool | None = None
    screenshots: bool | None = None
    recording: bool | None = None
    html: bool | None = None


class BatchItem(Body):
    """One run as run-batch asks for it."""

    url: PageUrl
    goal: NonEmpty
    browser_profile: Literal["lite", "stealth"] | None = None
    proxy_config: ProxyConfig | None = None
    agent_config: AgentConfig | None = None
    capture_config: CaptureConfig | None = None
    webhook_url: PageUrl | None = None
    use_vault: bool | None = None
    credential_item_ids: Annotated[list[NonEmpty], Field(min_length=1)] | None = None
    api_integration: str | None = None

    @model_validator(mode="after")
    def credentials_need_vault(self) -> "BatchItem":
        """Raise ValueError for credentials without the vault that holds them."""
        if self.credential_item_ids is not None and not self.use_vault:
            raise ValueError("credential_item_ids requires use_vault to be true")
        return self

    def to_request(self, output_schema: Mapping[str, Any] | None) -> RunRequest:
        """Return the request for the engine; the other fields are its options, unchanged."""
        options = self.model_dump(exclude_unset=True, exclude={"url", "goal", "output_schema"})
        return RunRequest(url=self.url, goal=self.goal, output_schema=output_schema, options=options)

    def webhook_issues(
        self, before: Sequence[str | int], allowed: Collection[Origin]
    ) -> list[dict[str, Any]]:
        """Return an issue for a webhook that is not https, as the API has it, nor at an allowed origin.

        `before` is the path of this item in the body.
        """
        url = self.webhook_url
        if url is None or urlsplit(url).scheme == "https" or _origin(url) in allowed:
            return []
        message = (
            f"Invalid url: it must begin with https://, or with an origin that --allow-origin names"
            f" (--allow-origin {_origin(url) or 'http://127.0.0.1:PORT'})"
        )
        return [{"code": "custom", "path": [*before, "webhook_url"], "message": message}]


class RunBody(BatchItem):
    """One run as run, run-async and run-sse ask for it."""

    output_schema: OutputSchema | None = None
    use_profile: bool | None = None
    profile_id: NonEmpty | None = None

    @model_validator(mode="after")
    def profile_needs_use(self) -> "RunBody":
        """Raise ValueError for a profile without leave to use it."""
        if self.profile_id is not None and not self.use_profile:
            raise ValueError("profile_id requires use_profile to be true")
        return self

    def requests(self, allowed: Collection[Origin]) -> list[RunRequest]:
        """Return the one request for the engine; webhooks at `allowed` origins may use plain http.

        InvalidInput for what the API would refuse.
        """
        _refuse(schema_issues(self.output_schema) + self.webhook_issues((), allowed))
        return [self.to_request(self.output_schema)]


class BatchBody(Body):
    """Many runs at once, all or none, with one schema for all of them."""

    runs: Annotated[list[BatchItem], Field(min_length=1, max_length=IDS_PER_CALL)]
    output_schema: OutputSchema | None = None

    def requests(self, allowed: Collection[Origin]) -> list[RunRequest]:
        """Return the requests for the engine, in order; otherwise as for one run."""
        found = schema_issues(self.output_schema)
        for number, item in enumerate(self.runs):
            found += item.webhook_issues(("runs", number), allowed)
        _refuse(found)
        return [item.to_request(self.output_schema) for item in self.runs]


class RunIds(Body):
    """The ids of runs to return or to cancel."""

    run_ids: Annotated[list[str], Field(min_length=1, max_length=IDS_PER_CALL)]


class ListQuery(BaseModel):
    """The filters of the listing; other parameters are ignored."""

    status: RunStatus | None = None
    goal: Annotated[str, Field(max_length=GOAL_FILTER_LENGTH)] | None = None
    created_after: Moment | None = None
    created_before: Moment | None = None
    sort_direction: Literal["asc", "desc"] = "desc"
    cursor: Annotated[str, Field(pattern=CURSOR_PATTERN)] | None = None
    limit: Annotated[int, Field(ge=1, le=ROWS_PER_PAGE)] = 20


class RunQuery(BaseModel):
    """How one run is shown; other parameters are ignored."""

    screenshots: Literal["none", "base64", "url"] = "none"


def schema_issues(schema: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return what the API would refuse of an output schema."""
    return [
        {
            "code": "custom",
            "path": ["output_schema", *problem.keys],
            "message": f"output_schema: {problem.message} at {problem.path}."
            + (f" {problem.remedy}" if problem.remedy else ""),
        }
        for problem in (() if schema is None else check_schema(schema))
    ]


def _origin(url: str) -> Origin | None:
    parts = urlsplit(url)
    try:
        return parse_origin(f"{parts.scheme}://{parts.netloc}")
    except WrongInput:
        return None


def _refuse(found: Sequence[dict[str, Any]]) -> None:
    if found:
        raise InvalidInput(found[0]["message"], found)


def check(model: type[ModelT], given: object) -> ModelT:
    """Return what a client sent, as a model; InvalidInput with an issue for each of pydantic's errors."""
    try:
        return model.model_validate(given)
    except ValidationError as wrong:
        issues = [_issue(error) for error in wrong.errors(include_url=False)]
    where = ".".join(map(str, issues[0]["path"]))
    raise InvalidInput(f"Invalid input: {where}{': ' if where else ''}{issues[0]['message']}", issues)


def _issue(error: Mapping[str, Any]) -> dict[str, Any]:
    kind: str = error["type"]
    context: Mapping[str, Any] = error.get("ctx", {})
    issue: dict[str, Any] = {"code": "custom", "path": list(error["loc"]), "message": error["msg"]}
    match kind:
        case "missing":
            issue |= {
                "code": "invalid_type",
                "expected": "value",
                "received": "undefined",
                "message": "Required",
            }
        case "literal_error" | "enum":
            issue |= {"code": "invalid_value", "values": context["expected"].replace("'", "").split(" or ")}
        case "value_error":
            issue |= {"message": str(context["error"])}
        case "string_too_short" | "too_short" | "greater_than_equal":
            issue |= {"code": "too_small"}
        case "string_too_long" | "too_long" | "less_than_equal":
            issue |= {"code": "too_big"}
        case _ if kind.endswith(("_type", "_parsing")):
            issue |= {"code": "invalid_type", "expected": kind.partition("_")[0]}
    return issue
