"""Four failures: a page that does not exist, a refused schema, a refused key, and an unknown run."""

import json
import os

from tinyfish import AuthenticationError, BadRequestError, NotFoundError, TinyFish

client = TinyFish(base_url=os.environ["BASE_URL"])
run = client.agent.run(url=os.environ["MISSING_PAGE"], goal="Read what is not there")
found = {"run": json.loads(run.model_dump_json())}
try:
    client.agent.queue(url=os.environ["PAGE"], goal="Read", output_schema={"type": "object", "oneOf": []})
except BadRequestError as refused:
    found["schema"] = str(refused)
try:
    client.runs.get("no-such-run")
except NotFoundError as refused:
    found["unknown"] = str(refused)
try:
    TinyFish(base_url=os.environ["BASE_URL"], api_key="another-key").runs.list()
except AuthenticationError as refused:
    found["key"] = str(refused)
print(json.dumps(found))
