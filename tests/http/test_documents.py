"""The document cache: what it saves, what it refuses to keep, and how it stays small."""

import pytest
import strawberry
from graphql import DocumentNode
from starlette.applications import Starlette
from strawberry.extensions import SchemaExtension

from graphql_api.errors import ApiError
from graphql_api.metering.limits import Limits
from graphql_api.operations import Operations, documents
from graphql_api.operations.documents import Documents
from graphql_api.operations.execution import graphql_schema
from graphql_api.operations.report import RefusedError
from graphql_api.settings import Profile
from tests.http.protocol import SCHEMA, post


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


async def test_a_document_is_parsed_once_whoever_sends_it(app: Starlette, parses: list[str]):
    for token in ("good", "other", None, "good"):
        await post(app, "query($t: String) { tenant echo(text: $t) }", {"t": token}, token=token)
    assert len(parses) == 1


def test_a_remembered_document_is_the_same(cache: Documents):
    assert cache.prepare("{ hello }") is cache.prepare("{ hello }")
    assert cache.prepare("{ hello }") is not cache.prepare("{hello}")


@pytest.mark.parametrize(
    "source", ["{", "{ nothing }", "{ __schema { types { name } } }", "{ a" + "{ a" * 60 + "}" * 61]
)
def test_a_refused_document_is_not_kept(cache: Documents, parses: list[str], source: str):
    for _ in range(2):
        with pytest.raises((ApiError, RefusedError)):
            cache.prepare(source)
    assert parses == [source, source]


def test_the_least_recently_used_document_is_forgotten(
    cache: Documents, parses: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(documents, "MAX_DOCUMENTS", 2)
    for source in (
        "{ a: hello }",
        "{ b: hello }",
        "{ a: hello }",
        "{ c: hello }",
        "{ a: hello }",
        "{ b: hello }",
    ):
        cache.prepare(source)
    assert parses == ["{ a: hello }", "{ b: hello }", "{ c: hello }", "{ b: hello }"]


def test_the_texts_are_bounded_together(cache: Documents, parses: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(documents, "MAX_CHARACTERS", 1000)
    long = [f"# {n}{' ' * 400}\n{{ hello }}" for n in range(3)]
    for source in (*long, long[2], long[1], long[0]):
        cache.prepare(source)
    assert parses == [*long, long[0]]


def test_a_schema_whose_extensions_would_not_run_is_refused():
    schema = strawberry.Schema(SCHEMA.query, extensions=[SchemaExtension])
    with pytest.raises(ValueError, match="would not run"):
        Operations(schema, Limits(), Profile.PRODUCTION)
