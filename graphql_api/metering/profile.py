"""A document in, a profile of each of its operations out, or the static bound that it exceeds.

Each definition is walked once and a fragment is remembered by its sums, so the work is linear in the document
however often fragments spread each other. Documents need not be valid: an unknown name counts as what
it looks like and a cycle ends where it closes; validation tells the client about both.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast

from graphql import (
    BooleanValueNode,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    ValueNode,
)

from graphql_api.metering.cost import OperationProfile, Step, field_step
from graphql_api.metering.field_rates import Uses
from graphql_api.metering.limits import COUNT_CEILING, Limits, enforce
from graphql_api.metering.list_size import literal, metadata_of, named_type
from graphql_api.metering.overlap import Overlap, of_field, of_selections
from graphql_api.metering.root_fields import root_fields


def profile_document(
    schema: GraphQLSchema, document: DocumentNode, limits: Limits
) -> Mapping[str | None, OperationProfile]:
    """Profiles by operation name, None for an anonymous one; QueryTooComplexError if one is over a bound.

    Unused fragments and operations are held to the bounds too: validation walks them all.
    """
    return _Profiler(schema, document, limits).profiles()


class _Sums(NamedTuple):
    """What a selection, or a set of them, adds up to; `width` counts the fields of its own level."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0
    width: int = 0
    nesting: int = 0
    steps: tuple[int, ...] = ()
    overlap: Overlap = Overlap()


class _Profiler:
    def __init__(self, schema: GraphQLSchema, document: DocumentNode, limits: Limits) -> None:
        definitions = document.definitions
        self.schema = schema
        self.limits = limits
        self.operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
        self.fragments = [node for node in definitions if isinstance(node, FragmentDefinitionNode)]
        self.fragment_by_name = {node.name.value: node for node in self.fragments}
        self.sums_by_fragment: dict[str, _Sums] = {}
        self.entered: set[str] = set()
        self.steps: list[Step] = []
        self.level = self.comparisons = self.directives = 0

    def profiles(self) -> Mapping[str | None, OperationProfile]:
        enforce("operations", len(self.operations), self.limits.max_operations)
        enforce("fragments", len(self.fragments), self.limits.max_fragments)
        for fragment in self.fragments:
            # A second fragment of the same name is invalid, yet validation walks it.
            is_named = self.fragment_by_name[fragment.name.value] is fragment
            self._bound(self._named_fragment(fragment.name.value) if is_named else self._fragment(fragment))
        sums = [self._operation(operation) for operation in self.operations]
        return {
            node.name.value if node.name else None: OperationProfile(
                operation=node.operation,
                depth=of.depth,
                aliases=of.aliases,
                fields=of.fields,
                roots=of.steps,
                steps=self.steps,
                defaults=_defaults(node),
                uses=self._uses(node),
                is_past_quota=self._is_past_quota(node),
            )
            for node, of in zip(self.operations, sums, strict=True)
        }

    def _uses(self, node: OperationDefinitionNode) -> Mapping[str, Uses]:
        """How often the operation asks for each field that has a rate."""
        root = self.schema.get_root_type(node.operation)
        if root is None or root is not self.schema.mutation_type:
            return {}
        asked = root_fields(node.selection_set, self.fragment_by_name)
        said = {name: metadata_of(root.fields[name]) for name in asked if name in root.fields}
        return {name: Uses(of["rates"], asked[name]) for name, of in said.items() if "rates" in of}

    def _is_past_quota(self, node: OperationDefinitionNode) -> bool:
        """Whether all that the operation asks for may be asked for though the month's points are used up."""
        root = self.schema.get_root_type(node.operation)
        asked = root_fields(node.selection_set, self.fragment_by_name)
        fields: Mapping[str, GraphQLField] = root.fields if root is not None else {}
        return all(name in fields and "past_quota" in metadata_of(fields[name]) for name in asked)

    def _operation(self, node: OperationDefinitionNode) -> _Sums:
        self._check_directives(node.directives)
        for variable in node.variable_definitions or ():
            self._check_directives(variable.directives)
            self._check_values(filter(None, [variable.default_value]))
        sums = self._selections(node.selection_set, self.schema.get_root_type(node.operation), set())
        enforce("depth", sums.depth, self.limits.max_depth)
        enforce("rootFields", sums.width, self.limits.max_root_fields)
        self._bound(sums)
        return sums

    def _bound(self, sums: _Sums) -> None:
        enforce("nesting", sums.nesting, self.limits.max_nesting)
        enforce("aliases", sums.aliases, self.limits.max_aliases)
        enforce("fields", sums.fields, self.limits.max_fields)

    def _named_fragment(self, name: str) -> _Sums:
        known = self.sums_by_fragment.get(name)
        definition = self.fragment_by_name.get(name)
        if known is not None or definition is None or name in self.entered:
            return known or _Sums()
        self.entered.add(name)
        sums = self.sums_by_fragment[name] = self._fragment(definition)
        self.entered.discard(name)
        return sums

    def _fragment(self, node: FragmentDefinitionNode) -> _Sums:
        self._check_directives(node.directives)
        parent = self.schema.get_type(node.type_condition.name.value)
        return self._joined(self._selections(node.selection_set, parent, set()))

    def _selections(self, node: SelectionSetNode, parent: GraphQLNamedType | None, seen: set[str]) -> _Sums:
        """The sums of a selection set; `seen` are the fragments spread in the set it belongs to."""
        self.level += 1
        enforce("nesting", self.level, self.limits.max_nesting)
        parts = [self._selection(selection, parent, seen) for selection in node.selections]
        self.level -= 1
        overlap = of_selections(part.overlap for part in parts)
        # Validation enters every inline fragment on its own, and compares its fields there once more.
        self.comparisons += overlap.comparisons
        enforce("comparisons", self.comparisons, self.limits.max_comparisons)
        return _Sums(
            depth=max((part.depth for part in parts), default=0),
            fields=min(sum(part.fields for part in parts), COUNT_CEILING),
            aliases=min(sum(part.aliases for part in parts), COUNT_CEILING),
            width=min(sum(part.width for part in parts), COUNT_CEILING),
            nesting=1 + max((part.nesting for part in parts), default=0),
            steps=tuple(step for part in parts for step in part.steps),
            overlap=overlap,
        )

    def _selection(self, node: SelectionNode, parent: GraphQLNamedType | None, seen: set[str]) -> _Sums:
        self._check_directives(node.directives)
        if isinstance(node, FieldNode):
            sums = self._field(node, parent)
        elif isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            inner = self.schema.get_type(condition.name.value) if condition else parent
            sums = self._joined(self._selections(node.selection_set, inner, seen))
            sums = sums._replace(fields=sums.fields + 1)
        else:
            name = cast("FragmentSpreadNode", node).name.value
            sums = self._named_fragment(name)
            # Validation collects a fragment once for a set, however often it is spread there.
            overlap = Overlap() if name in seen else sums.overlap.as_fragment()
            sums = sums._replace(fields=sums.fields + 1, overlap=overlap)
            seen.add(name)
        return sums._replace(steps=()) if _is_ruled_out(node.directives) else sums

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> _Sums:
        self._check_values(given.value for given in node.arguments or ())
        response_name = node.alias.value if node.alias else node.name.value
        aliases = int(node.alias is not None)
        width = int(node.name.value != "__typename" or aliases)
        if node.selection_set is None:
            overlap = of_field(response_name, Overlap())
            return _Sums(fields=1, aliases=aliases, width=width, overlap=overlap)
        has_fields = isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)
        field = parent.fields.get(node.name.value) if has_fields else None
        inner = named_type(field) if field else None
        below = self._selections(node.selection_set, inner, set())
        writes = parent is not None and parent is self.schema.mutation_type
        return below._replace(
            depth=0 if node.name.value.startswith("__") else below.depth + 1,
            fields=below.fields + 1,
            aliases=below.aliases + aliases,
            width=width,
            steps=self._add(field_step(parent, field, node, below.steps, writes=writes)),
            overlap=of_field(response_name, below.overlap),
        )

    def _joined(self, sums: _Sums) -> _Sums:
        """The sums with one step for all of theirs, so that spreading them copies nothing."""
        return sums._replace(steps=self._add(Step(sums.steps))) if len(sums.steps) > 1 else sums

    def _add(self, step: Step) -> tuple[int, ...]:
        self.steps.append(step)
        return (len(self.steps) - 1,)

    def _check_directives(self, nodes: Sequence[DirectiveNode] | None) -> None:
        nodes = nodes or ()
        self.directives += len(nodes)
        enforce("directivesPerLocation", len(nodes), self.limits.max_directives_per_location)
        enforce("directives", self.directives, self.limits.max_directives)
        for node in nodes:
            self._check_values(given.value for given in node.arguments or ())

    def _check_values(self, values: Iterable[ValueNode]) -> None:
        depth = 0
        while values := [value for value in values if isinstance(value, ListValueNode | ObjectValueNode)]:
            depth += 1
            enforce("valueDepth", depth, self.limits.max_value_depth)
            objects = [len(value.fields) for value in values if isinstance(value, ObjectValueNode)]
            enforce("objectMembers", max(objects, default=0), self.limits.max_object_members)
            values = [member for value in values for member in _members(value)]


def _members(value: ListValueNode | ObjectValueNode) -> Iterable[ValueNode]:
    return value.values if isinstance(value, ListValueNode) else [member.value for member in value.fields]


def _is_ruled_out(nodes: Sequence[DirectiveNode] | None) -> bool:
    """A literal `@skip(if: true)` or `@include(if: false)`."""
    return any(
        isinstance(given.value, BooleanValueNode) and given.value.value is (node.name.value == "skip")
        for node in nodes or ()
        if node.name.value in ("skip", "include")
        for given in node.arguments or ()
    )


def _defaults(node: OperationDefinitionNode) -> Mapping[str, object]:
    return {
        variable.variable.name.value: literal(variable.default_value)
        for variable in node.variable_definitions or ()
        if variable.default_value is not None
    }
