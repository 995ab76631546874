"""Cancel a queued run with an ordinary request: the SDK has no method for it."""

import json
import os

import httpx
from tinyfish import TinyFish

client = TinyFish(base_url=os.environ["BASE_URL"])
queued = client.agent.queue(url=os.environ["SILENT_PAGE"], goal="Wait for a page that never comes")


def cancel() -> object:
    """Send the request."""
    answer = httpx.post(
        f"{os.environ['BASE_URL']}/v1/runs/{queued.run_id}/cancel",
        headers={"X-API-Key": os.environ["TINYFISH_API_KEY"]},
    )
    return answer.raise_for_status().json()


first, again = cancel(), cancel()
print(json.dumps({"first": first, "again": again, "status": client.runs.get(str(queued.run_id)).status}))
