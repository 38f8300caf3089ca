/** `read` reads the data anew and answers its `eventCursor`; `held` is the version that you hold of an id. */
export function resume(client, request, { read, held }, sink) {
  const variables = { ...request.variables }, seen = new Set();
  let hasStopped = false, stop = () => {};
  async function start() {
    variables.after ??= await read();
    // graphql-ws sends this very object again when it comes back by itself, with the cursor it then holds.
    if (!hasStopped) stop = client.subscribe({ ...request, variables }, { ...sink, next, error });
  }
  function next(result) {
    const change = Object.values(result.data ?? {})[0] ?? result.errors[0].extensions;
    if (!change.cursor) return error(result.errors);
    variables.after = change.cursor;
    const id = change.id ?? change.changeId;
    if (!seen.has(id) && change.version >= (held(change.entityId) ?? 0)) sink.next(result);
    if (seen.add(id).size > 1000) seen.delete(seen.values().next().value);
  }
  function error(problem) {
    stop();
    const code = problem[0]?.extensions?.code;
    if (code === "UNAUTHENTICATED") client.terminate(); // and come back with a fresh token
    else if (["CURSOR_EXPIRED", "INTERNAL_SERVER_ERROR"].includes(code)) variables.after = null;
    else if (code !== "DEADLINE_EXCEEDED") return sink.error(problem);
    setTimeout(() => start().catch(sink.error), 1000);
  }
  start().catch(sink.error);
  return () => ((hasStopped = true), stop());
}
