// List runs by goal, newest first, page by page.
import { RunStatus, TinyFish } from "@tiny-fish/sdk";

const client = new TinyFish({ baseURL: process.env.BASE_URL });
const made = [];
for (let n = 0; n < 3; n += 1) {
  const run = await client.agent.run({
    url: process.env.MISSING_PAGE,
    goal: `List me, number ${n}`,
  });
  made.push(run.run_id);
}
const found = [];
let cursor;
let total;
do {
  const page = await client.runs.list({ goal: "list me", status: RunStatus.FAILED, limit: 2, cursor });
  found.push(...page.data.map((run) => run.run_id));
  total = page.pagination.total;
  cursor = page.pagination.next_cursor ?? undefined;
} while (cursor);
console.log(JSON.stringify({ made, found, total }));
