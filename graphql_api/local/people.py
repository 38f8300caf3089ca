"""Who a development token is for: a demo user by role, or anybody by e-mail address."""

from graphql_api import inputs
from graphql_api.auth.identity import TENANT_SLUG, Role
from graphql_api.deadline import Deadline
from graphql_api.errors import InvalidInputError
from graphql_api.features.users import EmailAddress
from graphql_api.local import demo
from graphql_api.local.installation import Installation
from graphql_api.store.client import Database
from graphql_api.store.entity import key_of
from graphql_api.store.keys import tenant_family
from graphql_api.store.table import StoreBusyError, Table


async def subject_of(installation: Installation, slug: str, role: Role, email: str | None) -> str:
    """The `sub` of a token. Raises SystemExit, with what to do, for somebody unknown."""
    address = None if email is None else _address(email)
    tenant = demo.find_tenant(slug)
    if tenant is not None:
        for person in tenant.people:
            if person.email == address or (address is None and person.role is role):
                return person.uid(slug)
    if address is None:
        raise SystemExit(f"{slug} is no demo tenant; name somebody with --user.")
    return await _stored_subject(installation, slug, address)


def _address(given: str) -> str:
    try:
        return inputs.email(given)
    except InvalidInputError:
        raise SystemExit(f"{given!r} is no e-mail address.") from None


async def _stored_subject(installation: Installation, slug: str, address: str) -> str:
    endpoint = installation.announced()
    if endpoint is None:
        raise SystemExit("Only a running server knows other users; start it with `make serve`.")
    if not TENANT_SLUG.match(slug):
        raise SystemExit("There is no such tenant.")
    database = await Database(installation.settings(port=0, dynamodb_endpoint=endpoint)).open()
    family = tenant_family(slug)
    key = key_of(family, EmailAddress, address)
    try:
        found = await Table(database, family, Deadline.after(5)).batch_get([key])
    except StoreBusyError:
        raise SystemExit("The server does not answer; start it again with `make serve`.") from None
    finally:
        await database.close()
    if key not in found:
        raise SystemExit(f"Nobody in {slug} has the address {address}.")
    return found[key]["user_uid"]["S"]
