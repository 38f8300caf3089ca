"""An API key as it is stored: what everybody may know of it, and apart from that what opens it."""

import dataclasses
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import strawberry

from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import at_least
from graphql_api.auth.secret_text import API_KEY, SecretText
from graphql_api.context import Info
from graphql_api.errors import ConflictError
from graphql_api.features.users import User
from graphql_api.relay import global_id
from graphql_api.store.entity import Entity, Placement, key_of, to_item
from graphql_api.store.keys import sort_key, tenant_of
from graphql_api.store.page import ListRange
from graphql_api.store.repository import Repository
from graphql_api.store.schema import Index
from graphql_api.store.writes import ANYTHING, Put

# Of a key that comes with a sign-up or an accepted invitation: time enough to issue one that stays.
FIRST_KEY_LASTS = timedelta(hours=24)
ALL_KEYS = ListRange(Index.LISTING, (("APIKEYS",),))


@strawberry.type(description="What lets a program in as its user; never the secret itself.")
class ApiKey(Entity):
    kind: ClassVar[str] = "APIKEY"
    noun: ClassVar[str] = "API key"

    name: str
    role: Role = strawberry.field(description="The most it may do; less where its user may do less.")
    valid_until: datetime | None = strawberry.field(
        default=None, description="Null for one that is good until revoked."
    )
    rotated_at: datetime | None = None
    user_uid: strawberry.Private[str]

    def placement(self) -> Placement:
        return Placement(
            listing_pk=ALL_KEYS.partitions[0],
            assignee_pk=keys_of(self.user_uid).partitions[0],
            agenda_sk=sort_key(self.uid),
        )

    @strawberry.field(description="Unique and opaque; the key's own text holds another one.")
    def id(self) -> strawberry.ID:
        return global_id(ApiKey, self.uid)

    @strawberry.field(description="Whose it is.", permission_classes=[at_least(Role.VIEWER)])
    async def user(self, info: Info) -> User:
        return await info.context.repository.known(User, self.user_uid)


@dataclasses.dataclass(kw_only=True)
class KeySecret(Entity):
    """What opens a key, apart from it so that the change log never holds it.

    Each write of it goes with one of its key in a transaction, whose version guards both.
    """

    kind: ClassVar[str] = "KEYSECRET"
    noun: ClassVar[str] = "API key"
    is_logged: ClassVar[bool] = False

    user_uid: str
    role: Role
    digest: str = dataclasses.field(repr=False)
    valid_until: datetime | None = None
    former_digest: str | None = dataclasses.field(default=None, repr=False)
    former_until: datetime | None = None


def issue(
    repository: Repository, owner: User, name: str, role: Role, valid_until: datetime | None
) -> tuple[ApiKey, SecretText, Sequence[Put]]:
    """A key for a user, what opens it, and the writes that store both."""
    key = repository.new(ApiKey, name=name, role=role, valid_until=valid_until, user_uid=owner.uid)
    secret = new_secret(repository, key)
    stored = repository.new(
        KeySecret,
        uid=key.uid,
        user_uid=owner.uid,
        role=role,
        digest=secret.digest,
        valid_until=valid_until,
    )
    return key, secret, (repository.put(key), kept(repository, stored))


def new_secret(repository: Repository, key: ApiKey) -> SecretText:
    """Something else that opens a key."""
    return SecretText.new(API_KEY, tenant_of(repository.family), key.uid)


def kept(repository: Repository, secret: KeySecret) -> Put:
    """The write of what opens a key, for the transaction that writes the key."""
    item = to_item(repository.family, secret)
    key = key_of(repository.family, KeySecret, secret.uid)
    return Put(key, item, lambda _: ConflictError("API key was changed meanwhile."), ANYTHING)


def keys_of(user_uid: str) -> ListRange:
    """The keys of one user."""
    return ListRange(Index.ASSIGNEE_AGENDA, (("APIKEYS", user_uid),))
