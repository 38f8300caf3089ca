"""Text in, a document that is parsed, within its bounds and valid out; recent ones are remembered."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    IntValueNode,
    VariableNode,
    Visitor,
    get_operation_ast,
    specified_rules,
    validate,
    visit,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from graphql_api.auth.identity import Identity
from graphql_api.metering.cost import OperationProfile, enforce_least_price
from graphql_api.metering.limits import Limits, parse_document
from graphql_api.metering.profile import profile_document
from graphql_api.operations.recent import Recent
from graphql_api.operations.refusals import (
    IntrospectionDisabledError,
    InvalidDocumentError,
    OperationResolutionError,
)
from graphql_api.operations.report import RefusedError, document_failures

# What strawberry.Schema.execute validates with.
RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)

EVENT_CURSOR = "eventCursor"
RESUMPTION = "after"
_PLATFORM = "*"  # Its operators are of no tenant; no slug is this.
_MAX_SHARED_DIGITS = 3  # A page size tells nothing of anybody.
_INTROSPECTS = re.compile(r"__(schema|type)\b")


class Document(NamedTuple):
    """A valid document and the profile of each of its operations, by name; None is an anonymous one's.

    `tells_position`: it asks where the change log stood before its data was read.
    """

    node: DocumentNode
    profiles: Mapping[str | None, OperationProfile]
    tells_position: bool = False

    def resumption_variable(self, name: str | None) -> str | None:
        """The variable that says behind which event a subscription begins, if nothing else is said by it."""
        operation = get_operation_ast(self.node, name)
        fields = operation.selection_set.selections if operation else ()
        for argument in (
            given for field in fields if isinstance(field, FieldNode) for given in field.arguments or ()
        ):
            if argument.name.value == RESUMPTION and isinstance(argument.value, VariableNode):
                finder = _VariableFinder(argument.value.name.value)
                visit(self.node, finder)
                # Where it is declared, and where it is used.
                return finder.name if finder.times == 2 else None
        return None

    def choose(self, name: str | None) -> str | None:
        """The name of the operation to execute. OperationResolutionError unless there is just one."""
        if name in self.profiles:
            return name
        if name is not None:
            raise OperationResolutionError("The document has no operation of that name.")
        if len(self.profiles) != 1:
            raise OperationResolutionError(
                "Send `operationName`: the document does not hold exactly one operation."
            )
        return next(iter(self.profiles))


class Documents:
    """Remembers a text for the tenant that sent it, so that nobody learns from the time an answer takes what
    another tenant asks for; only a text that holds no values is remembered for all.

    Texts that are refused are not kept, nor is anything for callers without an identity.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits, *, is_public: bool) -> None:
        self._schema = schema
        self._limits = limits
        self._is_public = is_public
        self._recent: Recent[Document] = Recent()

    def prepare(self, source: str, identity: Identity | None = None) -> Document:
        """The document of this text. Raises what refuses it: RefusedError, or an ApiError for a bound."""
        if identity is None:
            return self._prepared(source)
        tenant = identity.tenant or _PLATFORM
        document = self._recent.find(tenant, source)
        if document is None:
            document = self._prepared(source)
            self._recent.keep(tenant, source, document, is_shared=_is_nobodys(source, document.node))
        return document

    def _prepared(self, source: str) -> Document:
        node = parse_document(source, self._limits)
        profiles = profile_document(self._schema, node, self._limits)
        enforce_least_price(profiles.values(), self._limits)
        if not self._is_public and _INTROSPECTS.search(source) and _introspects(node):
            raise IntrospectionDisabledError
        errors = validate(
            self._schema,
            node,
            RULES,
            max_errors=self._limits.max_errors,
            hide_suggestions=not self._is_public,
        )
        if errors and not self._is_public:
            # One rule suggests whatever it is told.
            errors = [_without_suggestion(error) for error in errors]
        if errors:
            raise RefusedError(document_failures(errors, InvalidDocumentError))
        return Document(node, profiles, EVENT_CURSOR in source)


class _VariableFinder(Visitor):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.times = 0

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.times += node.name.value == self.name


def _without_suggestion(error: GraphQLError) -> GraphQLError:
    words, suggestion, _ = error.message.partition(" Did you mean ")
    return GraphQLError(words, error.nodes) if suggestion else error


class _IntrospectionFinder(Visitor):
    found = False

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self.found = self.found or node.name.value in ("__schema", "__type")


def _introspects(node: DocumentNode) -> bool:
    """Anywhere: in any operation, chosen or not, and in any fragment, spread or not."""
    finder = _IntrospectionFinder()
    visit(node, finder)
    return finder.found


class _NumberFinder(Visitor):
    """Numbers that could be somebody's: all in lists, all fractions, and integers beyond a page size."""

    found = False

    def enter_int_value(self, node: IntValueNode, key: str | int, *_: object) -> None:
        self.found = self.found or isinstance(key, int) or len(node.value) > _MAX_SHARED_DIGITS

    def enter_float_value(self, *_: object) -> None:
        self.found = True


def _is_nobodys(source: str, node: DocumentNode) -> bool:
    """Whether a text holds no value and no comment that only its author would write. Names, enum values and
    booleans are of the schema and the client program.
    """
    if '"' in source or "#" in source:
        return False
    finder = _NumberFinder()
    visit(node, finder)
    return not finder.found
