// Queue a run, and poll it until it has ended.
import { RunStatus, TinyFish } from "@tiny-fish/sdk";

const client = new TinyFish({ baseURL: process.env.BASE_URL });
const queued = await client.agent.queue({
  url: process.env.PAGE,
  goal: "Read the book",
  output_schema: JSON.parse(process.env.SCHEMA),
});
if (queued.error) throw new Error(queued.error.message);
let run = await client.runs.get(queued.run_id);
while (run.status === RunStatus.PENDING || run.status === RunStatus.RUNNING) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  run = await client.runs.get(queued.run_id);
}
console.log(JSON.stringify(run));
