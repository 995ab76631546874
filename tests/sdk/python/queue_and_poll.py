"""Queue a run, and poll it until it has ended."""

import json
import os
import time

from tinyfish import RunStatus, TinyFish

client = TinyFish(base_url=os.environ["BASE_URL"])
queued = client.agent.queue(
    url=os.environ["PAGE"], goal="Read the book", output_schema=json.loads(os.environ["SCHEMA"])
)
if queued.error is not None or queued.run_id is None:
    raise SystemExit(f"not queued: {queued.error}")
run = client.runs.get(queued.run_id)
while run.status in {RunStatus.PENDING, RunStatus.RUNNING}:
    time.sleep(0.05)
    run = client.runs.get(queued.run_id)
print(run.model_dump_json())
