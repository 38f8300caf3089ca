"""Ids and time for each tenant by itself, so that a run can be repeated, and repeated without the other."""

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta

from graphql_api.store.uid import encode
from tests.world import CALLER

# In the future, so that an engine that expires items in real time takes none away.
EPOCH = datetime(2040, 1, 1, tzinfo=UTC)
OPERATORS_SALT, OWN_SALTS = 99, (1, 2)


def predicted_uid(number: int, salt: int) -> str:
    """The nth id of a tenant with that salt: n comes first in it, as time does in a real one."""
    return encode(number << 60 | salt)


class Sources:
    """Requests of one tenant neither shift the ids of another nor let its time pass.

    Tenants of equal salt are given equal ids; the operator, who is None, has a salt of its own.
    """

    def __init__(self) -> None:
        self.seconds: Counter[str | None] = Counter()
        self.made: Counter[str | None] = Counter()
        self.salts: dict[str | None, int] = {None: OPERATORS_SALT}

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.passed())

    def passed(self) -> int:
        """Seconds since the beginning, for the caller of the present request."""
        return self.seconds[CALLER.get()]

    def secret(self) -> str:
        """What is nobody's to guess elsewhere."""
        caller = CALLER.get()
        return hashlib.sha256(f"{caller} {self.made[caller]} {self.seconds[caller]}".encode()).hexdigest()

    def uid(self) -> str:
        caller = CALLER.get()
        self.made[caller] += 1
        return predicted_uid(self.made[caller], self.salts.get(caller, 0))
