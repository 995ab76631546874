// Cancel a queued run with an ordinary request: the SDK has no method for it.
import { TinyFish } from "@tiny-fish/sdk";

const client = new TinyFish({ baseURL: process.env.BASE_URL });
const queued = await client.agent.queue({
  url: process.env.SILENT_PAGE,
  goal: "Wait for a page that never comes",
});

async function cancel() {
  const answer = await fetch(`${process.env.BASE_URL}/v1/runs/${queued.run_id}/cancel`, {
    method: "POST",
    headers: { "X-API-Key": process.env.TINYFISH_API_KEY },
  });
  if (!answer.ok) throw new Error(`cancel: ${answer.status}`);
  return answer.json();
}

const first = await cancel();
const again = await cancel();
const { status } = await client.runs.get(queued.run_id);
console.log(JSON.stringify({ first, again, status }));
