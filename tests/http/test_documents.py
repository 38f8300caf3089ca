"""The document cache: what it saves, what it keeps apart, and what it refuses to keep."""

import pytest
import strawberry
from graphql import DocumentNode, build_schema
from starlette.applications import Starlette
from strawberry.extensions import SchemaExtension

from graphql_api.auth.identity import Identity, Role
from graphql_api.errors import ApiError, QueryTooComplexError
from graphql_api.metering.limits import Limits
from graphql_api.operations import Operations, documents
from graphql_api.operations.documents import Documents
from graphql_api.operations.execution import graphql_schema
from graphql_api.operations.report import RefusedError
from graphql_api.settings import Profile
from tests.http.protocol import IDENTITIES, SCHEMA, post


@pytest.fixture
def cache() -> Documents:
    return Documents(graphql_schema(SCHEMA), Limits(), is_public=False)


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that were parsed."""
    texts: list[str] = []
    parse = documents.parse_document

    def counting(source: str, limits: Limits) -> DocumentNode:
        texts.append(source)
        return parse(source, limits)

    monkeypatch.setattr(documents, "parse_document", counting)
    return texts


MEMBER, OTHER = IDENTITIES["good"], IDENTITIES["other"]
OPERATOR = Identity("operator", Role.PLATFORM, None, 0)
NOBODYS = [
    "{ hello }",
    "query A($t: String, $n: Int = 20) { echo(text: $t, count: $n) @skip(if: false) }",
    "{ things(first: 100) { number } color(color: GREEN) }",
    "{ a1234: hello }",
]
SOMEBODYS = [
    '{ echo(text: "a secret") }',
    '{ echo(text: """a secret""") }',
    'query($t: String = "a secret") { echo(text: $t) }',
    '{ hello @include(if: true) echo(text: "") }',
    "{ id(id: 1234) }",
    "query($i: ID = 1234) { id(id: $i) }",
    "{ hello } # a secret",
]


async def test_a_document_without_values_is_parsed_once_for_all_tenants(app: Starlette, parses: list[str]):
    for token in ("good", "other", "good"):
        await post(app, "query($t: String) { tenant echo(text: $t) }", {"t": token}, token=token)
    assert len(parses) == 1


async def test_a_document_with_values_is_parsed_for_each_tenant(app: Starlette, parses: list[str]):
    for token in ("good", "other", "good", "other"):
        await post(app, '{ tenant echo(text: "a secret") }', token=token)
    assert len(parses) == 2


@pytest.mark.parametrize("source", [*NOBODYS, *SOMEBODYS])
def test_a_caller_without_identity_neither_leaves_nor_finds_anything(
    cache: Documents, parses: list[str], source: str
):
    for identity in (None, MEMBER, None, MEMBER):
        cache.prepare(source, identity)
    assert len(parses) == 3


@pytest.mark.parametrize("source", NOBODYS)
def test_what_holds_no_values_is_shared(cache: Documents, source: str):
    assert cache.prepare(source, MEMBER) is cache.prepare(source, OTHER) is cache.prepare(source, OPERATOR)


@pytest.mark.parametrize("source", SOMEBODYS)
def test_what_holds_values_is_its_tenants_own(cache: Documents, source: str):
    kept = {identity: cache.prepare(source, identity) for identity in (MEMBER, OTHER, OPERATOR)}
    assert len(set(map(id, kept.values()))) == 3
    assert all(cache.prepare(source, identity) is document for identity, document in kept.items())


@pytest.mark.parametrize(
    ("source", "is_shared"), [("{ n(v: [1]) }", False), ("{ n(v: 1.5) }", False), ("{ n(v: 1) }", True)]
)
def test_lists_of_numbers_and_fractions_are_values(source: str, is_shared: bool):
    schema = build_schema("scalar Any type Query { n(v: Any): Int }")
    cache = Documents(schema, Limits(), is_public=False)
    assert (cache.prepare(source, MEMBER) is cache.prepare(source, OTHER)) == is_shared


def test_a_remembered_document_is_the_same(cache: Documents):
    assert cache.prepare("{ hello }", MEMBER) is cache.prepare("{ hello }", MEMBER)
    assert cache.prepare("{ hello }", MEMBER) is not cache.prepare("{hello}", MEMBER)


@pytest.mark.parametrize(
    "source", ["{", "{ nothing }", "{ __schema { types { name } } }", "{ a" + "{ a" * 60 + "}" * 61]
)
def test_a_refused_document_is_not_kept(cache: Documents, parses: list[str], source: str):
    for _ in range(2):
        with pytest.raises((ApiError, RefusedError)):
            cache.prepare(source, MEMBER)
    assert parses == [source, source]


def test_a_document_no_variables_make_affordable_is_not_validated(
    cache: Documents, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(documents, "validate", None)
    with pytest.raises(QueryTooComplexError):
        cache.prepare("{ things { things { things { things { number nothing } } } } }")


def test_a_schema_whose_extensions_would_not_run_is_refused():
    schema = strawberry.Schema(SCHEMA.query, extensions=[SchemaExtension])
    with pytest.raises(ValueError, match="would not run"):
        Operations(schema, Limits(), Profile.PRODUCTION)
