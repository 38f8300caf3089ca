"""Sign-up: a tenant for whoever asks, where the installation allows that."""

import hashlib
import json
import secrets
from typing import Annotated

import strawberry

from graphql_api import inputs
from graphql_api.audit.acts import audited
from graphql_api.audit.entry import AuditKind
from graphql_api.auth.identity import Role
from graphql_api.auth.permissions import NobodyKnown
from graphql_api.context import Info
from graphql_api.errors import ConflictError, InvalidInputError
from graphql_api.feature import Feature
from graphql_api.features.api_keys.api_key import FIRST_KEY_LASTS, issue
from graphql_api.features.onboarding import OnboardTenantInput, SlugTakenError, register, valid_slug
from graphql_api.features.tenants import TenantRegistration, TenantStatus
from graphql_api.features.users import User
from graphql_api.metering.field_rates import FieldRate, Per
from graphql_api.results import Problem
from graphql_api.store.repository import Repository, StaleError

# Names that would be taken for the platform itself, in a host name or a path.
RESERVED = frozenset(
    {
        *("about", "account", "admin", "administrator", "api", "app", "assets", "auth", "billing", "blog"),
        *("cdn", "console", "dashboard", "docs", "graphql", "health", "help", "internal", "login", "mail"),
        *(
            "null",
            "operator",
            "platform",
            "root",
            "security",
            "self",
            "sign-up",
            "signup",
            "static",
            "status",
        ),
        *("support", "system", "tenant", "tenants", "undefined", "webhook", "webhooks", "www"),
    }
)
RATES = (
    FieldRate(Per.ADDRESS, burst=10, per_minute=1),
    FieldRate(Per.INSTALLATION, burst=1000, per_minute=100),
)
# Of the same call, sent several times at once: each try that fails was overtaken by a step of another.
MAX_TRIES = 4


@strawberry.input(description="A new tenant on the FREE plan, and you as its first administrator.")
class SignUpInput(OnboardTenantInput):
    pass


@strawberry.type
class SignUpPayload:
    tenant: TenantRegistration
    admin_subject: str = strawberry.field(description="What your tokens carry as `sub`.")
    secret: str | None = strawberry.field(
        description="Your API key for 24 hours. Told once: null where an earlier call is repeated."
    )
    is_repetition: bool = strawberry.field(description="Whether an earlier call has told the secret.")


SignUpResult = Annotated[SignUpPayload | Problem, strawberry.union("SignUpResult")]


def free_slug(slug: str) -> str:
    """A slug that anybody may have. Raises InvalidInputError."""
    if valid_slug(slug) in RESERVED:
        raise InvalidInputError("This slug is reserved.", "slug")
    return slug


def caller_of(slug: str, email: str, idempotency_key: str) -> str:
    """Who signs up, where nobody is known: the call itself, which tells its repetition from another's."""
    call = json.dumps([slug, email, idempotency_key])
    return f"sign-up-{hashlib.sha256(call.encode()).hexdigest()[:40]}"


async def _tried(
    platform: Repository, founding: Repository, payload: SignUpInput
) -> tuple[TenantRegistration, str | None]:
    for _ in range(MAX_TRIES - 1):
        try:
            return await _signed_up(platform, founding, payload)
        except SlugTakenError:
            raise
        except ConflictError:
            continue
    return await _signed_up(platform, founding, payload)


async def _signed_up(
    platform: Repository, founding: Repository, payload: SignUpInput
) -> tuple[TenantRegistration, str | None]:
    """The tenant, and the secret of its administrator's key for the one call that opened it."""
    registered = await register(platform, founding, payload, own=True)
    if registered.status is not TenantStatus.PROVISIONING:
        return registered, None
    admin = await founding.fresh().get(User, registered.admin_uid)
    until = founding.stamp.now() + FIRST_KEY_LASTS
    key, secret, writes = issue(founding, admin, "Sign-up", Role.ADMIN, until)
    await founding.commit(*writes, leaves=[key])
    # Last, so that whoever is cut off before it has lost nothing: the repetition is told another key.
    opened = platform.stamped(registered, status=TenantStatus.ACTIVE)
    try:
        await platform.commit(platform.change(registered, opened), leaves=[opened])
    except StaleError:
        return await register(platform, founding, payload, own=True), None
    return opened, secret.text


@strawberry.type
class SignUpMutation:
    @strawberry.mutation(
        description="Create a tenant, with yourself as its first administrator. Repeated with the same slug, "
        "address and idempotency key it answers with the same tenant.",
        permission_classes=[NobodyKnown],
        metadata={"rates": RATES},
        extensions=[audited(AuditKind.ADMINISTRATION)],
    )
    async def sign_up(self, info: Info, input: SignUpInput) -> SignUpResult | None:
        slug, email = free_slug(input.slug), inputs.email(input.admin_email, "adminEmail")
        key = inputs.idempotency_key(input.idempotency_key) or secrets.token_hex(16)
        platform, founding = info.context.signing_up(slug, caller_of(slug, email, key))
        registered, secret = await _tried(platform, founding, input)
        return SignUpPayload(
            tenant=registered,
            admin_subject=registered.admin_uid,
            secret=secret,
            is_repetition=secret is None,
        )


FEATURE = Feature(mutation=SignUpMutation)
