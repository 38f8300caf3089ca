from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import jwt
import pytest

from graphql_api.auth.identity import Role
from graphql_api.auth.tokens import Claims, TokenVerifier
from graphql_api.errors import UnauthenticatedError
from graphql_api.local import demo
from graphql_api.local.installation import AUDIENCE, ISSUER, Installation
from graphql_api.local.people import subject_of
from graphql_api.settings import MIN_SECRET_BYTES, Profile

UNKNOWN_PEOPLE = [
    ("acme", Role.ADMIN, "ada", "'ada' is no e-mail address."),
    ("acme", Role.ADMIN, "", "'' is no e-mail address."),
    ("acme", Role.ADMIN, "a#b@acme.example", "'a#b@acme.example' is no e-mail address."),
    ("initech", Role.ADMIN, None, "initech is no demo tenant; name somebody with --user."),
    (
        "acme",
        Role.ADMIN,
        "zoe@acme.example",
        "Only a running server knows other users; start it with `make serve`.",
    ),
]


class Published:
    """The key set of an installation, as its server publishes it."""

    def __init__(self, installation: Installation) -> None:
        self._keys = {key["kid"]: jwt.PyJWK(key) for key in installation.issuer.jwks()["keys"]}

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        return self._keys.get(key_id)


async def claims(installation: Installation, token: str) -> Claims:
    return await TokenVerifier(Published(installation), ISSUER, AUDIENCE).verify(token)


def test_a_directory_always_gives_the_same_keys_and_another_one_others(tmp_path: Path) -> None:
    first, again, other = (Installation.at(tmp_path / name) for name in ("a", "a", "b"))

    assert (first.cursor_secret, first.issuer.jwks()) == (again.cursor_secret, again.issuer.jwks())
    assert first.cursor_secret != other.cursor_secret
    assert first.issuer.key_id != other.issuer.key_id


def test_only_its_owner_may_look_into_it(tmp_path: Path) -> None:
    Installation.at(tmp_path / "deep" / "state")

    assert (tmp_path / "deep" / "state").stat().st_mode & 0o777 == 0o700
    modes = {file.stat().st_mode & 0o777 for file in (tmp_path / "deep" / "state").iterdir()}
    assert modes == {0o600}


def test_many_who_begin_at_once_agree_on_the_secrets(tmp_path: Path) -> None:
    begin = Barrier(16)

    def started(_: int) -> tuple[bytes, str]:
        begin.wait()
        installation = Installation.at(tmp_path)
        return installation.cursor_secret, installation.issuer.key_id

    with ThreadPoolExecutor(16) as threads:
        found = set(threads.map(started, range(16)))
    assert len(found) == 1
    assert len(found.pop()[0]) >= MIN_SECRET_BYTES


def test_its_settings_are_those_of_a_server_for_development(tmp_path: Path) -> None:
    settings = Installation.at(tmp_path).settings(port=8123, dynamodb_endpoint="http://127.0.0.1:4566")

    assert settings.profile is Profile.DEVELOPMENT
    assert settings.jwks_url == "http://127.0.0.1:8123/.well-known/jwks.json"
    assert settings.dynamodb_endpoint == "http://127.0.0.1:4566"
    assert settings.allowed_origins == ("http://127.0.0.1:8123", "http://localhost:8123")


async def test_its_tokens_verify_by_its_published_keys(tmp_path: Path) -> None:
    installation = Installation.at(tmp_path)
    for tenant in demo.TENANTS:
        for role in (Role.VIEWER, Role.MEMBER, Role.MANAGER, Role.ADMIN):
            verified = await claims(installation, installation.demo_token(tenant, role))
            person = tenant.person(role)
            assert (verified.subject, verified.role, verified.tenant) == (
                person.uid(tenant.slug),
                role,
                tenant.slug,
            )

    operator = await claims(installation, installation.operator_token())
    assert (operator.subject, operator.role, operator.tenant) == (demo.OPERATOR, Role.PLATFORM, None)


async def test_another_installations_tokens_do_not(tmp_path: Path) -> None:
    one, other = Installation.at(tmp_path / "one"), Installation.at(tmp_path / "other")

    with pytest.raises(UnauthenticatedError):
        await claims(one, other.operator_token())


def test_the_engine_is_known_while_a_server_runs(tmp_path: Path) -> None:
    installation = Installation.at(tmp_path)
    assert installation.announced() is None

    installation.announce("http://127.0.0.1:4566")
    assert Installation.at(tmp_path).announced() == "http://127.0.0.1:4566"
    for _ in range(2):
        installation.withdraw()
        assert installation.announced() is None


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "null", '"text"'])
def test_a_damaged_announcement_is_none(tmp_path: Path, content: str) -> None:
    installation = Installation.at(tmp_path)
    installation.announce("http://127.0.0.1:4566")
    (tmp_path / "running.json").write_text(content)

    assert installation.announced() is None


async def test_demo_people_are_known_by_role_and_by_address(tmp_path: Path) -> None:
    installation = Installation.at(tmp_path)
    acme = demo.TENANTS[0]
    ada = acme.person(Role.ADMIN)

    assert await subject_of(installation, "acme", Role.ADMIN, None) == ada.uid("acme")
    for address in (ada.email, ada.email.upper(), f" {ada.email} "):
        assert await subject_of(installation, "acme", Role.VIEWER, address) == ada.uid("acme")


@pytest.mark.parametrize(("tenant", "role", "email", "told"), UNKNOWN_PEOPLE)
async def test_who_is_not_known_is_told_in_one_line(
    tmp_path: Path, tenant: str, role: Role, email: str | None, told: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        await subject_of(Installation.at(tmp_path), tenant, role, email)

    assert ended.value.code == told


async def test_a_server_that_ended_without_a_word_is_told_in_one_line(tmp_path: Path) -> None:
    installation = Installation.at(tmp_path)
    installation.announce("http://127.0.0.1:1")

    with pytest.raises(SystemExit) as ended:
        await subject_of(installation, "acme", Role.ADMIN, "zoe@acme.example")
    assert ended.value.code == "The server does not answer; start it again with `make serve`."
