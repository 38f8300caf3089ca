import time
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.auth.keys import verification_keys
from graphql_api.auth.tokens import TokenVerifier
from graphql_api.errors import UnauthenticatedError
from infra.reading import read
from infra.rendering import TEMPLATE, render
from tests.auth.signing import KeyPair
from tests.infra.deployments import stage_parameters

COGNITO = TEMPLATE.with_name("cognito.yaml")
ISSUER, CLIENT = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Abc", "2aib3example"
ADA = {"custom:subject": "ada"}
# A key id as Cognito writes them; its header has no `typ`.
KEY = KeyPair("Zk1hR3JhcGhRTC1leGFtcGxlLWtleS1pZC0xMjM0NTY=", "RS256")


class PublishedKeys:
    async def find(self, key_id: str) -> Any:
        return verification_keys({"keys": [KEY.jwk]}).get(key_id)


def resource(name: str) -> dict[str, Any]:
    return read(COGNITO)["Resources"][name]["Properties"]


def claims(attributes: dict[str, str]) -> dict[str, Any]:
    """What the trigger puts into the ID token of a user with these attributes."""
    module: dict[str, Any] = {}
    exec(resource("ClaimsFunction")["Code"]["ZipFile"], module)  # noqa: S102 - the template's own text
    event = {"request": {"userAttributes": attributes}, "response": {}}
    details = module["handler"](event, None)["response"]["claimsAndScopeOverrideDetails"]
    assert details.keys() == {"idTokenGeneration"}
    return details["idTokenGeneration"]["claimsToAddOrOverride"]


def verifier() -> TokenVerifier:
    """As the template has the functions verify where the pool issues the tokens."""
    functions = render(parameters={"WithCognito": "true"})["Resources"]["HttpFunction"]["Properties"]
    claim = functions["Environment"]["Variables"]["JWT_SUBJECT_CLAIM"]
    return TokenVerifier(PublishedKeys(), ISSUER, CLIENT, claim)


def id_token(attributes: dict[str, str]) -> str:
    now = int(time.time())
    usual = {"iss": ISSUER, "sub": "5b1c1f2e-7a55-4a3e-9a53-1c7d6c0b8f11", "iat": now, "exp": now + 900}
    rest = {
        "aud": CLIENT,
        "token_use": "id",
        "auth_time": now,
        "cognito:username": "u",
        "email": "a@b.example",
    }
    # Cognito writes every custom attribute that the client may read into the ID token by itself.
    return KEY.sign(usual | rest | attributes | claims(attributes), {"alg": "RS256", "kid": KEY.key_id})


@pytest.mark.parametrize(
    ("attributes", "role", "tenant"),
    [
        ({**ADA, "custom:tenant": "acme", "custom:roles": "MEMBER"}, Role.MEMBER, "acme"),
        ({**ADA, "custom:tenant": "acme", "custom:roles": "VIEWER, ADMIN"}, Role.ADMIN, "acme"),
        ({**ADA, "custom:roles": "PLATFORM"}, Role.PLATFORM, None),
    ],
)
async def test_its_id_tokens_are_accepted(attributes: dict[str, str], role: Role, tenant: str | None) -> None:
    verified = await verifier().verify(id_token(attributes))

    assert (verified.subject, verified.role, verified.tenant) == ("ada", role, tenant)


@pytest.mark.parametrize(
    "attributes",
    [
        ADA,
        {**ADA, "custom:tenant": "acme"},
        {**ADA, "custom:roles": "MEMBER"},
        {"custom:tenant": "acme", "custom:roles": "MEMBER"},
    ],
)
async def test_who_has_no_subject_tenant_or_role_is_refused(attributes: dict[str, str]) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier().verify(id_token(attributes))


def test_nobody_writes_what_decides_the_claims_for_himself() -> None:
    client, pool = resource("UserPoolClient"), resource("UserPool")

    assert not [name for name in client["WriteAttributes"] if name.startswith("custom:")]
    assert {"custom:subject", "custom:tenant", "custom:roles"} <= set(client["ReadAttributes"])
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


def test_the_trigger_is_of_the_version_that_writes_lists() -> None:
    pool = resource("UserPool")

    assert pool["LambdaConfig"]["PreTokenGenerationConfig"]["LambdaVersion"] == "V2_0"
    assert pool["UserPoolTier"] == "ESSENTIALS"


def test_the_system_is_given_what_the_nested_stack_puts_out() -> None:
    document = render(parameters=stage_parameters("prod"))
    nested = document["Resources"]["UserPool"]["Properties"]
    variables = document["Resources"]["HttpFunction"]["Properties"]["Environment"]["Variables"]
    used = {variables[name].rpartition("/")[2] for name in ("JWT_ISSUER", "JWT_AUDIENCE", "JWKS_URL")}

    assert nested["TemplateURL"] == COGNITO.name
    assert used | {"UserPoolId"} == read(COGNITO)["Outputs"].keys()
    assert nested["Parameters"].keys() == read(COGNITO)["Parameters"].keys()
