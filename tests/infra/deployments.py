"""The template as each stage deploys it, and as the emulator does."""

from typing import Any

from infra.release import overrides
from infra.rendering import render

STAGES = ("dev", "test", "prod")
KEY = "arn:aws:kms:us-east-1:123456789012:key/0f8fad5b-d9cb-469f-a165-70867728950e"
RELEASE = "0f" * 32
ISSUER = {
    "JwtIssuer": "https://issuer.example",
    "JwtAudience": "graphql-api",
    "JwksUrl": "https://issuer.example/jwks.json",
}
EMULATOR = {
    "EmulatorEndpoint": "http://127.0.0.1:4566",
    "Profile": "development",
    "Stage": "test",
    "Release": RELEASE,
    **ISSUER,
}


def stage_parameters(stage: str) -> dict[str, str]:
    """What a stage is deployed with."""
    return dict(override.split("=", 1) for override in overrides(stage)) | {"Release": RELEASE}


def deployments() -> dict[str, dict[str, Any]]:
    """Every way in which the template is deployed, rendered anew."""
    prod = stage_parameters("prod")
    return {
        **{stage: render(parameters=stage_parameters(stage)) for stage in STAGES},
        "emulator": render(parameters=EMULATOR),
        "own issuer": render(parameters=prod | ISSUER | {"WithCognito": "false"}),
        "customer key": render(parameters=prod | {"CustomerKeyArn": KEY}),
        "event bus": render(parameters=prod | {"EventBusName": "product"}),
        "provisioned": render(parameters=prod | {"ProvisionedConcurrency": "5"}),
    }


def of_type(document: dict[str, Any], *types: str) -> dict[str, dict[str, Any]]:
    """The properties of the resources of these types, by logical name."""
    return {
        name: resource["Properties"]
        for name, resource in document["Resources"].items()
        if resource["Type"] in types
    }
