"""Which changes of a schema its clients would notice.

`released.graphql` is the schema that clients were told of last. Whatever is added since is nobody's business;
what breaks them, or may, waits for a release that says so: then `schema.graphql` is copied over it.
"""

from graphql import DangerousChangeType, GraphQLSchema
from graphql.utilities import BreakingChange, DangerousChange, find_schema_changes

# Dangerous only to a client that fills in what its documents do not name.
MERELY_ADDED = {DangerousChangeType.OPTIONAL_ARG_ADDED, DangerousChangeType.OPTIONAL_INPUT_FIELD_ADDED}


def noticed_changes(released: GraphQLSchema, present: GraphQLSchema) -> list[str]:
    """What clients of the released schema would notice, in words.

    Dangerous changes are among them: one is the loss of an argument's default, which makes it a required one.
    """
    changes = find_schema_changes(released, present)
    return [
        change.description
        for change in changes
        if isinstance(change, BreakingChange | DangerousChange) and change.type not in MERELY_ADDED
    ]
