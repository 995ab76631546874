"""List runs by goal, newest first, page by page."""

import json
import os

from tinyfish import RunStatus, TinyFish

client = TinyFish(base_url=os.environ["BASE_URL"])
made = [
    client.agent.run(url=os.environ["MISSING_PAGE"], goal=f"List me, number {n}").run_id for n in range(3)
]
found: list[str] = []
cursor: str | None = None
while True:
    page = client.runs.list(goal="list me", status=RunStatus.FAILED, limit=2, cursor=cursor)
    found += [run.run_id for run in page.data]
    cursor = page.pagination.next_cursor
    if not page.pagination.has_more:
        break
print(json.dumps({"made": made, "found": found, "total": page.pagination.total}))
