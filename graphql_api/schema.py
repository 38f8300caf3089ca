"""The GraphQL schema: what the features bring, merged, with `node` over all of their entities."""

from collections.abc import Sequence
from typing import cast

import strawberry
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types

from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.errors import ApiError, InvalidInputError, NotFoundError
from graphql_api.feature import Feature
from graphql_api.features import FEATURES
from graphql_api.relay import MAX_PAGE, Node, parse_global_id
from graphql_api.results import EXCEPTION_HANDLERS
from graphql_api.store.entity import Entity
from graphql_api.store.repository import together

_NODES: dict[str, type[Entity]] = {cls.__name__: cls for feature in FEATURES for cls in feature.nodes}


@strawberry.type
class NodeQuery:
    @strawberry.field(
        description="Anything of your tenant, by its id.", permission_classes=[at_least(Role.VIEWER)]
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        return await _load(info, id)

    @strawberry.field(
        description=f"Up to {MAX_PAGE} things by their ids, in that order; null, with an error, for each "
        "that is not there.",
        permission_classes=[at_least(Role.VIEWER)],
    )
    async def nodes(self, info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
        if len(ids) > MAX_PAGE:
            raise InvalidInputError(f"At most {MAX_PAGE} ids at once.", "ids")
        # An exception in a list becomes that entry's error, and leaves the others alone.
        entries = await together(_load_or_error(info, text) for text in ids)
        return cast("list[Node | None]", entries)


async def _load(info: Info, id: str) -> Node:
    repository = info.context.repository
    name, uid = parse_global_id(id) or ("", "")
    entity = await repository.find(_NODES[name], uid) if name in _NODES else None
    if entity is None or entity.deleted_at is not None:
        raise NotFoundError("Node")
    return cast("Node", entity)


async def _load_or_error(info: Info, id: str) -> Node | ApiError:
    try:
        return await _load(info, id)
    except NotFoundError as error:
        return error


def build_schema(features: Sequence[Feature] = FEATURES) -> strawberry.Schema:
    """The schema of the given features, in their order."""
    queries = tuple(feature.query for feature in features if feature.query)
    subscriptions = tuple(feature.subscription for feature in features if feature.subscription)
    mutations = tuple(feature.mutation for feature in features if feature.mutation)
    return strawberry.Schema(
        query=strawberry.type(
            merge_types("Query", (NodeQuery, *queries)),
            description="What can be read. Another tenant's things do not exist here.",
        ),
        mutation=strawberry.type(
            merge_types("Mutation", mutations),
            description="What can be changed. Each answers with its payload or a typed error; the same "
            "`idempotencyKey` within 24 hours has one effect.",
        ),
        subscription=strawberry.type(
            merge_types("Subscription", subscriptions),
            description="What happens in your tenant, in order. Each field takes `after`: a cursor of an "
            "earlier change, or a list's `eventCursor`, from which nothing is missed.",
        ),
        types=[cls for feature in features for cls in feature.nodes],
        exception_handlers=EXCEPTION_HANDLERS,
        config=StrawberryConfig(disable_field_suggestions=True),
    )
