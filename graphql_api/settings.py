"""The environment, read once, validated, frozen."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit


class Profile(StrEnum):
    """Development allows GraphiQL, introspection for all and dev keys; production refuses them."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class SettingsError(Exception):
    """The environment does not describe a system that may start."""


_THIS_MACHINE = re.compile(r"(.*\.)?localhost|127\.[0-9.]+|\[?::1\]?")
MIN_SECRET_BYTES = 32  # RFC 2104 §3: a key shorter than the hash's output weakens the MAC.


def _is_public(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and not _THIS_MACHINE.fullmatch(parts.hostname or "localhost")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What differs between one installation and another; nothing here changes while it runs.

    `cursor_secrets`: the first signs, every one verifies, so a secret can be rotated.
    `dynamodb_endpoint`: None on AWS; a URL of any DynamoDB-compatible engine elsewhere.
    `request_deadline`: seconds a request may take, API Gateway's 29 s being the outer bound.
    """

    profile: Profile
    table_name: str
    issuer: str
    audience: str
    jwks_url: str
    cursor_secrets: tuple[bytes, ...]
    region: str = "us-east-1"
    dynamodb_endpoint: str | None = None
    allowed_origins: tuple[str, ...] = ()
    request_deadline: float = 10.0

    def __post_init__(self) -> None:
        if not self.cursor_secrets or any(len(s) < MIN_SECRET_BYTES for s in self.cursor_secrets):
            raise SettingsError(f"CURSOR_SECRETS must hold secrets of at least {MIN_SECRET_BYTES} bytes")
        if self.profile is Profile.PRODUCTION:
            self._refuse_development_values()

    @property
    def is_development(self) -> bool:
        return self.profile is Profile.DEVELOPMENT

    def _refuse_development_values(self) -> None:
        for name, url in (("JWKS_URL", self.jwks_url), ("JWT_ISSUER", self.issuer)):
            if not _is_public(url):
                raise SettingsError(f"{name} must be https, and not on this machine, in production")
        if "*" in self.allowed_origins:
            raise SettingsError("ALLOWED_ORIGINS must name its origins in production")

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Read the environment; anything missing or malformed is a SettingsError naming the variable."""
        try:
            return cls(
                profile=Profile(env.get("PROFILE", Profile.PRODUCTION)),
                table_name=env["TABLE_NAME"],
                issuer=env["JWT_ISSUER"],
                audience=env["JWT_AUDIENCE"],
                jwks_url=env["JWKS_URL"],
                cursor_secrets=tuple(part.encode() for part in env["CURSOR_SECRETS"].split(",")),
                region=env.get("AWS_REGION", "us-east-1"),
                dynamodb_endpoint=env.get("DYNAMODB_ENDPOINT") or None,
                allowed_origins=tuple(filter(None, env.get("ALLOWED_ORIGINS", "").split(","))),
                request_deadline=float(env.get("REQUEST_DEADLINE_SECONDS", "10")),
            )
        except KeyError as missing:
            raise SettingsError(f"{missing.args[0]} is not set") from None
        except ValueError as malformed:
            raise SettingsError(str(malformed)) from None
