"""What a newcomer needs to see when the server is ready."""

from graphql_api.auth.identity import Role
from graphql_api.local import demo
from graphql_api.local.installation import LOOPBACK, Installation

QUERY = '{"query":"{ viewer { name role } tasks(first: 3) { edges { node { title status } } } }"}'


def banner(installation: Installation, port: int) -> str:
    """URLs, a token for each demo tenant and role, and a request to paste."""
    origin = f"http://{LOOPBACK}:{port}"
    lines = [
        "",
        f"  GraphQL   {origin}/graphql",
        f"  GraphiQL  {origin}/",
        f"  Health    {origin}/health",
        "",
        "  Tokens (12 hours), for the header  Authorization: Bearer <token>",
    ]
    for tenant in demo.TENANTS:
        for role in (Role.ADMIN, Role.MANAGER, Role.MEMBER, Role.VIEWER):
            person = tenant.person(role)
            lines += [
                "",
                f"  {tenant.slug} · {role.lower()} · {person.email}",
                f"  {installation.demo_token(tenant, role)}",
            ]
    lines += ["", "  platform operator", f"  {installation.operator_token()}"]
    token = installation.demo_token(demo.TENANTS[0], Role.ADMIN)
    headers = f"-H 'content-type: application/json' -H 'authorization: Bearer {token}'"
    lines += ["", "  Try it:", f"  curl -s {origin}/graphql {headers} -d '{QUERY}'", ""]
    return "\n".join(lines)
