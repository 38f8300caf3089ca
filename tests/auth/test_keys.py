"""The key source against a real server that counts what it is asked."""

import asyncio
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from graphql_api.auth.keys import (
    COLD_COOLDOWN,
    COOLDOWN,
    LIFESPAN,
    MAX_DOCUMENT_BYTES,
    STALE_LIMIT,
    JwksKeys,
    verification_keys,
)
from graphql_api.settings import SettingsError
from tests.auth.clock import Clock
from tests.auth.jwks_server import JwksServer
from tests.auth.signing import KeyPair

OLD, NEW = KeyPair("old"), KeyPair("new", "EdDSA")


def key_set(*pairs: KeyPair) -> dict[str, Any]:
    return {"keys": [pair.jwk for pair in pairs]}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[JwksServer]:
    with JwksServer(key_set(OLD)) as running:
        yield running


@pytest.fixture
def keys(server: JwksServer, clock: Clock) -> JwksKeys:
    return JwksKeys(server.url, clock=clock)


def break_down(server: JwksServer) -> None:
    server.status = 500


def mend(server: JwksServer) -> None:
    server.status = 200


async def test_nothing_is_fetched_before_the_first_token(server: JwksServer, keys: JwksKeys) -> None:
    assert server.fetches == 0
    assert await keys.find("old") is not None
    assert server.requests == ["/jwks.json?tag=1"]


async def test_concurrent_callers_share_one_fetch(server: JwksServer, keys: JwksKeys) -> None:
    server.delay = 0.05
    found = await asyncio.gather(*(keys.find("old") for _ in range(100)))
    assert all(found)
    assert server.fetches == 1


async def test_a_flood_of_unknown_key_ids_fetches_once_per_30_seconds(
    server: JwksServer, keys: JwksKeys, clock: Clock
) -> None:
    for expected in (1, 2, 3):
        assert await asyncio.gather(*(keys.find(f"unknown-{n}") for n in range(200))) == [None] * 200
        clock.advance(COOLDOWN - 1)
        assert await keys.find("unknown") is None
        assert server.fetches == expected
        clock.advance(1)
    assert COOLDOWN == 30


async def test_a_flood_while_the_issuer_fails_fetches_once_per_30_seconds_too(
    server: JwksServer, keys: JwksKeys, clock: Clock
) -> None:
    await keys.find("old")
    break_down(server)
    for second in range(1, 91):
        clock.advance(1)
        await asyncio.gather(*(keys.find(f"unknown-{second}-{n}") for n in range(20)))
        assert await keys.find("old") is not None
    assert server.fetches == 1 + 3


async def test_known_keys_are_served_from_memory_for_their_lifespan(
    server: JwksServer, keys: JwksKeys, clock: Clock
) -> None:
    await keys.find("old")
    clock.advance(LIFESPAN - 1)
    assert await keys.find("old") is not None
    assert server.fetches == 1
    clock.advance(1)
    assert await keys.find("old") is not None
    assert server.fetches == 2


async def test_while_keys_rotate_old_and_new_both_verify(
    server: JwksServer, keys: JwksKeys, clock: Clock
) -> None:
    await keys.find("old")
    server.document = key_set(OLD, NEW)
    clock.advance(COOLDOWN)
    new, old = await keys.find("new"), await keys.find("old")
    assert new is not None and new.algorithm_name == "EdDSA"  # noqa: PT018 -- one thought
    assert old is not None and old.algorithm_name == "ES256"  # noqa: PT018


@pytest.mark.parametrize("left", [(NEW,), ()], ids=["one of two", "the only one"])
async def test_a_removed_key_is_refused_within_5_minutes(
    server: JwksServer, keys: JwksKeys, clock: Clock, left: tuple[KeyPair, ...]
) -> None:
    await keys.find("old")
    server.document = key_set(*left)
    clock.advance(LIFESPAN)
    assert await keys.find("old") is None
    assert LIFESPAN <= 300


async def test_a_removed_key_is_refused_at_once_when_any_token_caused_a_fetch(
    server: JwksServer, keys: JwksKeys, clock: Clock
) -> None:
    await keys.find("old")
    server.document = key_set(NEW)
    clock.advance(COOLDOWN)
    assert await keys.find("new") is not None
    assert await keys.find("old") is None


async def test_stale_keys_serve_while_the_issuer_is_down_for_an_hour_and_no_longer(
    server: JwksServer, keys: JwksKeys, clock: Clock
) -> None:
    await keys.find("old")
    break_down(server)
    clock.advance(LIFESPAN)
    assert await keys.find("old") is not None
    clock.advance(STALE_LIMIT - LIFESPAN - 1)
    assert await keys.find("old") is not None
    clock.advance(1)
    assert await keys.find("old") is None
    mend(server)
    clock.advance(COOLDOWN)
    assert await keys.find("old") is not None


async def test_an_expired_set_is_asked_for_again_only_every_30_seconds_while_the_issuer_is_down(
    server: JwksServer, keys: JwksKeys, clock: Clock
) -> None:
    await keys.find("old")
    break_down(server)
    clock.advance(LIFESPAN)
    for _ in range(60):
        assert await keys.find("old") is not None
        clock.advance(1)
    assert server.fetches == 1 + 2


async def test_a_failure_before_the_first_set_is_tried_again_soon(
    server: JwksServer, keys: JwksKeys, clock: Clock
) -> None:
    break_down(server)
    assert await keys.find("old") is None
    assert await keys.find("old") is None
    mend(server)
    clock.advance(COLD_COOLDOWN)
    assert await keys.find("old") is not None
    assert server.fetches == 2


async def test_a_clock_set_back_does_not_prolong_a_key(
    server: JwksServer, keys: JwksKeys, clock: Clock
) -> None:
    await keys.find("old")
    server.document = key_set(NEW)
    clock.advance(-3600)
    assert await keys.find("old") is None


async def test_a_caller_that_gives_up_does_not_fail_the_others(server: JwksServer, keys: JwksKeys) -> None:
    server.delay = 0.05
    first, second = asyncio.create_task(keys.find("old")), asyncio.create_task(keys.find("old"))
    await asyncio.sleep(0.01)
    first.cancel()
    assert await second is not None
    assert server.fetches == 1


async def test_a_server_that_hangs_is_given_up(server: JwksServer, clock: Clock) -> None:
    server.delay = 0.3
    keys = JwksKeys(server.url, timeout=0.05, clock=clock)
    assert await keys.find("old") is None
    assert server.fetches == 1


async def test_a_server_that_never_quite_hangs_is_given_up_too(server: JwksServer, clock: Clock) -> None:
    server.drip = 0.005
    keys = JwksKeys(server.url, timeout=0.1, clock=clock)
    assert await keys.find("old") is None


async def test_a_server_that_is_not_there_is_no_error(server: JwksServer, keys: JwksKeys) -> None:
    gone = JwksKeys("http://127.0.0.1:9/jwks.json")
    assert await gone.find("old") is None


BODIES = {
    "empty": b"",
    "HTML": b"<html></html>",
    "a list": b"[]",
    "no keys": b"{}",
    "keys an object": b'{"keys":{}}',
    "not UTF-8": b'{"keys":["\xff"]}',
    "nested deeply": b"[" * 100_000,
    "too large": b'{"keys":[]}' + b" " * MAX_DOCUMENT_BYTES,
    "only rubbish keys": b'{"keys":[{"kty":"EC","crv":"P-256","kid":"old","x":"AA","y":"AA"}]}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_what_is_no_key_set_leaves_the_last_one_standing(
    server: JwksServer, keys: JwksKeys, clock: Clock, body: bytes
) -> None:
    await keys.find("old")
    server.body = body
    clock.advance(LIFESPAN)
    assert await keys.find("old") is not None
    assert server.fetches == 2


async def test_a_redirect_is_not_followed(server: JwksServer, clock: Clock) -> None:
    with JwksServer(key_set(NEW)) as elsewhere:
        server.status, server.headers = 302, {"Location": elsewhere.url}
        assert await JwksKeys(server.url, clock=clock).find("new") is None
        assert (server.fetches, elsewhere.fetches) == (1, 0)


async def test_a_failure_is_logged_without_the_path_or_the_key_id(
    server: JwksServer, keys: JwksKeys, caplog: pytest.LogCaptureFixture
) -> None:
    break_down(server)
    await keys.find("canary")
    assert "no key set from 127.0.0.1" in caplog.text
    assert "canary" not in caplog.text
    assert "jwks.json" not in caplog.text


@pytest.mark.parametrize(
    "url", ["", "file:///etc/passwd", "ftp://issuer.example/", "issuer.example", "https://", "http://h:x/"]
)
def test_a_url_that_is_not_http_is_refused_at_start(url: str) -> None:
    with pytest.raises(SettingsError, match="JWKS_URL"):
        JwksKeys(url)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate for 127.0.0.1 and its key, in one file."""
    key, name = generate_private_key(SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path / "certificate.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM) + pem)
    return path


@pytest.mark.parametrize("trusted", [True, False])
async def test_over_https_the_certificate_is_verified(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with JwksServer(key_set(OLD), tls) as server:
        assert (await JwksKeys(server.url).find("old") is not None) is trusted


def changed(pair: KeyPair, **members: object) -> dict[str, Any]:
    return {**pair.jwk, **members}


WEAK = KeyPair("weak", "RS256", generate_rsa(public_exponent=65537, key_size=1024))  # noqa: S505
RSA = KeyPair("rsa", "RS256")
P384 = generate_private_key(SECP384R1())
UNFIT: dict[str, object] = {
    "symmetric": {"kty": "oct", "k": "A" * 86, "kid": "k"},
    "symmetric under an asymmetric name": {"kty": "oct", "k": "A" * 86, "kid": "k", "alg": "ES256"},
    "private": {**ECAlgorithm.to_jwk(OLD.private, as_dict=True), "kid": "k"},
    "for encryption": changed(OLD, use="enc"),
    "a curve of its own": {**ECAlgorithm.to_jwk(P384.public_key(), as_dict=True), "kid": "k"},
    "secp256k1": changed(OLD, crv="secp256k1", alg="ES256K"),
    "for a symmetric algorithm": changed(OLD, alg="HS256"),
    "for none": changed(OLD, alg="none"),
    "RSA for PS256": changed(RSA, alg="PS256"),
    "RSA of 1024 bits": WEAK.jwk,
    "no key id": {name: value for name, value in OLD.jwk.items() if name != "kid"},
    "a key id that is a path": changed(OLD, kid="../../x"),
    "a key id that is a number": changed(OLD, kid=1),
    "kty a list": changed(OLD, kty=["EC"]),
    "alg a list": changed(OLD, alg=["ES256"]),
    "a point off the curve": changed(OLD, x=OLD.jwk["y"]),
    "coordinates that are numbers": changed(OLD, x=1, y=2),
    "a string": "key",
    "null": None,
}


@pytest.mark.parametrize("member", UNFIT.values(), ids=UNFIT)
def test_a_key_that_may_not_verify_is_left_out_and_its_neighbours_stay(member: object) -> None:
    assert list(verification_keys({"keys": [member, NEW.jwk]})) == ["new"]


def test_each_family_verifies_with_one_algorithm() -> None:
    bare = [
        {name: value for name, value in pair.jwk.items() if name not in ("alg", "use")}
        for pair in (OLD, NEW, RSA)
    ]
    found = {key_id: key.algorithm_name for key_id, key in verification_keys({"keys": bare}).items()}
    assert found == {"old": "ES256", "new": "EdDSA", "rsa": "RS256"}


TEXT = st.text("AQab09-_=+é\ud800", max_size=8) | st.sampled_from(
    ["EC", "RSA", "OKP", "P-256", "ES256", "sig"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=3,
)
MEMBERS = st.dictionaries(
    st.sampled_from(["kty", "crv", "alg", "use", "kid", "x", "y", "n", "e", "d"]), JSON, max_size=3
)


@settings(deadline=None)
@given(pair=st.sampled_from([OLD, NEW, RSA]), members=MEMBERS)
def test_no_member_of_a_key_set_breaks_it(pair: KeyPair, members: dict[str, Any]) -> None:
    keys = verification_keys({"keys": [changed(pair, **members), changed(OLD, kid="other")]})
    assert keys["other"].algorithm_name == "ES256"
    assert all(isinstance(key, jwt.PyJWK) for key in keys.values())
