"""What opens an invitation, as it is stored: apart from the user, so that the change log never holds it."""

import dataclasses
from typing import ClassVar

from graphql_api.auth.secret_text import INVITATION, SecretText
from graphql_api.errors import InvalidInputError
from graphql_api.features.users import User
from graphql_api.store.codec import Item
from graphql_api.store.entity import Entity, key_of, to_item
from graphql_api.store.keys import tenant_of
from graphql_api.store.repository import Repository
from graphql_api.store.writes import ANYTHING, Put, Write


class InvalidInvitationError(InvalidInputError):
    """A token that is malformed, unknown, used, expired, withdrawn or another's: never said which."""

    def __init__(self) -> None:
        super().__init__("This invitation is not valid.", "token")


@dataclasses.dataclass(kw_only=True)
class Invitation(Entity):
    """One user's, whose uid it has. Until when it is good, the user's record says, and is written with it."""

    kind: ClassVar[str] = "INVITATION"
    noun: ClassVar[str] = "Invitation"
    is_logged: ClassVar[bool] = False

    digest: str = dataclasses.field(repr=False)


def invitation(repository: Repository, user: User) -> tuple[SecretText, Put]:
    """A token, and the write by which it, and no former one, can be accepted."""
    secret = SecretText.new(INVITATION, tenant_of(repository.family), user.uid)
    stored = repository.new(Invitation, uid=user.uid, digest=secret.digest)
    key = key_of(repository.family, Invitation, user.uid)
    return secret, Put(key, to_item(repository.family, stored), _replaced, ANYTHING)


def acceptance(repository: Repository, invitation: Invitation) -> Write:
    """The write that ends an invitation, unless a newer one stands in its place."""
    ended = repository.stamped(invitation, deleted_at=repository.stamp.now())
    write = repository.change(invitation, ended, guard="digest")
    return dataclasses.replace(write, on_failure=_replaced)


def _replaced(_: Item | None) -> Exception:
    return InvalidInvitationError()
