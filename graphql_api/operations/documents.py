"""Text in, a document that is parsed, within its bounds and valid out; the recent ones are remembered."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    Visitor,
    specified_rules,
    validate,
    visit,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from graphql_api.metering.cost import OperationProfile
from graphql_api.metering.limits import Limits, parse_document
from graphql_api.metering.profile import profile_document
from graphql_api.operations.refusals import (
    IntrospectionDisabledError,
    InvalidDocumentError,
    OperationResolutionError,
)
from graphql_api.operations.report import RefusedError, document_failures

MAX_DOCUMENTS = 256
MAX_CHARACTERS = 128 * 1024  # A parsed document takes 200 to 500 bytes for each character of its text.

# What strawberry.Schema.execute validates with.
RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)

_INTROSPECTS = re.compile(r"__(schema|type)\b")


class Document(NamedTuple):
    """A valid document and the profile of each of its operations, by name; None is an anonymous one's."""

    node: DocumentNode
    profiles: Mapping[str | None, OperationProfile]

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
    """One cache for all tenants: its key is the text, and what it keeps follows from text and schema alone.

    Texts that are refused are not kept, so that nobody can push out the documents of others with them.
    """

    def __init__(self, schema: GraphQLSchema, limits: Limits, *, is_public: bool) -> None:
        self._schema = schema
        self._limits = limits
        self._is_public = is_public
        self._recent: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0

    def prepare(self, source: str) -> Document:
        """The document of this text. Raises what refuses it: RefusedError, or an ApiError for a bound."""
        document = self._recent.get(source)
        if document is not None:
            self._recent.move_to_end(source)
            return document
        document = self._prepared(source)
        self._remember(source, document)
        return document

    def _prepared(self, source: str) -> Document:
        node = parse_document(source, self._limits)
        profiles = profile_document(self._schema, node, self._limits)
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
            errors = [
                GraphQLError(error.message.partition(" Did you mean ")[0], error.nodes) for error in errors
            ]
        if errors:
            raise RefusedError(document_failures(errors, InvalidDocumentError))
        return Document(node, profiles)

    def _remember(self, source: str, document: Document) -> None:
        self._recent[source] = document
        self._characters += len(source)
        while len(self._recent) > MAX_DOCUMENTS or self._characters > MAX_CHARACTERS:
            oldest, _ = self._recent.popitem(last=False)
            self._characters -= len(oldest)


class _IntrospectionFinder(Visitor):
    found = False

    def enter_field(self, node: FieldNode, *_: object) -> None:
        self.found = self.found or node.name.value in ("__schema", "__type")


def _introspects(node: DocumentNode) -> bool:
    """Anywhere: in any operation, chosen or not, and in any fragment, spread or not."""
    finder = _IntrospectionFinder()
    visit(node, finder)
    return finder.found
