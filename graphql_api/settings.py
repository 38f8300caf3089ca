"""The environment, read once, validated, frozen."""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit


class Profile(StrEnum):
    """Development allows GraphiQL, introspection for all and dev keys; production refuses them."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class SettingsError(Exception):
    """The environment does not describe a system that may start."""


T = TypeVar("T")
MAX_DEADLINE = 29.0  # seconds, of API Gateway
MIN_RETENTION_DAYS, MAX_RETENTION_DAYS = 8, 3650  # A day more than subscribers may resume after.
MIN_SECRET_BYTES = 32  # RFC 2104 §3: a key shorter than the hash's output weakens the MAC.
# What a function on Lambda must have, so that no tenant's call is made with the function's own rights and no
# secret is kept in its configuration.
ON_LAMBDA = ("CURSOR_SECRET_ARN", "PLATFORM_ROLE_ARN", "TENANT_ROLE_ARN")


def is_strong(secret: bytes) -> bool:
    return len(secret.strip()) >= MIN_SECRET_BYTES


def _is_public(url: str) -> bool:
    """Whether a URL is https with a host that can be another machine, however the host is written."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https" or not host or host.endswith("localhost"):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # The resolver reads 127.1 and 0x7f000001 as addresses too; the last label of a name is no number.
        return not re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)", host.rpartition(".")[2])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_global


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme == "https" and text == f"https://{parts.netloc}" and parts.netloc != ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What differs between one installation and another; nothing here changes while it runs.

    `subject_claim`: the claim that says who somebody is, where the issuer's own `sub` cannot be chosen.
    `cursor_secrets`: the first signs, every one verifies, so a secret can be rotated; or `cursor_secret_arn`,
    a secret of AWS Secrets Manager of which the current and the previous version serve.
    `tenant_role_arn`, `platform_role_arn`: assumed to sign calls for a tenant's keys and for the platform's;
    None, both, where the process's own credentials sign everything.
    `dynamodb_endpoint`: None on AWS; a URL of any DynamoDB-compatible engine elsewhere.
    `connections_endpoint`: where frames for WebSocket clients are posted: API Gateway's management API with
    its stage, or the local gateway's; None where nothing is pushed.
    `log_retention`: how long the change log is kept for audit; subscribers resume from its last seven days.
    `webhook_queue_url`: the SQS queue of endpoints that have something to be sent; None where nothing is.
    `webhook_allowed_networks`: may be called for webhooks although they are not the internet; development's.
    `sign_up`: whether tenants can be signed up for by whoever comes.
    `metrics_namespace`: of CloudWatch, for the lines of metrics in the log; None writes none.
    `head_key_arn`: the key of AWS KMS that signs each log's head once a day; None where none does.
    `event_bus_name`: the bus of Amazon EventBridge that is told of every change; None where none is.
    `audit_stream`: whether every change is a line of the log too, for what carries the lines to S3.
    `export_bucket`: where exports of tenants are kept; without one, in `export_directory`.
    `request_deadline`: seconds a request may take, API Gateway's 29 s being the outer bound.
    """

    profile: Profile
    table_name: str
    control_table_name: str
    issuer: str
    audience: str
    jwks_url: str
    subject_claim: str = "sub"
    cursor_secrets: tuple[bytes, ...] = ()
    cursor_secret_arn: str | None = None
    tenant_role_arn: str | None = None
    platform_role_arn: str | None = None
    region: str = "us-east-1"
    dynamodb_endpoint: str | None = None
    connections_endpoint: str | None = None
    allowed_origins: tuple[str, ...] = ()
    request_deadline: float = 10.0
    head_key_arn: str | None = None
    event_bus_name: str | None = None
    audit_stream: bool = False
    log_retention: timedelta = timedelta(days=400)
    webhook_queue_url: str | None = None
    webhook_allowed_networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    sign_up: bool = False
    metrics_namespace: str | None = None
    export_bucket: str | None = None
    export_directory: Path = Path(".local/exports")

    def __post_init__(self) -> None:
        if not self.cursor_secrets and not self.cursor_secret_arn:
            raise SettingsError("CURSOR_SECRETS is not set")
        if self.cursor_secrets and self.cursor_secret_arn:
            raise SettingsError("CURSOR_SECRETS and CURSOR_SECRET_ARN cannot both be set")
        if not all(map(is_strong, self.cursor_secrets)):
            raise SettingsError(f"CURSOR_SECRETS must hold secrets of at least {MIN_SECRET_BYTES} bytes")
        if bool(self.tenant_role_arn) != bool(self.platform_role_arn):
            raise SettingsError("TENANT_ROLE_ARN and PLATFORM_ROLE_ARN must be set together")
        if self.profile is Profile.PRODUCTION:
            self._refuse_development_values()

    @property
    def is_development(self) -> bool:
        return self.profile is Profile.DEVELOPMENT

    def _refuse_development_values(self) -> None:
        for name, url in (("JWKS_URL", self.jwks_url), ("JWT_ISSUER", self.issuer)):
            if not _is_public(url):
                raise SettingsError(f"{name} must be https, and not on this machine, in production")
        if self.webhook_allowed_networks:
            raise SettingsError("WEBHOOK_ALLOWED_NETWORKS must not be set in production")
        if not all(_is_origin(origin) for origin in self.allowed_origins):
            raise SettingsError("ALLOWED_ORIGINS must be like https://app.example.com in production")

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment; anything missing or malformed is a SettingsError naming the variable."""
        if env.get("AWS_LAMBDA_FUNCTION_NAME"):
            for name in ON_LAMBDA:
                _read(env, name, str)
        return cls(
            profile=_read(env, "PROFILE", Profile, Profile.PRODUCTION),
            table_name=_read(env, "TABLE_NAME", str),
            control_table_name=_read(env, "CONTROL_TABLE_NAME", str),
            issuer=_read(env, "JWT_ISSUER", str),
            audience=_read(env, "JWT_AUDIENCE", str),
            jwks_url=_read(env, "JWKS_URL", str),
            subject_claim=_read(env, "JWT_SUBJECT_CLAIM", str, "sub"),
            cursor_secrets=_secrets(env.get("CURSOR_SECRETS", "")),
            cursor_secret_arn=env.get("CURSOR_SECRET_ARN") or None,
            tenant_role_arn=env.get("TENANT_ROLE_ARN") or None,
            platform_role_arn=env.get("PLATFORM_ROLE_ARN") or None,
            region=_read(env, "AWS_REGION", str, "us-east-1"),
            dynamodb_endpoint=env.get("DYNAMODB_ENDPOINT") or None,
            connections_endpoint=env.get("CONNECTIONS_ENDPOINT") or None,
            allowed_origins=tuple(env.get("ALLOWED_ORIGINS", "").replace(",", " ").split()),
            export_bucket=env.get("EXPORT_BUCKET") or None,
            export_directory=_read(env, "EXPORT_DIRECTORY", Path, ".local/exports"),
            log_retention=_read(env, "LOG_RETENTION_DAYS", _retention, "400"),
            webhook_queue_url=env.get("WEBHOOK_QUEUE_URL") or None,
            webhook_allowed_networks=_read(env, "WEBHOOK_ALLOWED_NETWORKS", _networks, " "),
            sign_up=_read(env, "SIGN_UP", _switch, "off"),
            metrics_namespace=env.get("METRICS_NAMESPACE") or None,
            head_key_arn=env.get("HEAD_KEY_ARN") or None,
            event_bus_name=env.get("EVENT_BUS_NAME") or None,
            audit_stream=_read(env, "AUDIT_STREAM", _switch, "off"),
            request_deadline=_read(env, "REQUEST_DEADLINE_SECONDS", _seconds, "10"),
        )


def _read(env: Mapping[str, str], name: str, convert: Callable[[str], T], default: str = "") -> T:
    text = env.get(name) or default
    if not text:
        raise SettingsError(f"{name} is not set")
    try:
        return convert(text)
    except (ValueError, KeyError):
        raise SettingsError(f"{name} cannot be {text!r}") from None


def _secrets(text: str) -> tuple[bytes, ...]:
    return tuple(part.strip().encode() for part in text.split(",")) if text else ()


def _networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(map(ipaddress.ip_network, text.replace(",", " ").split()))


def _switch(text: str) -> bool:
    return {"on": True, "off": False}[text]


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= MAX_DEADLINE:
        raise ValueError(text)
    return seconds


def _retention(text: str) -> timedelta:
    days = int(text)
    if not MIN_RETENTION_DAYS <= days <= MAX_RETENTION_DAYS:
        raise ValueError(text)
    return timedelta(days=days)
