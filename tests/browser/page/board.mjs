// A page that reads tasks and then follows them: the documented way to resume, as a browser runs it.
import { connect } from "/board/connect.mjs";
import { resume } from "/board/resume.mjs";

const LIST = "{ tasks(first: 10) { eventCursor edges { node { id version } } } }";
const SUBSCRIPTION = `subscription ($after: String) {
  taskChanged(after: $after) { id sequence cursor entityId version task { title } }
}`;
// The documented heartbeat, in less than a minute.
const PING_MILLISECONDS = 2_000;
const PONG_MILLISECONDS = 3_000;

function connected(token, board) {
  const times = { keepAlive: PING_MILLISECONDS, pongWithin: PONG_MILLISECONDS };
  const socket = connect(`ws://${location.host}/graphql`, async () => token, times);
  socket.on("connected", () => board.sockets++);
  return socket;
}

/** Tells of changes as `{ id, sequence, entityId, title, at }`; `at` is in milliseconds since the epoch. */
function follow(token) {
  const board = { reads: 0, sockets: 0, changes: [], refusals: [] };
  const versions = new Map();

  async function read() {
    board.reads++;
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    const response = await fetch("/graphql", { method: "POST", headers, body: JSON.stringify({ query: LIST }) });
    const { tasks } = (await response.json()).data;
    for (const { node } of tasks.edges) versions.set(node.id, node.version);
    return tasks.eventCursor;
  }

  function next({ data }) {
    const { id, sequence, entityId, version, task } = data.taskChanged;
    versions.set(entityId, version);
    board.changes.push({ id, sequence, entityId, title: task.title, at: Date.now() });
  }

  const refused = (problem) => board.refusals.push(String(problem?.message ?? JSON.stringify(problem)));
  const sink = { next, error: refused, complete: () => refused("complete") };
  const held = (id) => versions.get(id);
  resume(connected(token, board), { query: SUBSCRIPTION }, { read, held }, sink);
  return board;
}

window.follow = (token) => (window.board = follow(token));
