"""Global ids and connections, as the Relay specification has them, over keyset pages."""

import base64
import binascii
from collections.abc import Iterable
from typing import Generic, TypeVar

import strawberry

from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.context import Info
from graphql_api.errors import InvalidInputError, NotFoundError
from graphql_api.metering.list_size import DEFAULT_PAGE, MAX_PAGE
from graphql_api.store.entity import Entity
from graphql_api.store.keys import SEGMENT
from graphql_api.store.page import Page

MAX_ID_LENGTH = 512
# Marks a field that costs a DynamoDB Query for each of its parents.
READS_A_LIST = {"query": 1}


@strawberry.interface(description="Anything with an id that `node` can fetch again.")
class Node:
    @strawberry.field(description="Globally unique and opaque.")
    def id(self) -> strawberry.ID:
        assert isinstance(self, Entity)
        return global_id(type(self), self.uid)


def global_id(cls: type[Entity], uid: str) -> strawberry.ID:
    """The opaque id of the entity of a class and uid."""
    return strawberry.ID(base64.urlsafe_b64encode(f"{cls.__name__}:{uid}".encode()).decode())


def parse_global_id(text: str) -> tuple[str, str] | None:
    """Type name and uid of a global id; None for anything that was never issued."""
    if len(text) > MAX_ID_LENGTH:
        return None
    try:
        decoded = base64.b64decode(text, altchars=b"-_", validate=True)
        name, _, uid = decoded.decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    canonical = base64.urlsafe_b64encode(decoded).decode() == text
    return (name, uid) if canonical and SEGMENT.match(uid) else None


def uid_of(cls: type[Entity], text: str) -> str:
    """The uid in a global id of that class. Raises NotFoundError for every other text."""
    parsed = parse_global_id(text)
    if parsed is None or parsed[0] != cls.__name__:
        raise NotFoundError(cls.noun)
    return parsed[1]


def page_size(first: int | None) -> int:
    """The number of rows asked for. Raises InvalidInputError outside 1..100."""
    if first is None:
        return DEFAULT_PAGE
    if not 1 <= first <= MAX_PAGE:
        raise InvalidInputError(f"first must be between 1 and {MAX_PAGE}.", "first")
    return first


T = TypeVar("T")


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type(description="One row of a list.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Give it as `after` to continue behind this row.")
    node: T


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]]
    page_info: PageInfo

    @strawberry.field(
        description="A place in the tenant's change log from before this list was read: a subscription that "
        "begins `after` it misses nothing. The platform's own lists have none.",
        permission_classes=[at_least(Role.VIEWER)],
    )
    def event_cursor(self, info: Info) -> str | None:
        return info.context.event_cursor


def connection(page: Page[T], after: str | None) -> Connection[T]:
    """The connection that shows a page read after a cursor."""
    rows: Iterable[tuple[str, T]] = zip(page.cursors, page.items, strict=True)
    return Connection(
        edges=[Edge(cursor=cursor, node=node) for cursor, node in rows],
        page_info=PageInfo(
            has_next_page=page.has_next,
            has_previous_page=after is not None,
            start_cursor=page.cursors[0] if page.cursors else None,
            end_cursor=page.resume or (page.cursors[-1] if page.cursors else None),
        ),
    )
