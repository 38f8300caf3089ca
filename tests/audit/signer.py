"""A signer with a key of its own, made anew for each test."""

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from graphql_api.local.head_key import LocalSigner


class KeySigner(LocalSigner):
    """The signer of one machine, without the machine's file."""

    def __init__(self) -> None:
        super().__init__(generate_private_key(SECP256R1()))
