"""head-keys, and the signed heads that verify-log takes as anchors."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple

from graphql_api.audit.heads import BadSignatureError, Signer, verified_head
from graphql_api.changes.verify import Anchor


class SignedAnchor(NamedTuple):
    """A signed head, as it is in the log's lines."""

    text: str


def anchor(text: str) -> Anchor | SignedAnchor:
    """The argument of --anchor."""
    if text.count(".") == 2:
        return SignedAnchor(text.strip())
    try:
        return Anchor.of(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            "it is like 42:9f86d0…, as verify-log prints it, or a signed head"
        ) from None


def key_set(text: str) -> list[dict[str, Any]]:
    """The argument of --keys: the keys of a JWK set in a file, as head-keys prints it."""
    try:
        return list(json.loads(Path(text).read_text(encoding="utf-8"))["keys"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise argparse.ArgumentTypeError(f"it holds no key set ({error})") from None


async def trusted(
    given: Anchor | SignedAnchor | None, slug: str, keys: list[dict[str, Any]] | None, signer: Signer | None
) -> Anchor | None:
    """The anchor that was given, once its signature is known to be good. SystemExit if it is not."""
    if not isinstance(given, SignedAnchor):
        return given
    if keys is None:
        keys = [await _public_key(signer)]
    try:
        place = verified_head(given.text, keys)
    except BadSignatureError as error:
        raise SystemExit(f"The anchor cannot be trusted: {error}.") from None
    if place.tenant != slug:
        raise SystemExit(f"The anchor is the head of another tenant's log: {place.tenant}.")
    print(f"The head of {place.at} is signed by a key that is trusted.")
    return Anchor(place.sequence, place.hash)


def print_keys(signer: Signer | None) -> None:
    """Print the JWK set that signed heads are verified with."""
    print(json.dumps({"keys": [asyncio.run(_printed(signer))]}, indent=2))


async def _printed(signer: Signer | None) -> dict[str, Any]:
    key = await _public_key(signer)
    assert signer is not None
    await signer.close()
    return key


async def _public_key(signer: Signer | None) -> dict[str, Any]:
    if signer is None:
        raise SystemExit("HEAD_KEY_ARN is not set; give the key set with --keys.")
    return await signer.public_key()
