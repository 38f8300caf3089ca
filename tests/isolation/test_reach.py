"""What the schema has, the suites ask for: a field or argument that they do not know fails here."""

from collections.abc import Iterator

import pytest
from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLObjectType,
    GraphQLString,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    parse,
    visit,
)

from tests.isolation.arguments import SETTLED, SUBSCRIPTIONS, Drawing, UnknownArgumentError
from tests.isolation.documents import document, roots, schema
from tests.isolation.party import Party, repeatable


class FieldsAskedFor(Visitor):
    """The fields of the types they belong to; an interface's are those of all its members."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self._types = types
        self.found: set[tuple[str, str]] = set()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self._types.get_parent_type()
        assert parent is not None
        members = [parent] if isinstance(parent, GraphQLObjectType) else schema().get_possible_types(parent)
        self.found |= {(member.name, node.name.value) for member in members}


def fields_of_the_schema() -> set[tuple[str, str]]:
    return {
        (name, field)
        for name, of in schema().type_map.items()
        if isinstance(of, GraphQLObjectType) and not name.startswith("__")
        for field in of.fields
    }


def arguments_of_the_schema() -> Iterator[tuple[GraphQLInputType, str, str]]:
    """Type, name and owner of every argument and every field of an input."""
    for root, (_, field) in roots().items():
        yield from ((argument.type, name, root) for name, argument in field.args.items())
    for of in schema().type_map.values():
        if isinstance(of, GraphQLInputObjectType):
            yield from ((field.type, name, of.name) for name, field in of.fields.items())


def test_every_field_of_every_type_is_asked_for():
    types = TypeInfo(schema())
    fields = FieldsAskedFor(types)
    for root in roots():
        visit(parse(document(root)), TypeInfoVisitor(types, fields))
    assert fields_of_the_schema() - fields.found == set()


def test_every_argument_has_values():
    drawing = Drawing(repeatable(0).choice, Party("one", 0), Party("two", 1))
    # They make sense together alone; `Drawing` makes whole workflows.
    in_a_workflow = {"states", "transitions", "replacements"}
    parts = {"WorkflowStateInput", "WorkflowTransitionInput", "StateReplacementInput"}
    for of, name, owner in arguments_of_the_schema():
        if owner not in parts and name not in in_a_workflow | SETTLED.get(owner, {}).keys():
            drawing._value(of, name, owner)
    workflow = drawing.request("updateWorkflow").arguments["input"]
    given = [{*workflow[name][0]} for name in sorted(in_a_workflow)]
    named = [schema().type_map[part] for part in sorted(parts)]
    assert given == [{*of.fields} for of in named if isinstance(of, GraphQLInputObjectType)]


def test_an_argument_nobody_has_thought_of_is_told(monkeypatch: pytest.MonkeyPatch):
    (_, field) = roots()["project"]
    monkeypatch.setitem(field.args, "colour", GraphQLArgument(GraphQLString))
    drawing = Drawing(lambda choices: choices[-2], Party("one", 0), Party("two", 1))
    with pytest.raises(UnknownArgumentError, match="project takes colour"):
        drawing.request("project")


def test_everything_that_tells_of_changes_is_listened_to():
    subscriptions = schema().subscription_type
    assert subscriptions is not None
    assert {*SUBSCRIPTIONS} == subscriptions.fields.keys()
