"""The endpoint of the model engine, and an HTTP client that connects to nothing else."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from batchfish.errors import WrongInput

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, MutableMapping

    from pydantic_ai.models import Model

URL = "BATCHFISH_MODEL_URL"
MODEL = "BATCHFISH_MODEL"
KEY = "BATCHFISH_MODEL_KEY"
MEANINGS = {
    URL: "the base URL of an OpenAI-compatible API, such as http://127.0.0.1:11434/v1",
    MODEL: "the name of a model there",
    KEY: "its key; any word does where none is asked for",
}
OTHERS = "OPENAI_"
CONNECT_TIME = 10.0
SEND_AGAIN = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelEndpoint:
    """A model behind an OpenAI-compatible API; its repr does not show the key."""

    url: str
    model: str
    key: str = field(repr=False)


def take_endpoint(env: MutableMapping[str, str]) -> ModelEndpoint:
    """Read the endpoint from an environment, and remove the key from it: child processes inherit the rest.

    Variables of the client library are removed as well: they would add headers or log what is sent.
    WrongInput when a variable is missing or the URL is none.
    """
    values = {name: env.get(name, "").strip() for name in MEANINGS}
    missing = [name for name, value in values.items() if not value]
    if missing:
        needed = "; ".join(f"{name} is not set: {MEANINGS[name]}" for name in missing)
        raise WrongInput(f"--engine model needs a model to ask. {needed}.")
    try:
        parts = urlsplit(values[URL])
        is_web = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_web = False
    if not is_web:
        raise WrongInput(f"{URL} is no http or https URL: {values[URL]!r}.")
    for name in [KEY, *(name for name in env if name.startswith(OTHERS))]:
        del env[name]
    return ModelEndpoint(url=values[URL], model=values[MODEL], key=values[KEY])


@contextlib.asynccontextmanager
async def client_of(endpoint: ModelEndpoint) -> AsyncIterator[Model]:
    """Open the client of an endpoint: it follows no redirects and ignores proxies of the environment.

    An answer may take as long as the run may: the run's own limits end it.
    """
    import pydantic_ai
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    pydantic_ai.BANNER_ENABLED = False
    http = DefaultAsyncHttpxClient(
        trust_env=False, follow_redirects=False, timeout=Timeout(None, connect=CONNECT_TIME)
    )
    # What an endpoint cannot do shows in its answers: the engine then asks in a plainer way.
    profile = OpenAIModelProfile(
        supports_tools=True, supports_json_schema_output=True, openai_supports_strict_tool_definition=False
    )
    async with AsyncOpenAI(
        base_url=endpoint.url, api_key=endpoint.key, max_retries=SEND_AGAIN, http_client=http
    ) as client:
        provider = OpenAICompatibleProvider("model-endpoint", openai_client=client, profile=profile)
        yield OpenAIChatModel(endpoint.model, provider=provider)
