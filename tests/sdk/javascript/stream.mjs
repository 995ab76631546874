// Stream a run: by callbacks, and event by event.
import { TinyFish } from "@tiny-fish/sdk";

const client = new TinyFish({ baseURL: process.env.BASE_URL });
const called = [];
const note = (event) => called.push(event.type);
const stream = await client.agent.stream(
  { url: process.env.PAGE, goal: "Read the book", output_schema: JSON.parse(process.env.SCHEMA) },
  { onStarted: note, onStreamingUrl: note, onProgress: note, onHeartbeat: note, onComplete: note },
);
const events = [];
for await (const event of stream) events.push(event);
console.log(JSON.stringify({ called, events }));
