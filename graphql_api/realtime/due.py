"""When a socket has to be looked at again: at the end of its sign-in time, of its token, of its life.

C#@<minute> / <connection>     a socket to look at in that minute of Unix time
C#@ / SWEPT                    the last minute that was gone through
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from graphql_api.realtime.socket import Socket, SocketState, expiry, moved
from graphql_api.store.keys import CONNECTIONS, FIRST, LAST, Key, partition
from graphql_api.store.schema import SORT
from graphql_api.store.table import Table
from graphql_api.store.writes import ANYTHING, Delete, Put

SIGN_IN = timedelta(seconds=30)
STRANGER = timedelta(minutes=5)  # Nobody counts the sockets of those who sign in as nobody.
# What was not swept for longer has been taken away by TTL.
_KEPT = timedelta(hours=3)
_MAX_IN_A_MINUTE = 1_000_000
_SECONDS = 60
_SWEPT = Key(partition(CONNECTIONS, "@"), "SWEPT")


def due_at(socket: Socket) -> datetime:
    """When a socket has to end, or to have become another one."""
    if socket.state is not SocketState.READY:
        return socket.opened_at + SIGN_IN
    if socket.token_expires_at is None:
        return socket.opened_at + STRANGER
    return min(socket.expires_at, datetime.fromtimestamp(socket.token_expires_at, UTC))


class Due:
    """The minutes and their sockets, through the control table with the connections' rights."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def note(self, socket: Socket, now: datetime) -> None:
        """Have the socket looked at in the minute after it is due, or after this one."""
        at = max(due_at(socket), now)
        key = Key(_bucket(_minute(at) + 1), socket.connection_id)
        await self._table.commit([Put(key, expiry(at + _KEPT), moved, ANYTHING)])

    async def minutes(self, now: datetime) -> Sequence[int]:
        """The minutes that nobody has gone through, up to the present one, the oldest first."""
        present = _minute(now)
        item = (await self._table.batch_get([_SWEPT], consistent=True)).get(_SWEPT)
        if item is None:
            return [present]
        return range(max(int(item["minute"]["N"]) + 1, _minute(now - _KEPT)), present + 1)

    async def sockets(self, minute: int) -> list[str]:
        """The connections to look at."""
        items = await self._table.read(_bucket(minute), FIRST, LAST, _MAX_IN_A_MINUTE)
        return [item[SORT]["S"] for item in items]

    async def done(self, minute: int, connection_id: str) -> None:
        """That socket has been looked at."""
        await self._table.commit([Delete(Key(_bucket(minute), connection_id), ANYTHING, moved)])

    async def passed(self, minute: int) -> None:
        """That minute has been gone through."""
        await self._table.commit([Put(_SWEPT, {"minute": {"N": str(minute)}}, moved, ANYTHING)])


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // _SECONDS


def _bucket(minute: int) -> str:
    return partition(CONNECTIONS, f"@{minute}")
