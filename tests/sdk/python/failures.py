"""What goes wrong: a page that is not there, a schema and a key that are refused, a run nobody made."""

import json
import os

from tinyfish import AuthenticationError, BadRequestError, NotFoundError, TinyFish

client = TinyFish(base_url=os.environ["BASE_URL"])
run = client.agent.run(url=os.environ["MISSING_PAGE"], goal="Read what is not there")
told = {"run": json.loads(run.model_dump_json())}
try:
    client.agent.queue(url=os.environ["PAGE"], goal="Read", output_schema={"type": "object", "oneOf": []})
except BadRequestError as refused:
    told["schema"] = str(refused)
try:
    client.runs.get("no-such-run")
except NotFoundError as refused:
    told["unknown"] = str(refused)
try:
    TinyFish(base_url=os.environ["BASE_URL"], api_key="another-key").runs.list()
except AuthenticationError as refused:
    told["key"] = str(refused)
print(json.dumps(told))
