"""Documents that are too much, not GraphQL, or after what is not theirs to know."""

from tests.security.corpus.attack import (
    CANARY,
    COMPLEX,
    INPUT,
    INTROSPECTION,
    MISSING,
    PARSE,
    REQUEST,
    RESOLUTION,
    VALIDATION,
    Attacks,
    fan_out,
    in_task,
    nested,
    times,
)

DOCUMENTS = Attacks()

# Fragments
for count in (12, 16, 23, 40, 49):
    DOCUMENTS.document(f"fragment fan-out x{count}", COMPLEX, fan_out(count))
DOCUMENTS.document("more fragments than anybody needs", COMPLEX, fan_out(51, "...F#"))
DOCUMENTS.document(
    "fragment fan-out through fields",
    COMPLEX,
    fan_out(20, "a: project { tasks { edges { node { ...F# } } } } ...F#"),
)
DOCUMENTS.document(
    "fragment fan-out through inline fragments",
    COMPLEX,
    fan_out(20, "... { ...F# } ... on Task { ...F# }"),
)
DOCUMENTS.document("fragment fan-out that ends nowhere", COMPLEX, fan_out(20, leaf="...Nowhere"))
DOCUMENTS.document("fragment fan-out behind a skip", COMPLEX, fan_out(20, root="...F0 @skip(if: true)"))
DOCUMENTS.document("fragment fan-out nobody uses", COMPLEX, fan_out(20, root="id"))
DOCUMENTS.document(
    "fragment fan-out in an operation nobody runs",
    COMPLEX,
    fan_out(20).replace("{", "query A { tenant { id } } query B {", 1),
    operationName="A",
)
DOCUMENTS.document(
    "fragment fan-out under introspection",
    COMPLEX,
    fan_out(20).replace('task(id: "x")', "__schema"),
)
DOCUMENTS.document("wide fragment fan-out", COMPLEX, fan_out(8, "...F# " * 8))
DOCUMENTS.document(
    "fragment that spreads itself", VALIDATION, in_task("...A") + " fragment A on Task { ...A }"
)
DOCUMENTS.document(
    "two fragments in a circle",
    VALIDATION,
    in_task("...A") + " fragment A on Task { id ...B } fragment B on Task { id ...A }",
)
DOCUMENTS.document(
    "circle through a field",
    VALIDATION,
    in_task("...A") + " fragment A on Task { project { tasks { edges { node { ...A } } } } }",
)
DOCUMENTS.document(
    "circle of forty fragments",
    VALIDATION,
    in_task("...F0")
    + times("fragment F# on Task { id ...G# }", 20)
    + " ".join(f"fragment G{n} on Task {{ id ...F{(n + 1) % 20} }}" for n in range(20)),
)
DOCUMENTS.document(
    "every fragment spreads every other",
    COMPLEX,
    in_task("...F0") + times("fragment F# on Task { id " + times("...F#", 9) + " }", 9),
)
DOCUMENTS.document(
    "thirty fragments with the same fields",
    VALIDATION,
    in_task(times("...F#", 30)) + times("fragment F# on Task { id title status nope }", 30),
)
DOCUMENTS.document("unknown fragment", VALIDATION, in_task("...Nowhere"))
DOCUMENTS.document("unused fragments", VALIDATION, in_task("id") + times("fragment F# on Task { id }", 40))
DOCUMENTS.document("fragment on a scalar", VALIDATION, in_task("...A") + " fragment A on String { id }")
DOCUMENTS.document("fragment defined twice", VALIDATION, in_task("...A") + " fragment A on Task { id }" * 2)

# Depth
DEEPER = "project { tasks { edges { node {"
DOCUMENTS.document("thirteen levels", COMPLEX, in_task(nested(3, DEEPER, "id", "}}}}")))
DOCUMENTS.document("sixty levels", COMPLEX, in_task(nested(15, DEEPER, "id", "}}}}")))
DOCUMENTS.document("hundred inline fragments", COMPLEX, in_task(nested(100, "... {", "id", "}")))
DOCUMENTS.document("three hundred selection sets", COMPLEX, nested(300, "{a", "", "}"))
DOCUMENTS.document(
    "hundred lists in a literal", COMPLEX, "{ task(id: " + nested(100, "[", "", "]") + ") { id } }"
)
DOCUMENTS.document(
    "three hundred lists in a literal", COMPLEX, "{ task(id: " + nested(300, "[", "", "]") + ") { id } }"
)
DOCUMENTS.document(
    "hundred objects in a literal",
    COMPLEX,
    "{ tasks(filter: " + nested(100, "{a: ", "1", "}") + ") { __typename } }",
)
DOCUMENTS.document(
    "hundred lists in a default",
    COMPLEX,
    "query($a: ID = " + nested(100, "[", "", "]") + ") { tenant { id } }",
)
DOCUMENTS.document(
    "three hundred lists in a type",
    COMPLEX,
    "query($a: " + nested(300, "[", "ID", "]") + ") { tenant { id } }",
)
DOCUMENTS.document(
    "thirty lists in a type",
    VALIDATION,
    "query($a: " + nested(30, "[", "ID", "]") + ") { task(id: $a) { id } }",
)

# Breadth
DOCUMENTS.document("hundred aliases of __typename", COMPLEX, "{" + times("a#: __typename", 101) + "}")
DOCUMENTS.document("sixteen aliases", COMPLEX, in_task(times("a#: id", 16)))
DOCUMENTS.document(
    "aliases by way of a fragment",
    COMPLEX,
    "{" + times('t#: task(id: "x") { ...A }', 4) + "} fragment A on Task {" + times("a#: id", 4) + "}",
)
DOCUMENTS.document("eleven root fields", COMPLEX, "{" + times('a#: task(id: "x") { id }', 11) + "}")
DOCUMENTS.document(
    "brute force by aliased mutations",
    COMPLEX,
    "mutation {"
    + times('a#: inviteUser(input: {email: "a#@b.example", name: "a"}) { __typename }', 20)
    + "}",
)
DOCUMENTS.document(
    "brute force by a mutation in fragments",
    COMPLEX,
    "mutation {" + "...A " * 12 + '} fragment A on Mutation { suspendUser(input: {id: "x"}) { __typename } }',
)
DOCUMENTS.document("fifty-one directives", COMPLEX, in_task(times("id @include(if: true)", 51)))
DOCUMENTS.document("eleven directives in one place", COMPLEX, in_task("id" + " @include(if: true)" * 11))
DOCUMENTS.document("five hundred unknown directives", COMPLEX, "{ __typename" + "@aa" * 490 + "}")
DOCUMENTS.document("ten unknown directives", VALIDATION, "{ __typename" + "@aa" * 10 + "}")
DOCUMENTS.document("directive where none may be", VALIDATION, "query @skip(if: true) { tenant { id } }")
DOCUMENTS.document("five hundred duplicate scalars", COMPLEX, in_task("title " * 500))
DOCUMENTS.document("nine hundred duplicate scalars", COMPLEX, in_task("title " * 900))
DOCUMENTS.document("two hundred duplicate objects", COMPLEX, in_task("project { id } " * 200))
DOCUMENTS.document("duplicates of duplicates", COMPLEX, in_task(("project {" + " id" * 8 + "} ") * 60))
DOCUMENTS.document("duplicates in inline fragments", COMPLEX, in_task("... { title } " * 70))
DOCUMENTS.document(
    "duplicates of a subtree",
    COMPLEX,
    in_task("comments { edges { node { author { id } task { id } } } } " * 51),
)
DOCUMENTS.document(
    "duplicates under inline fragments in one another",
    COMPLEX,
    in_task(nested(48, "... {", "id " * 40, "}")),
)
DOCUMENTS.document(
    "fifty fragments with ten fields in common",
    COMPLEX,
    in_task(times("...F#", 50))
    + times(
        "fragment F# on Task { id title description status priority dueOn position version commentCount"
        " updatedAt }",
        50,
    ),
)
DOCUMENTS.document(
    "a chain of fragments with fields in common",
    COMPLEX,
    in_task("...F0")
    + " ".join(f"fragment F{n} on Task {{ id title status dueOn ...F{n + 1} }}" for n in range(45))
    + " fragment F45 on Task { id }",
)
DOCUMENTS.document(
    "three inputs of a hundred unknown members",
    COMPLEX,
    "mutation {" + times("a#: createTask(input: {" + times("k#: 1", 100) + "}) { __typename }", 3) + "}",
)
DOCUMENTS.document(
    "a price no variables can lower, and nine hundred unknown fields",
    COMPLEX,
    "{ users(first: 100) { edges { node { tasks(first: 100) { edges { node { comments(first: 100) { edges {"
    " node { " + times("f#", 850) + " } } } } } } } } } }",
)
DOCUMENTS.document(
    "sixteen aliases of a place in the log",
    COMPLEX,
    "{ users { " + times("a#: eventCursor", 16) + " } }",
)
DOCUMENTS.document(
    "five hundred duplicates of a place in the log", COMPLEX, "{ users { " + "eventCursor " * 500 + " } }"
)
DOCUMENTS.document(
    "a place in the log for each of a hundred projects",
    COMPLEX,
    "{ projects(first: 100) { eventCursor edges { node { tasks(first: 100) { eventCursor } } } } }",
)
DOCUMENTS.document(
    "ten lists, each with its place in the log", COMPLEX, "{" + times("a#: tasks { eventCursor }", 10) + "}"
)
DOCUMENTS.document(
    "a place in the log, in vain",
    MISSING,
    '{ task(id: "eventCursor") { comments { eventCursor } } }',
    status=200,
)
DOCUMENTS.document("a place in the log of no list", VALIDATION, "{ tenant { eventCursor } }")
DOCUMENTS.document("fields in conflict", VALIDATION, in_task("id: title id"))
DOCUMENTS.document("fifty fields in conflict", VALIDATION, in_task("id: title " + "id " * 49))
DOCUMENTS.document("two thousand tokens", COMPLEX, in_task(times("f#", 2000)))
DOCUMENTS.document("nine hundred unknown fields", VALIDATION, in_task(times("titl#", 900)))
DOCUMENTS.document("twenty thousand commas", COMPLEX, in_task("id" + "," * 20_480))
DOCUMENTS.document("twenty kilobytes of blanks", COMPLEX, " " * 20_480 + in_task("id"))
DOCUMENTS.document("one long comment", COMPLEX, in_task("id") + "#" + "x" * 20_480)
DOCUMENTS.document("hundred and one comments", COMPLEX, in_task("id") + "#\n" * 101)
DOCUMENTS.document("four thousand comments before anything", COMPLEX, "#\n" * 4000 + in_task("id"))
DOCUMENTS.document("long field name", VALIDATION, in_task("f" * 18_000))
DOCUMENTS.document("long string before a syntax error", PARSE, '{ a "' + "x" * 18_000 + '" }')
DOCUMENTS.document("long block string", VALIDATION, '{ task(id: """' + "\n   x" * 4000 + '""") { nope } }')
DOCUMENTS.document("eleven operations", COMPLEX, times("query Q# { tenant { id } }", 11), operationName="Q0")
DOCUMENTS.document("thousand operations", COMPLEX, "query A{a}" * 1000, operationName="A")
DOCUMENTS.document(
    "hundreds of variables", VALIDATION, "query(" + times("$v#: Int", 240) + ") { tenant { id } }"
)
DOCUMENTS.document("hundreds of arguments", VALIDATION, "{ tenant(" + times("a#: 1", 300) + ") { id } }")
DOCUMENTS.document(
    "hundreds of members",
    COMPLEX,
    "{ tasks(filter: {" + times("a#: 1", 300) + "}) { __typename } }",
)

# Operations and syntax
DOCUMENTS.document(
    "several operations, none named", RESOLUTION, "query A { tenant { id } } query B { tenant { id } }"
)
DOCUMENTS.document(
    "an operation that is not there", RESOLUTION, "query A { tenant { id } }", operationName="B" * 10_000
)
DOCUMENTS.document(
    "an operation of Python's", RESOLUTION, "query A { tenant { id } }", operationName="__class__"
)
DOCUMENTS.document(
    "two operations of one name",
    VALIDATION,
    "query A { tenant { id } } query A { users { __typename } }",
    operationName="A",
)
DOCUMENTS.document(
    "an anonymous operation besides",
    VALIDATION,
    "{ tenant { id } } query A { tenant { id } }",
    operationName="A",
)
DOCUMENTS.document("mutation beside a query of the same field", VALIDATION, "mutation { tenant { id } }")
for name, source in {
    "alone": "subscription { taskChanged { id } }",
    "from a forged place": 'subscription { taskChanged(after: "x") { id } }',
    "of another tenant's task": 'subscription { commentChanged(taskId: "x") { comment { body } } }',
    "with a list": "subscription { taskChanged { task { comments { eventCursor } } } }",
}.items():
    DOCUMENTS.document(f"subscription over POST: {name}", REQUEST, source)
for name, source in {
    "two root fields": "subscription { taskChanged { id } projectChanged { id } }",
    "two aliases": "subscription { a: taskChanged { id } b: taskChanged { id } }",
    "ten root fields": "subscription {" + times("a#: taskChanged { id }", 10) + "}",
    "two root fields in a fragment": "subscription { ...A } fragment A on Subscription {"
    " taskChanged { id } projectChanged { id } }",
    "a root field to skip": "subscription { taskChanged { id } projectChanged @skip(if: true) { id } }",
    "its type's name": "subscription { __typename }",
    "a field of a query": "subscription { tenant { id } }",
    "a field of a mutation": 'subscription { suspendUser(input: {id: "x"}) { __typename } }',
}.items():
    DOCUMENTS.document(f"subscription over POST: {name}", VALIDATION, source)
for name, source in {
    "eleven root fields": "subscription {" + times("a#: taskChanged { id }", 11) + "}",
    "eighty root fields": "subscription {" + times("a#: taskChanged { id }", 80) + "}",
    "five hundred root fields": "subscription {" + times("a#: taskChanged { id }", 500) + "}",
    "a field for each of hundred tasks": "subscription { projectChanged { project { tasks(first: 100) { edges"
    " { node { comments(first: 100) { edges { node { author { tasks(first: 100) { edges { node { id } } } }"
    " } } } } } } } } }",
    "fragment fan-out": "subscription { taskChanged { task { ...F0 } } } "
    + fan_out(30).partition("} } fragment")[2].join(("fragment", "")),
}.items():
    DOCUMENTS.document(f"subscription over POST: {name}", COMPLEX, source)
for name, source in {
    "nothing": "",
    "blanks": " \n\t,",
    "a comment": "# nothing",
    "a byte order mark": "\ufeff",
    "an empty selection": "{}",
    "an empty selection inside": '{ task(id: "x") {} }',
    "an unclosed brace": "{" * 400,
    "an unclosed string": '{ task(id: "x',
    "NUL": "{ tenant { id } }\x00",
    "a control character": "{ tenant\x07 { id } }",
    "an escaped surrogate": '{ task(id: "\\uD800") { id } }',
    "half an escape": '{ task(id: "\\u{110000}") { id } }',
    "a homoglyph": "{ ten\u0430nt { id } }",
    "a right-to-left override": "{ \u202etenant { id } }",
    "a variable in a default": "query($a: ID = $b) { tenant { id } }",
    "SQL": "'; DROP TABLE tasks; --",
    "a template": "{{7*7}}",
    "HTML": f"<script>{CANARY}</script>",
    "JSON": '{"query": "{ tenant { id } }"}',
}.items():
    DOCUMENTS.document(f"document: {name}", PARSE, source)
DOCUMENTS.document("type definitions", VALIDATION, "type Query { secret: String } { tenant { id } }")
DOCUMENTS.document(
    "schema extension", VALIDATION, 'extend schema @link(url: "x") { query: Tenant } { tenant { id } }'
)

# Probing
for name, source in {
    "field": '{ task(id: "x") { titl } }',
    "root field": "{ taskz { id } }",
    "argument": "{ tasks(firs: 1) { __typename } }",
    "type": '{ node(id: "x") { ... on Tas { id } } }',
    "enum value": "{ tasks(orderBy: AGEND) { __typename } }",
    "input field": "{ tasks(filter: {projectI: 1}) { __typename } }",
    "directive": "{ tenant @includ(if: true) { id } }",
    "variable type": "query($a: TaskFilte) { tasks(filter: $a) { __typename } }",
    "fragment": in_task("...titl") + " fragment title on Task { title }",
    "mutation": "mutation { createTas(input: {}) { __typename } }",
}.items():
    DOCUMENTS.document(f"suggestion for a {name}", VALIDATION, source)
FULL = "queryType { name } types { name fields { name args { name } type { name ofType { name } } } }"
for name, source in {
    "schema": f"{{ __schema {{ {FULL} }} }}",
    "type": '{ __type(name: "Query") { fields { name } } }',
    "aliased": '{ tenant: __type(name: "Tenant") { name } }',
    "in a fragment": "{ ...A } fragment A on Query { __schema { types { name } } }",
    "in an inline fragment": "{ ... { ... on Query { __schema { types { name } } } } }",
    "in a mutation": "mutation { __schema { types { name } } }",
    "behind a deny-list": "{ __schema\n,{ types { name } } }",
    "skipped": "{ __schema @skip(if: true) { types { name } } tenant { id } }",
    "deep": "{ __schema { types { " + nested(4, "fields { type { ", "name", "} }") + " } } }",
}.items():
    DOCUMENTS.document(f"introspection: {name}", INTROSPECTION, source)
DOCUMENTS.document(
    "introspection: in the other operation",
    INTROSPECTION,
    "query A { tenant { id } } query B { __schema { types { name } } }",
    operationName="A",
)
DOCUMENTS.document("entities of a federation", VALIDATION, "{ _service { sdl } }")
DOCUMENTS.document(
    "mass assignment of the tenant",
    VALIDATION,
    'mutation { createTask(input: {projectId: "x", title: "a", tenantId: "globex"}) { __typename } }',
)
DOCUMENTS.document(
    "mass assignment by a variable",
    INPUT,
    "mutation($i: CreateProjectInput!) { createProject(input: $i) { __typename } }",
    {"i": {"name": "a", "tenant": "globex", "version": 9}},
)
DOCUMENTS.document(
    "mass assignment of a prototype",
    INPUT,
    "mutation($i: CreateProjectInput!) { createProject(input: $i) { __typename } }",
    {"i": {"name": "a", "__proto__": {"role": "ADMIN"}}},
)
