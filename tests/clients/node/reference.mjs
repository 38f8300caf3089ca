// The protocol's own server over our schema: what it answers to each frame is the protocol, the data is made up.
import { readFileSync } from "node:fs";
import { buildSchema } from "graphql";
import { useServer } from "graphql-ws/use/ws";
import { WebSocketServer } from "ws";

const [path] = process.argv.slice(2);
const schema = buildSchema(readFileSync(path, "utf8"));
const listeners = new Set();
const refuse = () => {
  throw new Error("refused");
};

/** Changes from the call on, until they are returned. */
function changes(field) {
  const queue = [];
  let hand;
  const listener = (change) => {
    queue.push({ value: { [field]: change }, done: false });
    if (hand) hand(queue.shift());
    hand = undefined;
  };
  listeners.add(listener);
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next: () => (queue.length > 0 ? Promise.resolve(queue.shift()) : new Promise((resolve) => (hand = resolve))),
    async return() {
      listeners.delete(listener);
      hand?.({ value: undefined, done: true });
      return { value: undefined, done: true };
    },
  };
}

const project = { __typename: "Project", id: "project", name: "made up" };
let sequence = 0;
const roots = {
  query: { viewer: () => ({ __typename: "User", id: "user" }), changes: refuse },
  mutation: {
    createProject() {
      sequence += 1;
      for (const listener of listeners) listener({ id: `change ${sequence}`, sequence, project });
      return { __typename: "CreateProjectPayload", project };
    },
  },
  subscription: {
    projectChanged: () => changes("projectChanged"),
    taskChanged: () => new Promise(() => {}),
    commentChanged: refuse,
  },
};

/** As a server does that looks its caller up; without a token it lets everybody in. */
async function onConnect({ connectionParams }) {
  await new Promise((resolve) => setTimeout(resolve, 20));
  const { authorization = "Bearer good" } = connectionParams ?? {};
  return authorization === "Bearer good";
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, path: "/graphql" });
useServer({ schema, roots, onConnect, connectionInitWaitTimeout: 60_000 }, server);
server.on("listening", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit());
