import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, Observable, gql } from "@apollo/client";
import { print } from "graphql";
import { resume } from "./resume.mjs";

const VERSION = gql`fragment Version on Task { version }`;

/** `socket` comes from `connect`; `read` reads with the client it is given and answers an `eventCursor`. */
export function apolloClient({ url, token, socket, read }) {
  const cache = new InMemoryCache();
  const held = (id) =>
    cache.readFragment({ id: cache.identify({ __typename: "Task", id }), fragment: VERSION })?.version;
  const subscriptions = new ApolloLink(
    ({ query, variables, operationName }) =>
      new Observable((observer) => {
        const sink = {
          next: (result) => observer.next(result),
          error: (problem) => observer.error(problem),
          complete: () => observer.complete(),
        };
        const request = { query: print(query), variables, operationName };
        return resume(socket, request, { read: () => read(client), held }, sink);
      }),
  );
  const http = new HttpLink({
    uri: url,
    fetch: async (uri, { headers, ...options }) =>
      fetch(uri, { ...options, headers: { ...headers, authorization: `Bearer ${await token()}` } }),
  });
  const isSubscription = ({ operationType }) => operationType === "subscription";
  const client = new ApolloClient({ cache, link: ApolloLink.split(isSubscription, subscriptions, http) });
  return client;
}
