import dataclasses

import pytest

from graphql_api.settings import MIN_SECRET_BYTES, Profile, Settings, SettingsError

NEEDED = {
    "TABLE_NAME": "data",
    "CONTROL_TABLE_NAME": "control",
    "JWT_ISSUER": "https://issuer.example",
    "JWT_AUDIENCE": "graphql-api",
    "JWKS_URL": "https://issuer.example/jwks.json",
    "CURSOR_SECRETS": "s" * MIN_SECRET_BYTES,
}


def test_what_is_needed_is_enough() -> None:
    settings = Settings.from_env(NEEDED)

    assert settings == Settings(
        profile=Profile.PRODUCTION,
        table_name="data",
        control_table_name="control",
        issuer="https://issuer.example",
        audience="graphql-api",
        jwks_url="https://issuer.example/jwks.json",
        cursor_secrets=(b"s" * MIN_SECRET_BYTES,),
        region="us-east-1",
        dynamodb_endpoint=None,
        allowed_origins=(),
        request_deadline=10.0,
    )
    assert not settings.is_development
    assert not settings.sign_up


def test_everything_else_can_be_chosen() -> None:
    settings = Settings.from_env(
        NEEDED
        | {
            "PROFILE": "development",
            "AWS_REGION": "eu-central-1",
            "DYNAMODB_ENDPOINT": "http://127.0.0.1:4566",
            "ALLOWED_ORIGINS": "https://a.example, https://b.example,",
            "REQUEST_DEADLINE_SECONDS": "2.5",
            "WEBHOOK_QUEUE_URL": "https://sqs.example/webhooks",
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8, ::1",
            "SIGN_UP": "on",
            "CURSOR_SECRETS": f"{'n' * MIN_SECRET_BYTES},{'o' * MIN_SECRET_BYTES}",
        }
    )

    assert settings.is_development
    assert settings.region == "eu-central-1"
    assert settings.dynamodb_endpoint == "http://127.0.0.1:4566"
    assert settings.allowed_origins == ("https://a.example", "https://b.example")
    assert settings.request_deadline == 2.5
    assert settings.webhook_queue_url == "https://sqs.example/webhooks"
    assert [str(network) for network in settings.webhook_allowed_networks] == ["127.0.0.0/8", "::1/128"]
    assert settings.sign_up
    assert settings.cursor_secrets == (b"n" * MIN_SECRET_BYTES, b"o" * MIN_SECRET_BYTES)


def test_an_empty_variable_is_one_that_is_not_set() -> None:
    optional = ("PROFILE", "AWS_REGION", "DYNAMODB_ENDPOINT", "ALLOWED_ORIGINS", "REQUEST_DEADLINE_SECONDS")
    optional += ("WEBHOOK_QUEUE_URL", "WEBHOOK_ALLOWED_NETWORKS")

    assert Settings.from_env(NEEDED | dict.fromkeys(optional, "")) == Settings.from_env(NEEDED)


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_missing_is_named(name: str) -> None:
    for env in ({key: NEEDED[key] for key in NEEDED if key != name}, NEEDED | {name: ""}):
        with pytest.raises(SettingsError, match=f"^{name} is not set$"):
            Settings.from_env(env)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PROFILE", "prod"),
        ("PROFILE", "PRODUCTION"),
        ("WEBHOOK_ALLOWED_NETWORKS", "localhost"),
        ("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.1/8"),
        ("REQUEST_DEADLINE_SECONDS", "ten"),
        ("REQUEST_DEADLINE_SECONDS", "0"),
        ("REQUEST_DEADLINE_SECONDS", "-1"),
        ("REQUEST_DEADLINE_SECONDS", "30"),
        ("REQUEST_DEADLINE_SECONDS", "nan"),
        ("REQUEST_DEADLINE_SECONDS", "inf"),
        ("SIGN_UP", "yes"),
        ("SIGN_UP", "ON"),
        ("CURSOR_SECRETS", "s" * (MIN_SECRET_BYTES - 1)),
        ("CURSOR_SECRETS", f"{'s' * MIN_SECRET_BYTES},"),
    ],
)
def test_what_is_malformed_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env(NEEDED | {name: value})


ON_LAMBDA = {
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "CURSOR_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:cursor",
    "TENANT_ROLE_ARN": "arn:aws:iam::123456789012:role/tenant",
    "PLATFORM_ROLE_ARN": "arn:aws:iam::123456789012:role/platform",
}
WITHOUT_SECRET = {name: value for name, value in NEEDED.items() if name != "CURSOR_SECRETS"}


def test_on_lambda_roles_and_a_managed_secret_are_needed_too() -> None:
    settings = Settings.from_env(WITHOUT_SECRET | ON_LAMBDA)

    assert settings.cursor_secrets == ()
    assert settings.cursor_secret_arn == ON_LAMBDA["CURSOR_SECRET_ARN"]
    assert (settings.tenant_role_arn, settings.platform_role_arn) == (
        ON_LAMBDA["TENANT_ROLE_ARN"],
        ON_LAMBDA["PLATFORM_ROLE_ARN"],
    )
    for name in ON_LAMBDA.keys() - {"AWS_LAMBDA_FUNCTION_NAME"}:
        with pytest.raises(SettingsError, match=f"^{name} is not set$"):
            Settings.from_env(NEEDED | ON_LAMBDA | {name: ""})


@pytest.mark.parametrize(
    "contradiction",
    [
        {"CURSOR_SECRET_ARN": "arn:aws:secretsmanager:us-east-1:123456789012:secret:cursor"},
        {"TENANT_ROLE_ARN": "arn:aws:iam::123456789012:role/tenant"},
        {"PLATFORM_ROLE_ARN": "arn:aws:iam::123456789012:role/platform"},
    ],
)
def test_settings_that_contradict_each_other_are_refused(contradiction: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(contradiction))):
        Settings.from_env(NEEDED | contradiction)


def test_a_secret_is_never_repeated_in_an_error() -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.from_env(NEEDED | {"CURSOR_SECRETS": "short-secret"})

    assert "short-secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JWKS_URL", "http://issuer.example/jwks.json"),
        ("JWKS_URL", "https://127.0.0.1:8000/.well-known/jwks.json"),
        ("JWKS_URL", "https://[::1]/jwks.json"),
        ("JWT_ISSUER", "https://issuer.localhost"),
        ("JWT_ISSUER", "https://localhost"),
        ("JWT_ISSUER", "issuer"),
        ("ALLOWED_ORIGINS", "*"),
        ("ALLOWED_ORIGINS", "https://a.example,*"),
        ("WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8"),
    ],
)
def test_production_refuses_what_only_development_may(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_env(NEEDED | {name: value})
    Settings.from_env(NEEDED | {name: value, "PROFILE": "development"})


def test_settings_never_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings.from_env(NEEDED).profile = Profile.DEVELOPMENT  # pyright: ignore[reportAttributeAccessIssue]
