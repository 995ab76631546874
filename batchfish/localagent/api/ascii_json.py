"""JSON answers that any text fits into."""

import json
from typing import Any

from fastapi.responses import Response


class Json(Response):
    """An answer in ASCII: half a character, which pages may hold, has no other spelling."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - any JSON
        """Write the document."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
