"""Stream a run: by callbacks, and event by event."""

import json
import os

from tinyfish import TinyFish

client = TinyFish(base_url=os.environ["BASE_URL"])
called: list[str] = []
with client.agent.stream(
    url=os.environ["PAGE"],
    goal="Read the book",
    output_schema=json.loads(os.environ["SCHEMA"]),
    on_started=lambda event: called.append(event.type),
    on_streaming_url=lambda event: called.append(event.type),
    on_progress=lambda event: called.append(event.type),
    on_heartbeat=lambda event: called.append(event.type),
    on_complete=lambda event: called.append(event.type),
) as stream:
    events = [json.loads(event.model_dump_json(by_alias=False)) for event in stream]
print(json.dumps({"called": called, "events": events}))
