import { createClient } from "graphql-ws";

const FATAL = "connection_error"; // the server's last word: a frame that is none of the protocol's
const wait = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** One socket for all subscriptions; `token` answers a fresh token each time it is asked. */
export function connect(url, token, { pongWithin = 10_000, ...options } = {}) {
  let silence;
  const client = createClient({
    url,
    connectionParams: async () => ({ authorization: `Bearer ${await token()}` }),
    keepAlive: 60_000,
    retryAttempts: Infinity,
    retryWait: (tries) => wait(Math.min(1000 * 2 ** tries, 8000) * (0.5 + Math.random())),
    shouldRetry: ({ message }) => !message?.includes(FATAL),
    ...options,
  });
  // A line can die without a word: then no pong comes, and graphql-ws itself would wait on.
  client.on("ping", (isTheirs) => {
    if (!isTheirs) silence = setTimeout(() => client.terminate(), pongWithin);
  });
  client.on("pong", () => clearTimeout(silence));
  client.on("closed", () => clearTimeout(silence));
  return client;
}
