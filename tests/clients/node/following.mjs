// A client in a process of its own: what it is told goes to standard output, a line for each.
import { gql } from "@apollo/client";
import WebSocket from "ws";
import { apolloClient } from "./apollo.mjs";
import { connect } from "./connect.mjs";
import { resume } from "./resume.mjs";
import { urqlClient } from "./urql.mjs";

const [name, given] = process.argv.slice(2);
const settings = JSON.parse(given);
const variables = { project: settings.project };
const tell = (line) => console.log(JSON.stringify(line));

const tokens = [...settings.tokens];
const token = async () => (tokens.length > 1 ? tokens.shift() : tokens[0]);
const socket = connect(settings.ws, token, {
  webSocketImpl: WebSocket,
  retryWait: () => new Promise((done) => setTimeout(done, 100)),
});

let reads = 0;
let stored = settings.after;
let versions = new Map();
const held = (id) => versions.get(id);

/** A client that has stored a cursor begins with that one. */
async function read(list) {
  tell({ read: ++reads });
  const { tasks } = (await list()).project;
  versions = new Map(tasks.edges.map(({ node }) => [node.id, node.version]));
  const cursor = stored ?? tasks.eventCursor;
  stored = undefined;
  return cursor;
}

/** An event, or what came in its place; Apollo and urql wrap the errors of a result. */
function onResult({ data, errors, error }) {
  const [first] = errors ?? error?.errors ?? error?.graphQLErrors ?? [];
  if (data?.taskChanged) tell({ change: data.taskChanged });
  else if (first?.extensions.truncated) tell({ stub: first.extensions });
  else tell({ problem: String(error?.networkError ?? error) });
}
const sink = { next: onResult, error: (problem) => tell({ problem: String(problem) }), complete: () => {} };

const clients = {
  "graphql-ws"() {
    const list = async () => {
      const headers = { "content-type": "application/json", authorization: `Bearer ${settings.tokens.at(-1)}` };
      const body = JSON.stringify({ query: settings.list, variables });
      return (await (await fetch(settings.http, { method: "POST", headers, body })).json()).data;
    };
    resume(socket, { query: settings.subscription, variables }, { read: () => read(list), held }, sink);
  },
  apollo() {
    const query = gql(settings.list);
    const client = apolloClient({
      url: settings.http,
      token: async () => settings.tokens.at(-1),
      socket,
      read: (own) =>
        read(async () => (await own.query({ query, variables, fetchPolicy: "network-only" })).data),
    });
    client.subscribe({ query: gql(settings.subscription), variables }).subscribe(sink);
  },
  urql() {
    const client = urqlClient({
      url: settings.http,
      token: async () => settings.tokens.at(-1),
      socket,
      read: (own) =>
        read(async () => (await own.query(settings.list, variables, { requestPolicy: "network-only" })).data),
      held,
    });
    client.subscription(settings.subscription, variables).subscribe(onResult);
  },
};
clients[name]();
