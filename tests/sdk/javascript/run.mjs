// Run one page, and wait for its result.
import { TinyFish } from "@tiny-fish/sdk";

const client = new TinyFish({ baseURL: process.env.BASE_URL });
const run = await client.agent.run({
  url: process.env.PAGE,
  goal: "Extract the title and the price",
});
console.log(JSON.stringify(run));
