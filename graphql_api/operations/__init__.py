"""The request pipeline: what happens to a GraphQL operation between its door and its resolvers."""

from graphql_api.operations.pipeline import (
    ABSENT,
    OperationContext,
    OperationRequest,
    OperationResult,
    Operations,
)
from graphql_api.operations.report import Failure, describe

__all__ = [
    "ABSENT",
    "Failure",
    "OperationContext",
    "OperationRequest",
    "OperationResult",
    "Operations",
    "describe",
]
