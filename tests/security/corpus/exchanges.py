"""HTTP requests that no GraphQL client would make."""

import base64
import gzip
from urllib.parse import urlencode

from tests.security.corpus.attack import (
    ACCEPT,
    CANARY,
    COMPLEX,
    INTROSPECTION,
    JSON,
    MEDIA,
    METHOD,
    MISSING,
    PARSE,
    REQUEST,
    TOKEN,
    TOO_LARGE,
    VALIDATION,
    Attacks,
    fan_out,
)

EXCHANGES = Attacks()

# Bodies
QUERY = b'{"query": "{ tenant { id } }"}'
for name, content in {
    "nothing": b"",
    "blanks": b" \r\n",
    "a number": b"5",
    "null": b"null",
    "true": b"true",
    "a string": b'"{ tenant { id } }"',
    "an empty list": b"[]",
    "a batch": b"[" + QUERY + b"]",
    "a batch of a hundred": b"[" + b",".join([QUERY] * 100) + b"]",
    "an empty object": b"{}",
    "cut JSON": QUERY[:-2],
    "JSON twice": QUERY * 2,
    "JSON and a NUL": QUERY + b"\x00",
    "Python": b"{'query': '{ tenant { id } }'}",
    "a document": b"{ tenant { id } }",
    "a key twice": b'{"query": "{ nope }", "query": "{ tenant { id } }"}',
    "NaN": b'{"query": "{ tenant { id } }", "variables": {"a": NaN}}',
    "Infinity": b'{"query": "{ tenant { id } }", "variables": {"a": -Infinity}}',
    "1e400": b'{"query": "{ tenant { id } }", "variables": {"a": 1e400}}',
    "a number of 5000 digits": b'{"query": "{ tenant { id } }", "variables": {"a": ' + b"9" * 5000 + b"}}",
    "bad UTF-8": b'{"query": "{ tenant { id } } #\xff\xfe"}',
    "overlong UTF-8": b'{"query": "{ tenant { id } } #\xc0\xaf"}',
    "UTF-8 of a surrogate": b'{"query": "{ tenant { id } } #\xed\xa0\x80"}',
    "UTF-16": QUERY.decode().encode("utf-16"),
    "UTF-16 without its mark": QUERY.decode().encode("utf-16-be"),
    "UTF-32": QUERY.decode().encode("utf-32"),
    "two byte order marks": b"\xef\xbb\xbf" * 2 + QUERY,
    "gzip": gzip.compress(QUERY, mtime=0),
    "a control character in a string": b'{"query": "{ tenant\x01 { id } }"}',
    "lists without end": b"[" * 100_000,
    "objects without end": b'{"a":' * 40_000,
    "objects five thousand deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "lists of lists": b'{"query": "{ tenant { id } }", "variables": {"a": [' + b"[]," * 84_000 + b"[]]}}",
    "lists in extensions": b'{"query": "{ tenant { id } }", "extensions": {"a": ['
    + b"[0]," * 60_000
    + b"0]}}",
    "lists of objects": b'{"query": "{ tenant { id } }", "variables": {"a": ['
    + b'{"":{}},' * 30_000
    + b"0]}}",
    "no query": b'{"variables": {}}',
    "query: null": b'{"query": null}',
    "query: a number": b'{"query": 5}',
    "query: a list": b'{"query": ["{ tenant { id } }"]}',
    "query: an object": b'{"query": {"a": 1}}',
    "operationName: a number": b'{"query": "{ tenant { id } }", "operationName": 5}',
    "operationName: a list": b'{"query": "{ tenant { id } }", "operationName": ["A"]}',
    "variables: a string": b'{"query": "{ tenant { id } }", "variables": "{}"}',
    "variables: a list": b'{"query": "{ tenant { id } }", "variables": [1]}',
    "variables: a number": b'{"query": "{ tenant { id } }", "variables": 1}',
    "extensions: a list": b'{"query": "{ tenant { id } }", "extensions": []}',
    "a persisted query": b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "'
    + b"a" * 64
    + b'"}}}',
}.items():
    EXCHANGES.body(f"body: {name}", REQUEST, content)
for name, content in {
    "five megabytes of comment": b'{"query": "{ tenant { id } } #' + b"x" * 5_000_000 + b'"}',
    "five megabytes of commas": b'{"query": "{ tenant { id ' + b"," * 5_000_000 + b'} }"}',
    "one byte too many": b'{"query": "' + b" " * (256 * 1024 - 12) + b'"}',
    "five megabytes of blanks": b" " * 5_000_000 + QUERY,
}.items():
    EXCHANGES.body(f"body: {name}", TOO_LARGE, content, 413)
EXCHANGES.body(
    "body: gzip, as announced",
    REQUEST,
    gzip.compress(b" " * 10_000_000, mtime=0),
    headers={**JSON, "content-encoding": "gzip"},
)

# Media types
for content_type in (
    "text/plain",
    "text/plain, application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/graphql",
    "application/json-patch+json",
    "application/graphql-response+json",
    "text/application/json",
    "application/json, text/plain",
    "application/jsonp",
    "application/json; charset=utf-16",
    "application/json; charset=utf-7",
    "application/xml",
    "*/*",
    "",
):
    EXCHANGES.body(
        f"content type: {content_type or 'empty'}", MEDIA, QUERY, 415, {**JSON, "content-type": content_type}
    )
EXCHANGES.body("content type: none", MEDIA, QUERY, 415, {"accept": JSON["accept"]})
EXCHANGES.body(
    "a form",
    MEDIA,
    urlencode({"query": "{ tenant { id } }"}).encode(),
    415,
    {"content-type": "application/x-www-form-urlencoded"},
)
EXCHANGES.body(
    "an upload",
    MEDIA,
    b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{}\r\n--x--\r\n',
    415,
    {"content-type": "multipart/form-data; boundary=x"},
)
for accept in (
    "text/html",
    "image/*",
    "application/json;q=0",
    "text/event-stream",
    "multipart/mixed",
    "a" * 5000,
    "a/b;q=1," * 10_000 + "application/json",
):
    EXCHANGES.body(f"accept: {accept[:30]}", ACCEPT, QUERY, 406, {**JSON, "accept": accept})

MUTATION = 'mutation A { createProject(input: {name: "a"}) { __typename } }'
# Methods and URLs
for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", CANARY.upper()):
    EXCHANGES.url(f"method: {method}", METHOD, 405, method=method, query=b"query={tenant{id}}")
EXCHANGES.url(
    "GET: a mutation",
    METHOD,
    405,
    query=urlencode({"query": 'mutation { createProject(input: {name: "a"}) { __typename } }'}).encode(),
)
EXCHANGES.url(
    "GET: a mutation beside a query",
    METHOD,
    405,
    query=urlencode(
        {
            "query": "query B { tenant { id } } " + MUTATION,
            "operationName": "A",
        }
    ).encode(),
)
EXCHANGES.url(
    "GET: introspection",
    INTROSPECTION,
    400,
    query=urlencode({"query": "{ __schema { types { name } } }"}).encode(),
)
EXCHANGES.url("GET: nothing", REQUEST, 400)
EXCHANGES.url("GET: query twice", REQUEST, 400, query=b"query={tenant{id}}&query={nope}")
EXCHANGES.url("GET: variables that are no JSON", REQUEST, 400, query=b"query={tenant{id}}&variables={")
EXCHANGES.url("GET: variables that are no object", REQUEST, 400, query=b"query={tenant{id}}&variables=[1]")
EXCHANGES.url(
    "GET: variables without end", REQUEST, 400, query=b"query={tenant{id}}&variables=" + b"[" * 20_000
)
EXCHANGES.url("GET: bad percent encoding", PARSE, 400, query=b"query=%ff%fe%zz")
EXCHANGES.url("GET: a surrogate", REQUEST, 400, query=b'query={tenant{id}}&variables={"a":"%5Cud800"}')
EXCHANGES.url("GET: a fragment fan-out", COMPLEX, 400, query=urlencode({"query": fan_out(30)}).encode())
EXCHANGES.url("GET: a long URL", COMPLEX, 400, query=b"query={tenant{id}}" + b"," * 30_000)
EXCHANGES.url("GET: thousands of parameters", REQUEST, 400, query=b"query={nope}" + b"&a=1&b=2" * 7000)
EXCHANGES.url(
    "GET: sixty kilobytes of escapes", REQUEST, 400, query=b"query={nope}&variables=" + b"%5B" * 20_000
)
EXCHANGES.url("GET: a megabyte", TOO_LARGE, 413, query=b"query={nope}" + b"&a=1" * 250_000)
EXCHANGES.url("GET: a token in the URL", REQUEST, 400, query=b"access_token=" + CANARY.encode())
for path in (
    "/graphql/",
    "//graphql",
    "/GraphQL",
    "/graphql/../../etc/passwd",
    "/graphql\x00",
    "/.env",
    "/.git/config",
    "/graphql/schema.json",
    "/" + "a" * 10_000,
):
    EXCHANGES.url(f"path: {path[:30]!r}", MISSING, 404, path=path)

# Headers
for name, value in {
    "X-Tenant-Id": "globex",
    "X-Forwarded-User": "admin@globex.example",
    "X-Forwarded-Host": f"{CANARY}.example",
    "X-HTTP-Method-Override": "DELETE",
    "X-Original-URL": "/.env",
    "Host": f"{CANARY}.example",
    "X-Request-Id": f"{CANARY}\x1b[31m",
    "Traceparent": f"00-{CANARY}",
    "Cookie": "session=" + "a" * 20_000,
    "Accept-Language": "a" * 20_000,
    "Origin": f"https://{CANARY}.example",
    "Idempotency-Key": "k" * 10_000,
    "Range": "bytes=0-0,0-0,0-0",
    "Expect": "100-continue",
    "Upgrade": "websocket",
    "Transfer-Encoding": "chunked",
    "Content-Length": "-1",
    "Accept-Charset": "utf-7",
}.items():
    EXCHANGES.header(f"header: {name}", VALIDATION, 400, {name.lower(): value})
EXCHANGES.header("header: a short X-Request-Id", VALIDATION, 400, {"x-request-id": "a"})
EXCHANGES.header(
    "header: X-Request-Id twice",
    VALIDATION,
    400,
    [("x-request-id", f"{CANARY}-1"), ("x-request-id", f"{CANARY}-2")],
)
EXCHANGES.header("header: a vast Content-Length", TOO_LARGE, 413, {"content-length": "9" * 18})
EXCHANGES.header("header: Content-Length beyond reading", VALIDATION, 400, {"content-length": "9" * 5000})
EXCHANGES.header("header: Content-Length in other digits", VALIDATION, 400, {"content-length": "\u00b2"})
NONE = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
CLAIMS = base64.urlsafe_b64encode(b'{"sub":"a","tenant":"globex","roles":["ADMIN"]}').decode().rstrip("=")
for name, authorization in {
    "a word": f"Bearer {CANARY}",
    "nothing": "Bearer ",
    "no scheme": "aaaa.bbbb.cccc",
    "Basic": "Basic YWRtaW46YWRtaW4=",
    "algorithm none": f"Bearer {NONE}.{CLAIMS}.",
    "a cut signature": f"Bearer {NONE}.{CLAIMS}.AAAA",
    "twenty kilobytes": "Bearer " + "a" * 20_000,
    "a hundred thousand dots": "Bearer " + "a." * 50_000,
    "two tokens": "Bearer a.b.c, Bearer d.e.f",
    "NUL": "Bearer a.b\x00.c",
    "a line break": "Bearer a.b.c\r\nX-Tenant-Id: globex",
    "not ASCII": "Bearer \u00fc.\u00fc.\u00fc",
}.items():
    EXCHANGES.header(f"token: {name}", TOKEN, 401, {"authorization": authorization})
EXCHANGES.header(
    "token: two headers", TOKEN, 401, [("authorization", "Bearer a.b.c"), ("authorization", "Bearer d.e.f")]
)
