"""Run one page, and wait for its result."""

import os

from tinyfish import TinyFish

client = TinyFish(base_url=os.environ["BASE_URL"])
run = client.agent.run(url=os.environ["PAGE"], goal="Extract the title and the price")
print(run.model_dump_json())
