"""The development issuer: its key, its file, and tokens the one verifier accepts."""

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from graphql_api.auth.identity import Role
from graphql_api.auth.keys import JwksKeys
from graphql_api.auth.tokens import MAX_AGE, Claims, TokenVerifier
from graphql_api.errors import UnauthenticatedError
from graphql_api.local.keys import KEY_FILE, DevelopmentIssuer
from graphql_api.settings import Profile, SettingsError
from tests.auth.jwks_server import JwksServer

ISSUER, AUDIENCE = "http://127.0.0.1:8000", "graphql-api"


def opened(directory: Path) -> DevelopmentIssuer:
    return DevelopmentIssuer.open(directory, Profile.DEVELOPMENT)


@pytest.fixture
def issuer(tmp_path: Path) -> DevelopmentIssuer:
    return opened(tmp_path)


def mint(issuer: DevelopmentIssuer, **changed: Any) -> str:
    claims: dict[str, Any] = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "subject": "user-1",
        "roles": [Role.ADMIN],
    }
    return issuer.mint_token(**{**claims, "tenant": "acme", **changed})


def test_the_key_is_made_on_first_use_for_its_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    opened(directory)
    assert [path.name for path in directory.iterdir()] == [KEY_FILE]
    assert stat.S_IMODE((directory / KEY_FILE).stat().st_mode) == 0o600


def test_the_key_survives_a_restart(tmp_path: Path) -> None:
    first = opened(tmp_path)
    assert opened(tmp_path).jwks() == first.jwks()


def test_many_first_uses_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        issuers = list(pool.map(opened, [tmp_path] * 16))
    assert len({issuer.key_id for issuer in issuers}) == 1
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE]


def test_processes_agree_on_one_key_too(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from graphql_api.local.keys import DevelopmentIssuer;"
        "from graphql_api.settings import Profile;"
        "print(DevelopmentIssuer.open(Path(sys.argv[1]), Profile.DEVELOPMENT).key_id)"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {process.communicate(timeout=30)[0].strip() for process in running}
    assert printed == {opened(tmp_path).key_id}


def test_the_key_set_holds_the_public_half_alone(issuer: DevelopmentIssuer) -> None:
    (key,) = issuer.jwks()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (key["kid"], key["alg"], key["use"]) == (issuer.key_id, "ES256", "sig")


def other_curve() -> bytes:
    key = generate_private_key(SECP384R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("content", [b"", b"rubbish", other_curve()], ids=["empty", "rubbish", "P-384"])
def test_a_file_that_holds_no_such_key_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(SettingsError, match=KEY_FILE):
        opened(tmp_path)


def test_production_cannot_open_it(tmp_path: Path) -> None:
    opened(tmp_path)
    with pytest.raises(SettingsError, match="development"):
        DevelopmentIssuer.open(tmp_path, Profile.PRODUCTION)


def test_production_makes_no_key(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        DevelopmentIssuer.open(tmp_path, Profile.PRODUCTION)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, (Role.ADMIN, "acme")),
        ({"roles": [Role.VIEWER, Role.MANAGER]}, (Role.MANAGER, "acme")),
        ({"roles": [Role.PLATFORM], "tenant": None}, (Role.PLATFORM, None)),
        ({"lifetime": MAX_AGE}, (Role.ADMIN, "acme")),
    ],
)
async def test_its_tokens_pass_the_one_verifier_over_its_key_set(
    issuer: DevelopmentIssuer, changed: dict[str, Any], expected: tuple[Role, str | None]
) -> None:
    with JwksServer(issuer.jwks()) as server:
        verifier = TokenVerifier(JwksKeys(server.url), ISSUER, AUDIENCE)
        claims = await verifier.verify(mint(issuer, **changed))
    assert claims == Claims("user-1", *expected, claims.expires_at)


async def test_another_directory_signs_for_nobody_here(issuer: DevelopmentIssuer, tmp_path: Path) -> None:
    stranger = opened(tmp_path / "other")
    with JwksServer(issuer.jwks()) as server:
        verifier = TokenVerifier(JwksKeys(server.url), ISSUER, AUDIENCE)
        with pytest.raises(UnauthenticatedError):
            await verifier.verify(mint(stranger))


def test_a_token_lasts_twelve_hours(issuer: DevelopmentIssuer) -> None:
    payload = jwt.decode(mint(issuer), options={"verify_signature": False})
    assert payload["exp"] - payload["iat"] == 12 * 3600


@pytest.mark.parametrize(
    "changed",
    [
        {"roles": []},
        {"roles": [Role.ADMIN, Role.ADMIN]},
        {"roles": [Role.PLATFORM]},
        {"roles": [Role.PLATFORM, Role.ADMIN], "tenant": None},
        {"tenant": None},
        {"tenant": "Acme"},
        {"subject": "user 1"},
        {"lifetime": 0},
        {"lifetime": MAX_AGE + 1},
    ],
    ids=str,
)
def test_a_token_no_verifier_would_accept_is_not_minted(
    issuer: DevelopmentIssuer, changed: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match=r"roles|tenant|sub"):
        mint(issuer, **changed)
