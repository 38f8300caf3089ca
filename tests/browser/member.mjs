// A member of a tenant who works on its tasks over HTTP.
const CREATE = `mutation ($input: CreateTaskInput!) {
  result: createTask(input: $input) { ... on CreateTaskPayload { task { id } } ... on Error { message } }
}`;
const UPDATE = `mutation ($input: UpdateTaskInput!) {
  result: updateTask(input: $input) { ... on UpdateTaskPayload { task { id } } ... on Error { message } }
}`;

export class Member {
  /** What was done: `{ task, title, at }`; `at` is when it was asked for, in milliseconds since the epoch. */
  done = [];
  #url;
  #headers;

  constructor(origin, token) {
    this.#url = `${origin}/graphql`;
    this.#headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
  }

  /** The new task's id. */
  async create(title) {
    const { projects } = await this.#data("{ projects(first: 1) { edges { node { id } } } }");
    return this.#change(CREATE, { projectId: projects.edges[0].node.id, title });
  }

  async rename(id, title) {
    await this.#change(UPDATE, { id, title });
  }

  async #change(mutation, input) {
    const at = Date.now();
    const { result } = await this.#data(mutation, { input });
    if (!result.task) throw new Error(result.message);
    this.done.push({ task: result.task.id, title: input.title, at });
    return result.task.id;
  }

  async #data(query, variables) {
    const body = JSON.stringify({ query, variables });
    const response = await fetch(this.#url, { method: "POST", headers: this.#headers, body });
    const { data, errors } = await response.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data;
  }
}
