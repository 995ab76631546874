// Ask, wait, read the answer.
import { TinyFish } from "@tiny-fish/sdk";

const client = new TinyFish({ baseURL: process.env.BASE_URL });
const run = await client.agent.run({
  url: process.env.PAGE,
  goal: "Read the book",
  output_schema: JSON.parse(process.env.SCHEMA),
});
console.log(JSON.stringify(run));
