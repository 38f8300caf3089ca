"""One table of tokens: the good ones say who calls, every other one fails in the same words."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphql_api.auth.identity import Role
from graphql_api.auth.keys import verification_keys
from graphql_api.auth.tokens import MAX_AGE, MAX_TOKEN_BYTES, Claims, TokenVerifier
from graphql_api.errors import ErrorCode, UnauthenticatedError
from tests.auth.signing import KeyPair, segment

ISSUER, AUDIENCE = "https://issuer.example", "graphql-api"
HOUR = 3600

EC, RSA, ED = KeyPair("ec-1"), KeyPair("rsa-1", "RS256"), KeyPair("ed-1", "EdDSA")
STRANGER = KeyPair("ec-1")


class PublishedKeys:
    """The issuer's key set without its network, recording every key id asked for."""

    def __init__(self, *pairs: KeyPair) -> None:
        self.asked: list[str] = []
        self._keys = verification_keys({"keys": [pair.jwk for pair in pairs]})

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        self.asked.append(key_id)
        return self._keys.get(key_id)


@pytest.fixture
def keys() -> PublishedKeys:
    return PublishedKeys(EC, RSA, ED)


@pytest.fixture
def verifier(keys: PublishedKeys) -> TokenVerifier:
    return TokenVerifier(keys, ISSUER, AUDIENCE)


def now() -> int:
    return int(time.time())


def payload(**changed: object) -> dict[str, Any]:
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-1",
        "iat": now(),
        "exp": now() + HOUR,
        "tenant": "acme",
        "roles": ["MEMBER"],
    } | changed


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in payload().items() if name not in names}


def written(**changed: str) -> bytes:
    """The payload's JSON with these members written literally, as no serializer would."""
    members = {name: json.dumps(value) for name, value in payload().items()} | changed
    return ("{" + ",".join(f'"{name}":{value}' for name, value in members.items()) + "}").encode()


def repeated(name: str, value: object) -> bytes:
    return written()[:-1] + f',"{name}":{json.dumps(value)}}}'.encode()


def header(**changed: object) -> dict[str, Any]:
    return {"alg": "ES256", "kid": "ec-1", "typ": "JWT"} | changed


def hmac_signed(algorithm: str, secret: bytes, key_id: str) -> str:
    signed = f"{segment(header(alg=algorithm, kid=key_id))}.{segment(payload())}"
    return f"{signed}.{segment(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def unsigned(algorithm: str, signature: str = "") -> str:
    return f"{segment(header(alg=algorithm))}.{segment(payload())}.{signature}"


def good() -> str:
    return EC.sign(payload())


def tampered(part: int, value: str) -> str:
    parts = good().split(".")
    parts[part] = value
    return ".".join(parts)


GOOD: dict[str, Callable[[], str]] = {
    "ES256": good,
    "RS256": lambda: RSA.sign(payload()),
    "EdDSA": lambda: ED.sign(payload()),
    "typ at+jwt": lambda: EC.sign(payload(), header(typ="at+jwt")),
    "no typ": lambda: EC.sign(payload(), {"alg": "ES256", "kid": "ec-1"}),
    "several audiences": lambda: EC.sign(payload(aud=["other", AUDIENCE])),
    "claims of other systems": lambda: EC.sign(payload(email="a@b.example", scope="x", realm={"roles": []})),
    "expired within the leeway": lambda: EC.sign(payload(exp=now() - 5)),
    "issued ahead within the leeway": lambda: EC.sign(payload(iat=now() + 5)),
    "valid since a while": lambda: EC.sign(payload(nbf=now() - 60)),
}

BAD: dict[str, Callable[[], str]] = {
    # Not a compact JWS.
    "empty": lambda: "",
    "one segment": lambda: "abc",
    "two segments": lambda: good().rpartition(".")[0],
    "four segments": lambda: good() + ".abcd",
    "only dots": lambda: "..",
    "five segments, as an encrypted token": lambda: "a.b.c.d.e",
    "trailing newline": lambda: good() + "\n",
    "leading space": lambda: " " + good(),
    "NUL at the end": lambda: good() + "\0",
    "NUL inside": lambda: good().replace(".", "\0.", 1),
    "lone surrogate": lambda: good() + "\ud800",
    "full-width letters": lambda: good().replace("e", "\uff45", 1),
    "padded": lambda: EC.sign(payload()) + "==",
    "standard base64 alphabet": lambda: good() + "+/",
    "impossible base64 length": lambda: tampered(0, "abcde"),
    "9 KB": lambda: EC.sign(payload(filler="x" * 9 * 1024)),
    "1 MB": lambda: EC.sign(payload(filler="x" * 1024 * 1024)),
    "1 MB of dots": lambda: "." * 1024 * 1024,
    # The header.
    "header not UTF-8": lambda: EC.sign(payload(), b'{"alg":"ES256","kid":"ec-1","x":"\xff"}'),
    "header in UTF-16": lambda: EC.sign(payload(), json.dumps(header()).encode("utf-16")),
    "header not JSON": lambda: EC.sign(payload(), b"{alg:ES256}"),
    "header a list": lambda: EC.sign(payload(), ["ES256"]),
    "header empty": lambda: EC.sign(payload(), {}),
    "header nested deeply": lambda: EC.sign(payload(), b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}"),
    "alg twice": lambda: EC.sign(payload(), b'{"alg":"none","kid":"ec-1","alg":"ES256"}'),
    "kid twice": lambda: EC.sign(payload(), b'{"alg":"ES256","kid":"rsa-1","kid":"ec-1"}'),
    "alg missing": lambda: EC.sign(payload(), {"kid": "ec-1"}),
    "alg null": lambda: EC.sign(payload(), header(alg=None)),
    "alg a list": lambda: EC.sign(payload(), header(alg=["ES256"])),
    "alg lower case": lambda: EC.sign(payload(), header(alg="es256")),
    "alg unknown": lambda: EC.sign(payload(), header(alg="XX999")),
    "typ of another purpose": lambda: EC.sign(payload(), header(typ="dpop+jwt")),
    "typ a logout token": lambda: EC.sign(payload(), header(typ="logout+jwt")),
    "typ null": lambda: EC.sign(payload(), header(typ=None)),
    "typ an object": lambda: EC.sign(payload(), header(typ={})),
    "crit": lambda: EC.sign(payload(), header(crit=["exp"])),
    "crit empty": lambda: EC.sign(payload(), header(crit=[])),
    "crit b64, detached": lambda: EC.sign(payload(), header(crit=["b64"], b64=False)),
    "zip": lambda: EC.sign(payload(), header(zip="DEF")),
    "jku": lambda: EC.sign(payload(), header(jku="https://evil.example/jwks.json")),
    "x5u": lambda: EC.sign(payload(), header(x5u="https://evil.example/cert.pem")),
    "x5c": lambda: EC.sign(payload(), header(x5c=["MIIB"])),
    "jwk, signed by it": lambda: STRANGER.sign(payload(), header(jwk=STRANGER.jwk)),
    "kid missing": lambda: EC.sign(payload(), {"alg": "ES256"}),
    "kid unknown": lambda: EC.sign(payload(), header(kid="ec-2")),
    "kid of another key": lambda: EC.sign(payload(), header(kid="rsa-1")),
    "kid a path": lambda: EC.sign(payload(), header(kid="../../dev/null")),
    "kid a URL": lambda: EC.sign(payload(), header(kid="https://evil.example/?k")),
    "kid SQL": lambda: EC.sign(payload(), header(kid="x' UNION SELECT 'k")),
    "kid with a newline": lambda: EC.sign(payload(), header(kid="ec-1\n")),
    "kid a number": lambda: EC.sign(payload(), header(kid=1)),
    "kid a list": lambda: EC.sign(payload(), header(kid=["ec-1"])),
    "kid empty": lambda: EC.sign(payload(), header(kid="")),
    "kid too long": lambda: EC.sign(payload(), header(kid="k" * 129)),
    # The signature.
    "alg none": lambda: unsigned("none"),
    "alg NoNe": lambda: unsigned("NoNe"),
    "alg none with a signature": lambda: unsigned("none", "AAAA"),
    "signature stripped": lambda: tampered(2, ""),
    "signature cut": lambda: good()[:-4],
    "signature of zeros": lambda: tampered(2, segment(bytes(64))),
    "signature in DER": lambda: tampered(2, segment(bytes.fromhex("3006020101020101"))),
    "signed by a stranger under a known kid": lambda: STRANGER.sign(payload()),
    "payload exchanged": lambda: tampered(1, segment(payload(roles=["ADMIN"]))),
    "HS256 with the EC public key": lambda: hmac_signed("HS256", EC.public_pem, "ec-1"),
    "HS256 with the RSA public key": lambda: hmac_signed("HS256", RSA.public_pem, "rsa-1"),
    "HS256 with an empty secret": lambda: hmac_signed("HS256", b"", "ec-1"),
    "EC key under an RS256 header": lambda: EC.sign(payload(), header(alg="RS256")),
    "RSA key under an ES256 header": lambda: RSA.sign(payload(), header(kid="rsa-1")),
    "RSA key under a PS256 header": lambda: RSA.sign(payload(), header(alg="PS256", kid="rsa-1")),
    "RSA key under an RS512 header": lambda: RSA.sign(payload(), header(alg="RS512", kid="rsa-1")),
    "EdDSA key under an ES256 header": lambda: ED.sign(payload(), header(kid="ed-1")),
    # The payload as JSON.
    "payload a list": lambda: EC.sign([payload()]),
    "payload a string": lambda: EC.sign("acme"),
    "payload null": lambda: EC.sign(b"null"),
    "payload empty": lambda: EC.sign({}),
    "payload not JSON": lambda: EC.sign(b"{'sub':'user-1'}"),
    "payload not UTF-8": lambda: EC.sign(written(x='"\xff"').decode().encode("latin-1")),
    "payload with a byte order mark": lambda: EC.sign(b"\xef\xbb\xbf" + written()),
    "payload in UTF-16": lambda: EC.sign(json.dumps(payload()).encode("utf-16")),
    "payload with rubbish after it": lambda: EC.sign(written() + b"{}"),
    "payload nested deeply": lambda: EC.sign(written(x="[" * 2500 + "]" * 2500)),
    "payload nested objects": lambda: EC.sign(written(x='{"a":' * 900 + "1" + "}" * 900)),
    "NaN": lambda: EC.sign(written(x="NaN")),
    "a number of 5000 digits": lambda: EC.sign(written(x="9" * 5000)),
    "tenant twice": lambda: EC.sign(repeated("tenant", "globex")),
    "roles twice": lambda: EC.sign(repeated("roles", ["ADMIN"])),
    "sub twice, the same": lambda: EC.sign(repeated("sub", "user-1")),
    "tenant twice, once in escapes": lambda: EC.sign(written()[:-1] + rb',"\u0074enant":"globex"}'),
    "a member twice, deeper": lambda: EC.sign(written(x='{"a":1,"a":1}')),
    # Who issued it, for whom.
    "iss missing": lambda: EC.sign(without("iss")),
    "iss null": lambda: EC.sign(payload(iss=None)),
    "iss of another": lambda: EC.sign(payload(iss="https://evil.example")),
    "iss with a slash": lambda: EC.sign(payload(iss=ISSUER + "/")),
    "iss a list": lambda: EC.sign(payload(iss=[ISSUER])),
    "aud missing": lambda: EC.sign(without("aud")),
    "aud null": lambda: EC.sign(payload(aud=None)),
    "aud empty": lambda: EC.sign(payload(aud=[])),
    "aud of another": lambda: EC.sign(payload(aud="other")),
    "aud a part of ours": lambda: EC.sign(payload(aud="graphql")),
    "aud with a number": lambda: EC.sign(payload(aud=[AUDIENCE, 1])),
    "aud an object": lambda: EC.sign(payload(aud={AUDIENCE: True})),
    # Times.
    "exp missing": lambda: EC.sign(without("exp")),
    "expired": lambda: EC.sign(payload(exp=now() - 60, iat=now() - HOUR)),
    "exp null": lambda: EC.sign(payload(exp=None)),
    "exp a string": lambda: EC.sign(payload(exp=str(now() + HOUR))),
    "exp a float": lambda: EC.sign(payload(exp=now() + HOUR + 0.5)),
    "exp a round float": lambda: EC.sign(payload(exp=float(now() + HOUR))),
    "exp true": lambda: EC.sign(payload(exp=True)),
    "exp 1e400": lambda: EC.sign(written(exp="1e400")),
    "exp Infinity": lambda: EC.sign(written(exp="Infinity")),
    "exp negative": lambda: EC.sign(payload(exp=-1)),
    "exp a list": lambda: EC.sign(payload(exp=[now() + HOUR])),
    "iat missing": lambda: EC.sign(without("iat")),
    "iat in the future": lambda: EC.sign(payload(iat=now() + 60)),
    "iat a string": lambda: EC.sign(payload(iat=str(now()))),
    "iat a float": lambda: EC.sign(payload(iat=float(now()))),
    "iat false": lambda: EC.sign(payload(iat=False)),
    "issued over 24 hours ago": lambda: EC.sign(payload(iat=now() - MAX_AGE - 5)),
    "nbf in the future": lambda: EC.sign(payload(nbf=now() + 60)),
    "nbf a string": lambda: EC.sign(payload(nbf="0")),
    "nbf true": lambda: EC.sign(payload(nbf=True)),
    "nbf null": lambda: EC.sign(payload(nbf=None)),
    # The subject.
    "sub missing": lambda: EC.sign(without("sub")),
    "sub null": lambda: EC.sign(payload(sub=None)),
    "sub empty": lambda: EC.sign(payload(sub="")),
    "sub a number": lambda: EC.sign(payload(sub=7)),
    "sub a list": lambda: EC.sign(payload(sub=["user-1"])),
    "sub with a key separator": lambda: EC.sign(payload(sub="user-1#x")),
    "sub with a newline": lambda: EC.sign(payload(sub="user-1\n")),
    "sub with NUL": lambda: EC.sign(payload(sub="user\0")),
    "sub a lone surrogate": lambda: EC.sign(payload(sub="\ud800")),
    "sub too long": lambda: EC.sign(payload(sub="u" * 65)),
    # The tenant.
    "tenant missing": lambda: EC.sign(without("tenant")),
    "tenant null": lambda: EC.sign(payload(tenant=None)),
    "tenant empty": lambda: EC.sign(payload(tenant="")),
    "tenant a list": lambda: EC.sign(payload(tenant=["acme"])),
    "tenant an object": lambda: EC.sign(payload(tenant={"id": "acme"})),
    "tenant a number": lambda: EC.sign(payload(tenant=1)),
    "tenant true": lambda: EC.sign(payload(tenant=True)),
    "tenant upper case": lambda: EC.sign(payload(tenant="Acme")),
    "tenant with a key separator": lambda: EC.sign(payload(tenant="acme#x")),
    "tenant with a newline": lambda: EC.sign(payload(tenant="acme\n")),
    "tenant with a zero-width space": lambda: EC.sign(payload(tenant="acme\u200b")),
    "tenant in Cyrillic": lambda: EC.sign(payload(tenant="\u0430cme")),
    "tenant with a full-width digit": lambda: EC.sign(payload(tenant="acme\uff11")),
    "tenant a lone surrogate": lambda: EC.sign(payload(tenant="acme\ud800")),
    "tenant a wildcard": lambda: EC.sign(payload(tenant="*")),
    "tenant too short": lambda: EC.sign(payload(tenant="ac")),
    "tenant too long": lambda: EC.sign(payload(tenant="a" * 41)),
    "tenant ending in a hyphen": lambda: EC.sign(payload(tenant="acme-")),
    # The roles.
    "roles missing": lambda: EC.sign(without("roles")),
    "roles null": lambda: EC.sign(payload(roles=None)),
    "roles empty": lambda: EC.sign(payload(roles=[])),
    "roles a string": lambda: EC.sign(payload(roles="ADMIN")),
    "roles an object": lambda: EC.sign(payload(roles={"ADMIN": True})),
    "roles unknown": lambda: EC.sign(payload(roles=["OWNER"])),
    "roles partly unknown": lambda: EC.sign(payload(roles=["MEMBER", "OWNER"])),
    "roles lower case": lambda: EC.sign(payload(roles=["admin"])),
    "roles with a space": lambda: EC.sign(payload(roles=["ADMIN "])),
    "roles a number": lambda: EC.sign(payload(roles=[3])),
    "roles with null": lambda: EC.sign(payload(roles=["MEMBER", None])),
    "roles nested": lambda: EC.sign(payload(roles=[["ADMIN"]])),
    "roles with an object": lambda: EC.sign(payload(roles=[{}])),
    "roles repeated": lambda: EC.sign(payload(roles=["MEMBER", "MEMBER"])),
    "PLATFORM in a tenant": lambda: EC.sign(payload(roles=["PLATFORM"])),
    "PLATFORM in an empty tenant": lambda: EC.sign(payload(roles=["PLATFORM"], tenant="")),
    "PLATFORM and ADMIN in a tenant": lambda: EC.sign(payload(roles=["PLATFORM", "ADMIN"])),
    "PLATFORM and ADMIN in no tenant": lambda: EC.sign(without("tenant") | {"roles": ["ADMIN", "PLATFORM"]}),
}


@pytest.mark.parametrize("token", GOOD.values(), ids=GOOD)
async def test_a_good_token_says_who_calls(verifier: TokenVerifier, token: Callable[[], str]) -> None:
    claims = await verifier.verify(token())
    assert (claims.subject, claims.role, claims.tenant) == ("user-1", Role.MEMBER, "acme")


@pytest.mark.parametrize("token", BAD.values(), ids=BAD)
async def test_every_other_token_fails_in_the_same_words(
    verifier: TokenVerifier, token: Callable[[], str]
) -> None:
    with pytest.raises(UnauthenticatedError) as refused:
        await verifier.verify(token())
    assert refused.value.code is ErrorCode.UNAUTHENTICATED
    assert refused.value.message == "The token is not valid."
    assert refused.value.extensions == {}


def test_the_table_is_worth_its_name() -> None:
    assert len(BAD) + len(GOOD) >= 45


@pytest.mark.parametrize(
    ("roles", "highest"),
    [
        (["VIEWER"], Role.VIEWER),
        (["ADMIN", "VIEWER"], Role.ADMIN),
        (["VIEWER", "MANAGER", "MEMBER"], Role.MANAGER),
    ],
)
async def test_the_highest_role_counts(verifier: TokenVerifier, roles: list[str], highest: Role) -> None:
    assert (await verifier.verify(EC.sign(payload(roles=roles)))).role is highest


@pytest.mark.parametrize("tenant", [{}, {"tenant": None}], ids=["absent", "null"])
async def test_platform_stands_outside_all_tenants(verifier: TokenVerifier, tenant: dict[str, None]) -> None:
    claims = await verifier.verify(EC.sign(without("tenant") | {"roles": ["PLATFORM"]} | tenant))
    assert (claims.role, claims.tenant) == (Role.PLATFORM, None)


async def test_expiry_is_the_tokens_own_or_its_greatest_age(verifier: TokenVerifier) -> None:
    issued = now() - HOUR
    soon = await verifier.verify(EC.sign(payload(iat=issued, exp=issued + 2 * HOUR)))
    never = await verifier.verify(EC.sign(payload(iat=issued, exp=10**300)))
    assert soon.expires_at == issued + 2 * HOUR
    assert never.expires_at == issued + MAX_AGE


async def test_the_longest_token_of_8_kb_passes_and_the_next_longer_does_not(verifier: TokenVerifier) -> None:
    def sized(filler: int) -> str:
        return EC.sign(payload(filler="x" * filler))

    over = next(size for size in range(5700, 6000) if len(sized(size)) > MAX_TOKEN_BYTES)
    assert (await verifier.verify(sized(over - 1))).tenant == "acme"
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(sized(over))


async def test_no_single_changed_character_passes(verifier: TokenVerifier) -> None:
    token = good()
    for position, character in enumerate(token):
        changed = token[:position] + ("B" if character == "A" else "A") + token[position + 1 :]
        with pytest.raises(UnauthenticatedError):
            await verifier.verify(changed)


@pytest.mark.parametrize(
    "name", ["9 KB", "four segments", "kid a path", "kid a number", "jku", "crit", "alg twice", "NUL inside"]
)
async def test_the_key_source_never_sees_a_token_refused_for_its_form(
    keys: PublishedKeys, verifier: TokenVerifier, name: str
) -> None:
    with pytest.raises(UnauthenticatedError):
        await verifier.verify(BAD[name]())
    assert keys.asked == []


TEXT = st.text("ab09-_#é\n\0\ud800", max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.sampled_from(["acme", "ADMIN", "PLATFORM", ISSUER, AUDIENCE, 10**400, -1]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
CLAIMS = st.dictionaries(st.sampled_from([*payload(), "nbf", "jti", "extra"]), JSON, max_size=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=CLAIMS, header_changed=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "x"]), JSON))
async def test_whatever_is_signed_is_either_claims_or_refused(
    verifier: TokenVerifier, changed: dict[str, Any], header_changed: dict[str, Any]
) -> None:
    try:
        claims = await verifier.verify(EC.sign(payload(**changed), header(**header_changed)))
    except UnauthenticatedError:
        return
    assert claims == Claims(claims.subject, claims.role, claims.tenant, claims.expires_at)


@pytest.mark.parametrize(
    ("subject", "role", "tenant"),
    [
        ("user-1", Role.PLATFORM, "acme"),
        ("user-1", Role.ADMIN, None),
        ("user 1", Role.ADMIN, "acme"),
        ("user-1", Role.ADMIN, "acme\n"),
    ],
)
def test_claims_no_token_may_carry_cannot_be_made(subject: str, role: Role, tenant: str | None) -> None:
    with pytest.raises(ValueError, match=r"sub|tenant"):
        Claims(subject, role, tenant, expires_at=0)
