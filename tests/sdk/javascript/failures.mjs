// Four failures: a page that does not exist, a refused schema, a refused key, and an unknown run.
import { AuthenticationError, BadRequestError, NotFoundError, TinyFish } from "@tiny-fish/sdk";

const client = new TinyFish({ baseURL: process.env.BASE_URL });
const run = await client.agent.run({ url: process.env.MISSING_PAGE, goal: "Read what is not there" });

async function refusal(kind, call) {
  try {
    await call();
  } catch (error) {
    if (error instanceof kind) return error.message;
    throw error;
  }
  return null;
}

const schema = await refusal(BadRequestError, () =>
  client.agent.queue({
    url: process.env.PAGE,
    goal: "Read",
    output_schema: { type: "object", oneOf: [] },
  }),
);
const unknown = await refusal(NotFoundError, () => client.runs.get("no-such-run"));
const stranger = new TinyFish({ baseURL: process.env.BASE_URL, apiKey: "another-key" });
const key = await refusal(AuthenticationError, () => stranger.runs.list());
console.log(JSON.stringify({ run, schema, unknown, key }));
