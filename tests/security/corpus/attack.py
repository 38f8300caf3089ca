"""What an attack is, and the few ways to write one down."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# An answer must never repeat it in its headers.
CANARY = "kanarienvogel"
JSON = {"content-type": "application/json", "accept": "application/graphql-response+json"}

PARSE, VALIDATION = "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"
COMPLEX, INPUT, MISSING = "QUERY_TOO_COMPLEX", "BAD_USER_INPUT", "NOT_FOUND"
REQUEST, TOO_LARGE, MEDIA = "BAD_REQUEST", "PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"
RESOLUTION, INTROSPECTION = "OPERATION_RESOLUTION_FAILURE", "INTROSPECTION_DISABLED"
METHOD, ACCEPT, CURSOR = "METHOD_NOT_ALLOWED", "NOT_ACCEPTABLE", "BAD_CURSOR"
TOKEN = "UNAUTHENTICATED"

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Attack:
    """`codes`: all the answer's codes are among them, be they in `errors` or in a typed result."""

    name: str
    codes: Sequence[str]
    status: int
    body: bytes = b""
    method: str = "POST"
    path: str = "/graphql"
    query: bytes = b""
    headers: Headers = field(default_factory=lambda: JSON)


class Attacks(list[Attack]):
    """A part of the corpus; each method adds to it. `codes` are one or several, blank between them."""

    def document(
        self,
        name: str,
        codes: str,
        source: str,
        variables: object = None,
        *,
        status: int = 400,
        **members: object,
    ) -> None:
        content = json.dumps({"query": source, "variables": variables, **members}).encode()
        self.append(Attack(name, codes.split(), status, content))

    def body(self, name: str, codes: str, content: bytes, status: int = 400, headers: Headers = JSON) -> None:
        self.append(Attack(name, codes.split(), status, content, headers=headers))

    def url(
        self,
        name: str,
        codes: str,
        status: int,
        *,
        method: str = "GET",
        path: str = "/graphql",
        query: bytes = b"",
    ) -> None:
        headers = {"accept": JSON["accept"]}
        self.append(
            Attack(name, codes.split(), status, method=method, path=path, query=query, headers=headers)
        )

    def header(self, name: str, codes: str, status: int, headers: Headers) -> None:
        """On a request that is refused anyway, for the field it asks for."""
        given = list(headers.items() if isinstance(headers, Mapping) else headers)
        named = {key for key, _ in given}
        rest = [(key, value) for key, value in JSON.items() if key not in named]
        self.append(Attack(name, codes.split(), status, b'{"query": "{ nope }"}', headers=rest + given))


def times(part: str, count: int) -> str:
    """The part over and over, each `#` in it being the number of the repetition."""
    return " ".join(part.replace("#", str(n)) for n in range(count))


def fan_out(fragments: int, spreads: str = "...F# ...F#", *, leaf: str = "title", root: str = "...F0") -> str:
    """Each fragment spreads the next one twice: 2 to the power of `fragments` fields, in some hundred bytes.
    `#` in `spreads` is the next one's number.
    """
    chain = [f"fragment F{n} on Task {{ {spreads.replace('#', str(n + 1))} }}" for n in range(fragments)]
    return f"{in_task(root)} {' '.join(chain)} fragment F{fragments} on Task {{ {leaf} }}"


def nested(levels: int, opening: str, inside: str, closing: str) -> str:
    return opening * levels + inside + closing * levels


def in_task(selections: str) -> str:
    return f'{{ task(id: "x") {{ {selections} }} }}'


def global_id(kind: str, uid: str = "0" * 25) -> str:
    return base64.urlsafe_b64encode(f"{kind}:{uid}".encode()).decode()
