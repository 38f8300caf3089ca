"""What clients may rely on in every corner of the schema; each rule tells its offences."""

from collections.abc import Iterator

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
)

PAGE_INFO = {
    "hasNextPage": "Boolean!",
    "hasPreviousPage": "Boolean!",
    "startCursor": "String",
    "endCursor": "String",
}
STAMP = {"id": "ID!", "version": "Int!", "createdAt": "DateTime!", "updatedAt": "DateTime!"}
# A payload says what its mutation says, and a result is a payload or an error.
NEEDS_NO_WORDS = ("Payload", "Result")


def object_types(schema: GraphQLSchema) -> Iterator[GraphQLObjectType]:
    for kind in own_types(schema):
        if isinstance(kind, GraphQLObjectType):
            yield kind


def own_types(schema: GraphQLSchema) -> Iterator[GraphQLNamedType]:
    builtin = {"Int", "Float", "String", "Boolean", "ID"}
    for name, kind in schema.type_map.items():
        if not name.startswith("__") and name not in builtin:
            yield kind


def mutations(schema: GraphQLSchema) -> dict[str, GraphQLField]:
    return schema.mutation_type.fields if schema.mutation_type else {}


def shape(kind: GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType) -> dict[str, str]:
    return {name: str(field.type) for name, field in kind.fields.items()}


def lists_are_relay_connections(schema: GraphQLSchema) -> Iterator[str]:
    for kind in object_types(schema):
        item = kind.name.removesuffix("Connection").removesuffix("Edge")
        expected = {
            f"{item}Connection": {
                "edges": f"[{item}Edge!]!",
                "pageInfo": "PageInfo!",
                "eventCursor": "String",
            },
            f"{item}Edge": {"cursor": "String!", "node": f"{item}!"},
            "PageInfo": PAGE_INFO,
        }.get(kind.name)
        if expected is not None and shape(kind) != expected:
            yield f"{kind.name} is {shape(kind)}"


def lists_are_paged(schema: GraphQLSchema) -> Iterator[str]:
    for kind in object_types(schema):
        for name, field in kind.fields.items():
            if get_named_type(field.type).name.endswith("Connection"):
                paging = {key: str(field.args[key].type) for key in ("first", "after") if key in field.args}
                if paging != {"first": "Int", "after": "String"} or not str(field.type).endswith("!"):
                    yield f"{kind.name}.{name} takes {paging} and returns {field.type}"


def mutations_take_one_input(schema: GraphQLSchema) -> Iterator[str]:
    for name, field in mutations(schema).items():
        taken = {key: str(argument.type) for key, argument in field.args.items()}
        if taken != {"input": f"{_capital(name)}Input!"}:
            yield f"{name} takes {taken}"


def mutations_answer_with_a_payload_or_an_error(schema: GraphQLSchema) -> Iterator[str]:
    """As a nullable union, so that one failure leaves the other mutations of a document their answers."""
    for name, field in mutations(schema).items():
        members = field.type.types if isinstance(field.type, GraphQLUnionType) else ()
        failures = [kind for kind in members if kind.name != f"{_capital(name)}Payload"]
        if not failures or len(failures) + 1 != len(members) or not all(map(_is_error, failures)):
            yield f"{name} returns {field.type}: {', '.join(kind.name for kind in members)}"


def mutations_can_be_repeated(schema: GraphQLSchema) -> Iterator[str]:
    for name, taken in _inputs(schema):
        if taken.get("idempotencyKey") != "String":
            yield f"{name} takes no idempotencyKey"


def everything_mutable_has_a_version(schema: GraphQLSchema) -> Iterator[str]:
    for kind in object_types(schema):
        is_node = any(interface.name == "Node" for interface in kind.interfaces)
        if is_node and not STAMP.items() <= shape(kind).items():
            yield f"{kind.name} is {shape(kind)}"


def versions_can_be_expected(schema: GraphQLSchema) -> Iterator[str]:
    """By every update of what is named by its id; a restoration undoes a deletion whatever its version."""
    for name, taken in _inputs(schema):
        if "id" in taken and not name.startswith("restore") and taken.get("expectedVersion") != "Int":
            yield f"{name} takes no expectedVersion"


def nobody_names_a_tenant(schema: GraphQLSchema) -> Iterator[str]:
    """The token does, and nothing else."""
    for kind in own_types(schema):
        if isinstance(kind, GraphQLInputObjectType):
            yield from (f"{kind.name}.{name}" for name in kind.fields if "tenant" in name.lower())
        if isinstance(kind, GraphQLObjectType):
            for name, field in kind.fields.items():
                yield from (f"{kind.name}.{name}({key}:)" for key in field.args if "tenant" in key.lower())


def everything_is_described(schema: GraphQLSchema) -> Iterator[str]:
    for kind in own_types(schema):
        if not kind.description and not kind.name.endswith(NEEDS_NO_WORDS):
            yield kind.name
    for root in (schema.query_type, schema.mutation_type):
        if root:
            yield from (f"{root.name}.{name}" for name, field in root.fields.items() if not field.description)


def _inputs(schema: GraphQLSchema) -> Iterator[tuple[str, dict[str, str]]]:
    """Every mutation and what its input objects hold."""
    for name, field in mutations(schema).items():
        kinds = [get_named_type(argument.type) for argument in field.args.values()]
        yield (
            name,
            {
                k: v
                for kind in kinds
                if isinstance(kind, GraphQLInputObjectType)
                for k, v in shape(kind).items()
            },
        )


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]


def _is_error(kind: GraphQLObjectType) -> bool:
    return any(interface.name == "Error" for interface in kind.interfaces)
