// Stream a run, cancel it at the first heartbeat, and read the stream to its end.
import { TinyFish } from "@tiny-fish/sdk";

const client = new TinyFish({ baseURL: process.env.BASE_URL });
const seen = [];
let end = null;
let runId = null;
let isCancelled = false;
const stream = await client.agent.stream(
  { url: process.env.SILENT_PAGE, goal: "Wait for a page that never comes" },
  {
    onComplete: (event) => {
      end = event;
    },
  },
);
for await (const event of stream) {
  seen.push(event.type);
  if (event.type === "STARTED") runId = event.run_id;
  if (event.type === "HEARTBEAT" && !isCancelled) {
    isCancelled = true;
    const answer = await fetch(`${process.env.BASE_URL}/v1/runs/${runId}/cancel`, {
      method: "POST",
      headers: { "X-API-Key": process.env.TINYFISH_API_KEY },
    });
    if (!answer.ok) throw new Error(`cancel: ${answer.status}`);
  }
}
console.log(JSON.stringify({ seen, end }));
