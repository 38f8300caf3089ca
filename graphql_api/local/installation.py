"""The installation on this machine: its state directory, secrets, settings and tokens."""

import ipaddress
import json
import os
import secrets
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from graphql_api.auth.identity import Role
from graphql_api.local.demo import OPERATOR, DemoTenant
from graphql_api.local.event_file import EventFile
from graphql_api.local.head_key import LocalSigner
from graphql_api.local.keys import DevelopmentIssuer, open_key
from graphql_api.settings import Profile, Settings

ISSUER = "https://issuer.localhost"
AUDIENCE = "graphql-api"
METRICS_NAMESPACE = "graphql-api"
TABLE_NAME, CONTROL_TABLE_NAME = "graphql-api-data", "graphql-api-control"
STATE_DIR = Path(".local")
JWKS_PATH = "/.well-known/jwks.json"
GATEWAY_PATH = "/_gateway"
LOOPBACK = "127.0.0.1"
# An engine on this machine takes any key; the SDK wants one.
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}


@dataclass(frozen=True, slots=True)
class Installation:
    """What one state directory holds; the same directory gives the same keys."""

    directory: Path
    issuer: DevelopmentIssuer
    cursor_secret: bytes

    @classmethod
    def at(cls, directory: Path) -> "Installation":
        """The installation in that directory, made on first use."""
        for name, value in _CREDENTIALS.items():
            os.environ.setdefault(name, value)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        issuer = DevelopmentIssuer.open(directory, Profile.DEVELOPMENT)
        return cls(directory, issuer, _secret(directory / "cursor-secret"))

    @property
    def signer(self) -> LocalSigner:
        """What signs the heads of logs here."""
        return LocalSigner(open_key(self.directory / "head-key.pem"))

    @property
    def bus(self) -> EventFile:
        """What stands for an event bus here: `events.jsonl`."""
        return EventFile(self.directory / "events.jsonl")

    def settings(self, *, port: int, dynamodb_endpoint: str) -> Settings:
        """Settings of the server on that port over that engine."""
        return Settings(
            profile=Profile.DEVELOPMENT,
            table_name=TABLE_NAME,
            control_table_name=CONTROL_TABLE_NAME,
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks_url=f"http://{LOOPBACK}:{port}{JWKS_PATH}",
            cursor_secrets=(self.cursor_secret,),
            dynamodb_endpoint=dynamodb_endpoint,
            connections_endpoint=f"http://{LOOPBACK}:{port}{GATEWAY_PATH}",
            metrics_namespace=METRICS_NAMESPACE,
            allowed_origins=(f"http://{LOOPBACK}:{port}", f"http://localhost:{port}"),
            webhook_allowed_networks=(ipaddress.ip_network(f"{LOOPBACK}/8", strict=False),),
            sign_up=True,
            audit_stream=True,
            export_directory=self.directory / "exports",
        )

    def token(self, subject: str, roles: Sequence[Role], tenant: str | None) -> str:
        """A token of this installation's issuer."""
        return self.issuer.mint_token(
            issuer=ISSUER, audience=AUDIENCE, subject=subject, roles=roles, tenant=tenant
        )

    def demo_token(self, tenant: DemoTenant, role: Role) -> str:
        """A token of the first demo user with that role."""
        return self.token(tenant.person(role).uid(tenant.slug), [role], tenant.slug)

    def operator_token(self) -> str:
        """A token of a platform operator."""
        return self.token(OPERATOR, [Role.PLATFORM], None)

    def announce(self, endpoint: str) -> None:
        """Leave the running engine's address for other commands."""
        self._address.write_text(json.dumps({"dynamodb": endpoint}))

    def announced(self) -> str | None:
        """The address of the engine that a running server announced, if any."""
        try:
            return str(json.loads(self._address.read_text())["dynamodb"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def withdraw(self) -> None:
        """The server has stopped."""
        self._address.unlink(missing_ok=True)

    @property
    def _address(self) -> Path:
        return self.directory / "running.json"


def _secret(path: Path) -> bytes:
    """32 random bytes in hex, kept in a file that only its owner reads."""
    if not path.exists():
        # The draft is made 0600; linking it is atomic and loses to whoever was first.
        with tempfile.NamedTemporaryFile(dir=path.parent) as draft:
            draft.write(secrets.token_hex(32).encode())
            draft.flush()
            with suppress(FileExistsError):
                os.link(draft.name, path)
    return path.read_bytes()
