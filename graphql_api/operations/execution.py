"""Strawberry's schema, executed from a document that is already parsed and valid."""

import asyncio
import inspect
from contextlib import aclosing
from functools import partial
from typing import Any, cast

import graphql
import strawberry
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    located_error,
)
from strawberry.execution import optimized_is_awaitable

from graphql_api.errors import InvalidInputError
from graphql_api.operations.report import RefusedError, document_failures, field_failures

# Its executor is generic in what graphql-core leaves open.
_SUBSCRIPTION: Any = graphql


def graphql_schema(schema: strawberry.Schema) -> GraphQLSchema:
    # Strawberry has no public name for it.
    return schema._schema  # pyright: ignore[reportPrivateUsage]


class Executor:
    """Not `strawberry.Schema.execute`: that takes only text, and logs a traceback for every expected error.

    Permissions, exception handlers and the conversion of inputs are in the schema's fields and work the same
    from here. Extensions and operation directives are not: a schema that has any is refused.
    """

    def __init__(self, schema: strawberry.Schema, *, max_errors: int, hide_suggestions: bool) -> None:
        untyped = cast("Any", schema)
        if schema.extensions or untyped.directives:
            raise ValueError("the schema's extensions and operation directives would not run")
        self._build = partial(
            untyped.execution_context_class.build,
            graphql_schema(schema),
            is_awaitable=optimized_is_awaitable,
            max_coercion_errors=max_errors,
            hide_suggestions=hide_suggestions,
        )

    async def execute(
        self,
        document: DocumentNode,
        operation_name: str | None,
        variables: dict[str, object],
        extensions: dict[str, object],
        context: object,
    ) -> ExecutionResult:
        """The result of one operation, failures of fields in it. Raises RefusedError for bad variables."""
        execution = self._built(document, operation_name, variables, extensions, context)
        abandoned: set[asyncio.Future[object]] = execution.background_futures
        try:
            outcome = execution.execute_operation()
            result = outcome if isinstance(outcome, ExecutionResult) else await outcome
            # A field that fails synchronously leaves its siblings running with nobody to await them.
            while abandoned:
                await asyncio.gather(*abandoned, return_exceptions=True)
        except asyncio.CancelledError:
            for future in abandoned:
                future.cancel()
            raise
        return result

    async def first_event(
        self,
        document: DocumentNode,
        operation_name: str | None,
        variables: dict[str, object],
        extensions: dict[str, object],
        context: object,
    ) -> ExecutionResult | None:
        """What a subscription answers to the first event of its source, None if the source has none.

        Raises RefusedError for bad variables, and for a source that fails.
        """
        execution = self._built(document, operation_name, variables, extensions, context)
        source = _SUBSCRIPTION.create_source_event_stream(execution)
        if inspect.isawaitable(source):
            source = await source
        if isinstance(source, ExecutionResult):
            raise RefusedError(field_failures(source.errors or []))
        try:
            async with aclosing(_SUBSCRIPTION.map_source_to_response_event(execution, source)) as results:
                return await anext(results, None)
        except Exception as error:
            raise RefusedError(field_failures([located_error(error)])) from error

    def _built(
        self,
        document: DocumentNode,
        operation_name: str | None,
        variables: dict[str, object],
        extensions: dict[str, object],
        context: object,
    ) -> Any:
        execution = self._build(
            document,
            operation_name=operation_name,
            raw_variable_values=variables,
            operation_extensions=extensions,
            context_value=context,
        )
        if isinstance(execution, list):
            refused = cast("list[GraphQLError]", execution)
            raise RefusedError(document_failures(refused, InvalidInputError))
        return execution
