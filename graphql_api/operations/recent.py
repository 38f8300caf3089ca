"""What tenants let one process remember: bounded in all, and each tenant to its share."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

V = TypeVar("V")

MAX_TEXTS = 256
MAX_CHARACTERS = 128 * 1024  # A parsed document takes 200 to 500 bytes for each character of its text.
SHARES = 4  # A tenant fills a quarter at most, so a flood of its texts pushes out its own.

# A text and the tenant that alone may find it; None for a text that all may find.
_Key: TypeAlias = tuple[str | None, str]


@dataclass(slots=True)
class _Share:
    """The keys one tenant has brought, the least recently used first, and the length of their texts."""

    keys: OrderedDict[_Key, None] = field(default_factory=OrderedDict[_Key, None])
    characters: int = 0


class Recent(Generic[V]):
    """The values of recent texts. Finding and keeping take constant time."""

    def __init__(self) -> None:
        # In the order of use; each with the tenant that brought it, in whose share it counts.
        self._values: OrderedDict[_Key, tuple[V, str]] = OrderedDict()
        self._shares: dict[str, _Share] = {}
        self._characters = 0

    def find(self, tenant: str, text: str) -> V | None:
        """The value of a text that the tenant itself, or for a shared one anybody, has brought."""
        for key in ((None, text), (tenant, text)):
            if key in self._values:
                value, bringer = self._values[key]
                self._values.move_to_end(key)
                self._shares[bringer].keys.move_to_end(key)
                return value
        return None

    def keep(self, tenant: str, text: str, value: V, *, is_shared: bool) -> None:
        """Remember a text that was not found; what was not used for longest makes room."""
        key = (None if is_shared else tenant, text)
        share = self._shares.setdefault(tenant, _Share())
        self._values[key] = value, tenant
        share.keys[key] = None
        share.characters += len(text)
        self._characters += len(text)
        while len(share.keys) > MAX_TEXTS // SHARES or share.characters > MAX_CHARACTERS // SHARES:
            self._forget(next(iter(share.keys)))
        while len(self._values) > MAX_TEXTS or self._characters > MAX_CHARACTERS:
            self._forget(next(iter(self._values)))

    def _forget(self, key: _Key) -> None:
        _, bringer = self._values.pop(key)
        share = self._shares[bringer]
        del share.keys[key]
        share.characters -= len(key[1])
        self._characters -= len(key[1])
        if not share.keys:
            del self._shares[bringer]
