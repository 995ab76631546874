"""Stream a run, cancel it at the first heartbeat, and read the stream to its end."""

import json
import os

import httpx
from tinyfish import HeartbeatEvent, StartedEvent, TinyFish

client = TinyFish(base_url=os.environ["BASE_URL"])
seen: list[str] = []
ends: list[object] = []
run_id, is_cancelled = "", False
with client.agent.stream(
    url=os.environ["SILENT_PAGE"],
    goal="Wait for a page that never comes",
    on_complete=lambda event: ends.append(json.loads(event.model_dump_json())),
) as stream:
    for event in stream:
        seen.append(event.type)
        if isinstance(event, StartedEvent):
            run_id = event.run_id
        elif isinstance(event, HeartbeatEvent) and not is_cancelled:
            is_cancelled = True
            httpx.post(
                f"{os.environ['BASE_URL']}/v1/runs/{run_id}/cancel",
                headers={"X-API-Key": os.environ["TINYFISH_API_KEY"]},
            ).raise_for_status()
print(json.dumps({"seen": seen, "end": ends[-1]}))
