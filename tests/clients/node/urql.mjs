import { Client, cacheExchange, fetchExchange, subscriptionExchange } from "@urql/core";
import { resume } from "./resume.mjs";

/** `socket` comes from `connect`; `read` reads with the client it is given and answers an `eventCursor`. */
export function urqlClient({ url, token, socket, read, held }) {
  const subscriptions = subscriptionExchange({
    forwardSubscription: ({ query, variables, operationName }) => ({
      subscribe: (sink) => ({
        unsubscribe: resume(
          socket,
          { query, variables, operationName },
          { read: () => read(client), held },
          sink,
        ),
      }),
    }),
  });
  const client = new Client({
    url,
    fetch: async (input, { headers, ...options }) =>
      fetch(input, { ...options, headers: { ...headers, authorization: `Bearer ${await token()}` } }),
    exchanges: [cacheExchange, subscriptions, fetchExchange],
  });
  return client;
}
