"""Requests that are sent to do harm, each with the answer it deserves.

Every attack is made by an administrator of the tenant `acme`, unless it brings an Authorization header of its
own: nothing may hide behind a missing token.
"""

from tests.security.corpus.attack import CANARY, Attack
from tests.security.corpus.documents import DOCUMENTS
from tests.security.corpus.exchanges import EXCHANGES
from tests.security.corpus.values import VALUES

__all__ = ["ATTACKS", "CANARY", "Attack"]

ATTACKS: list[Attack] = [*DOCUMENTS, *VALUES, *EXCHANGES]
