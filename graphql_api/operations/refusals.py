"""Why an operation is not executed although its request was well-formed.

ApiError
├── InvalidDocumentError         GRAPHQL_VALIDATION_FAILED     the schema does not know what it asks for
├── IntrospectionDisabledError   INTROSPECTION_DISABLED        production keeps its schema to itself
├── OperationResolutionError     OPERATION_RESOLUTION_FAILURE  none, or several and none named
├── OperationNotAllowedError     METHOD_NOT_ALLOWED            a mutation by GET
└── SubscriptionRefusedError     BAD_REQUEST                   a subscription over HTTP
"""

from graphql_api.errors import ApiError, ErrorCode


class InvalidDocumentError(ApiError):
    code = ErrorCode.GRAPHQL_VALIDATION_FAILED


class IntrospectionDisabledError(ApiError):
    code = ErrorCode.INTROSPECTION_DISABLED

    def __init__(self) -> None:
        super().__init__("Introspection is disabled; the schema is published with the documentation.")


class OperationResolutionError(ApiError):
    code = ErrorCode.OPERATION_RESOLUTION_FAILURE


class OperationNotAllowedError(ApiError):
    code = ErrorCode.METHOD_NOT_ALLOWED

    def __init__(self) -> None:
        super().__init__("Mutations are sent by POST.", allow="POST")


class SubscriptionRefusedError(ApiError):
    code = ErrorCode.BAD_REQUEST

    def __init__(self) -> None:
        super().__init__("Subscriptions are served over WebSocket.")
