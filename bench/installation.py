"""The product as it is measured: production settings, keys of its own, a clock that stands still."""

import dataclasses
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt

from graphql_api.auth.identity import Identity
from graphql_api.auth.tokens import TokenVerifier
from graphql_api.bootstrap import Services, build_services
from graphql_api.local.keys import DevelopmentIssuer
from graphql_api.settings import Profile, Settings
from graphql_api.store.client import Database

ISSUER, AUDIENCE = "https://issuer.example", "bench"


class BenchInstallation:
    """Builds the services over one database or another."""

    def __init__(self, directory: Path, endpoint: str) -> None:
        self._issuer = DevelopmentIssuer.open(directory, Profile.DEVELOPMENT)
        self.settings = Settings(
            profile=Profile.PRODUCTION,
            table_name=f"bench-{directory.name}",
            control_table_name=f"bench-{directory.name}-control",
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks_url=f"{ISSUER}/jwks.json",
            cursor_secrets=(b"signs cursors of a tenant that lives a minute",),
            dynamodb_endpoint=endpoint,
        )
        # A cursor holds the hour; the same question shall have the same answer in every round.
        self._started = datetime.now(UTC)
        self.verifier = TokenVerifier(_KeySet(self._issuer.jwks()["keys"]), ISSUER, AUDIENCE)

    def services(self, database: Database) -> Services:
        services = build_services(
            self.settings,
            now=lambda: self._started,
            database=database,
            flush_seconds=math.inf,  # What is written of usage would be in one round and not in another.
        )
        return dataclasses.replace(services, verifier=self.verifier)

    def token(self, caller: Identity) -> str:
        return self._issuer.mint_token(
            issuer=ISSUER,
            audience=AUDIENCE,
            subject=caller.subject,
            roles=[caller.role],
            tenant=caller.tenant,
        )


class _KeySet:
    """The issuer's keys as the verifier has them once they are fetched."""

    def __init__(self, keys: Sequence[dict[str, Any]]) -> None:
        self._keys = {key["kid"]: jwt.PyJWK(key) for key in keys}

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        return self._keys.get(key_id)
