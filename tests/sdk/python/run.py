"""Ask, wait, read the answer."""

import json
import os

from tinyfish import TinyFish

client = TinyFish(base_url=os.environ["BASE_URL"])
run = client.agent.run(
    url=os.environ["PAGE"], goal="Read the book", output_schema=json.loads(os.environ["SCHEMA"])
)
print(run.model_dump_json())
