"""A schema of the product's shapes, small enough to count by hand."""

from types import SimpleNamespace

from graphql import GraphQLObjectType, GraphQLSchema, build_schema

SDL = """
interface Node { id: ID! }
type Query {
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  task(id: ID!): Task
  tasks(first: Int, after: String, tags: [String!]): TaskConnection!
  recent(first: Int! = 5): [Task!]!
  search: [Found!]!
  statuses: [String!]!
}
type Mutation {
  createTask(input: CreateTaskInput!): CreateTaskResult!
  createTasks(input: CreateTasksInput!): CreateTasksPayload!
  deleteTasks(ids: [ID!]!): CreateTasksPayload!
}
type Subscription { taskChanged: Task! }
type Task implements Node {
  id: ID!  title: String!
  assignee: User  parent: Task
  labels: [Label!]!  watchers: [User!]!  history: [User!]!
  comments(first: Int, after: String): CommentConnection!
  attachments: CommentConnection!
}
type User implements Node { id: ID!  name: String!  tasks(first: Int, after: String): TaskConnection! }
type Comment implements Node { id: ID!  author: User }
type Label { name: String! }
union Found = Task | User
type PageInfo { hasNextPage: Boolean! }
type TaskConnection { edges: [TaskEdge!]!  nodes: [Task!]!  pageInfo: PageInfo! }
type TaskEdge { cursor: String!  node: Task! }
type CommentConnection { edges: [CommentEdge!]!  pageInfo: PageInfo! }
type CommentEdge { cursor: String!  node: Comment! }
input CreateTaskInput { title: String!  tags: [String!]  assigneeId: ID }
input CreateTasksInput { tasks: [CreateTaskInput!]!  idempotencyKey: String }
type CreateTaskPayload { task: Task! }
type CreateTasksPayload { results: [CreateTaskResult!]! }
type ConflictError { message: String!  current: Task }
union CreateTaskResult = CreateTaskPayload | ConflictError
"""

METADATA = {
    ("Query", "tasks"): {"query": True},
    ("User", "tasks"): {"query": True},
    ("Task", "comments"): {"query": True, "embedded": 3},
    ("Task", "watchers"): {"list_size": 4},
    ("Task", "history"): {"cost": 0},
    ("Task", "parent"): {"cost": 7},
    ("CreateTasksPayload", "results"): {"list_size": 1},
}


def build() -> GraphQLSchema:
    """The schema, with metadata where Strawberry leaves them."""
    schema = build_schema(SDL)
    for (type_name, field_name), metadata in METADATA.items():
        owner = schema.type_map[type_name]
        assert isinstance(owner, GraphQLObjectType)
        owner.fields[field_name].extensions = {"strawberry-definition": SimpleNamespace(metadata=metadata)}
    return schema


SCHEMA = build()
