"""The policies as they are deployed: those of infra/template.yaml, rendered for two tables."""

import json
from functools import cache
from typing import Any

from infra.rendering import ACCOUNT, REGION, render

# What a deployment without a user pool of its own must be told.
ISSUER = {
    "JwtIssuer": "https://issuer.example",
    "JwtAudience": "api",
    "JwksUrl": "https://issuer.example/jwks",
}
NAMES = {"Table": "the-data-table", "ControlTable": "the-control-table"}
_ROLES = {
    "tenant": "TenantRole",
    "lifecycle": "LifecycleRole",
    "platform": "PlatformRole",
    "registry-reader": "RegistryReaderRole",
    "rounds": "RoundsRole",
}


def table_arn(name: str, index: str | None = None) -> str:
    arn = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"
    return arn if index is None else f"{arn}/index/{index}"


def shipped_policies(table: str, control: str) -> dict[str, dict[str, Any]]:
    """The documents by name, for a data table and a control table of these names.

    `tenant`, `lifecycle`, `platform`, `registry-reader` and `rounds` are those of the roles that are assumed;
    `connections` is what the functions' own roles may do with sockets.
    """
    text = _rendered()
    for placeholder, name in zip(NAMES.values(), (table, control), strict=True):
        text = text.replace(table_arn(placeholder), table_arn(name))
    return json.loads(text)


@cache
def _rendered() -> str:
    resources = render(parameters=ISSUER, names=NAMES)["Resources"]
    documents = {name: _inline(resources[role], name) for name, role in _ROLES.items()}
    own = resources["SocketsAccess"]["Properties"]["PolicyDocument"]
    sockets = [statement for statement in own["Statement"] if statement["Sid"] == "Sockets"]
    return json.dumps(documents | {"connections": {**own, "Statement": sockets}})


def _inline(role: dict[str, Any], name: str) -> dict[str, Any]:
    (policy,) = (each for each in role["Properties"]["Policies"] if each["PolicyName"] == name)
    return policy["PolicyDocument"]
