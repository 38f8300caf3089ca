"""Open sockets: who is behind each, and which subscriptions it holds.

C#<connection> / SOCKET                    the identity behind a socket, found before its tenant is known
T#<tenant>#SOCKET#<connection> / SOCKET    the subscriptions it holds
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from graphql_api.auth.tokens import Claims
from graphql_api.deadline import Deadline
from graphql_api.errors import ApiError
from graphql_api.realtime.census import Census
from graphql_api.realtime.due import Due
from graphql_api.realtime.socket import (
    AlreadySignedInError,
    Completed,
    DuplicateIdError,
    EndedBeforeError,
    Held,
    MovedError,
    Operations,
    Refusal,
    Socket,
    SocketState,
    TooManyError,
    expiry,
    moved,
    revision,
)
from graphql_api.sources import Sources
from graphql_api.store.codec import Item, decode, encode
from graphql_api.store.contention import pause
from graphql_api.store.keys import CONNECTIONS, Key, partition, tenant_family
from graphql_api.store.table import StoreBusyError, Table
from graphql_api.store.writes import ANYTHING, PRESENT, Condition, Delete, Put, Write

MAX_SUBSCRIPTIONS = 20  # of one socket, whatever its plan
COMPLETED_FOR = 10.0  # seconds in which a `complete` that overtook its `subscribe` is remembered
MAX_COMPLETED = 10
MAX_CONTENTION = 64


class Sockets:
    """The sockets of all tenants, for one invocation; each call with the rights of the family it touches."""

    def __init__(self, sources: Sources, deadline: Deadline) -> None:
        self._sources = sources
        self._deadline = deadline
        self._connections = sources.control(CONNECTIONS, deadline)
        self._due = Due(self._connections)

    async def open(self, connection_id: str, claims: Claims | None) -> Socket:
        """Remember a new connection, and whose token it brought, if it did."""
        unknown = Socket(connection_id=connection_id, opened_at=self._sources.now())
        socket = unknown.signed_in(SocketState.OPEN, claims)
        await self._connections.commit([Put(_socket_key(connection_id), _item(socket), moved, ANYTHING)])
        await self._due.note(socket, socket.opened_at)
        return socket

    async def find(self, connection_id: str) -> Socket | None:
        """The connection as it is now."""
        key = _socket_key(connection_id)
        item = (await self._connections.batch_get([key], consistent=True)).get(key)
        return decode(Socket, item) if item else None

    async def accept(self, socket: Socket, claims: Claims | None) -> Socket:
        """The socket READY, and counted for the person who signed in, if one did.

        Raises TooManyError, AlreadySignedInError, or EndedBeforeError if the client has gone.
        """
        ready = socket.signed_in(SocketState.READY, claims)
        place = self._place(ready)
        if ready.tenant is not None and ready.subject is not None and place is not None:
            twice = AlreadySignedInError()
            room = Put(place, encode(Operations()) | expiry(ready.expires_at), lambda _: twice)
            census = self.census(ready.tenant)
            await census.join(ready.connection_id, ready.subject, ready.expires_at, [room])
        try:
            await self._replace(socket, ready)
        except MovedError:
            # The client has gone, or another `connection_init`, perhaps as somebody else, was faster.
            await self.close(ready, Operations())
            await self.part(ready)
            is_there = await self.find(socket.connection_id) is not None
            raise AlreadySignedInError if is_there else EndedBeforeError from None
        await self._due.note(ready, self._sources.now())
        return ready

    async def reject(self, socket: Socket, error: ApiError) -> None:
        """The socket stays open, and each of its operations is told why nobody signed in."""
        refusal = Refusal(error.code, error.message)
        try:
            await self._replace(socket, replace(socket, state=SocketState.REJECTED, refusal=refusal))
        except MovedError:
            return  # Another `connection_init` has decided.

    async def extend(self, socket: Socket, claims: Claims) -> Socket:
        """The same socket with a newer token of the same person."""
        extended = socket.signed_in(socket.state, claims)
        try:
            await self._replace(socket, extended)
        except MovedError:
            return socket  # It has gone meanwhile.
        await self._due.note(extended, self._sources.now())
        return extended

    async def end(self, socket: Socket) -> None:
        """Let nothing be done for it any more; said first, so that what then fails is finished later."""
        ended = replace(socket, state=SocketState.ENDED)
        write = Put(_socket_key(socket.connection_id), _item(ended), moved, PRESENT)
        with suppress(MovedError):
            await self._connections.commit([write])

    async def close(self, socket: Socket, operations: Operations) -> bool:
        """Let it hold nothing any more; False if what it holds is not this by now."""
        place = self._place(socket)
        if place is None:
            return True
        try:
            await self._table(socket).commit([Delete(place, revision(operations.revision), moved)])
        except MovedError:
            return await self.operations(socket) is None
        return True

    async def part(self, socket: Socket) -> None:
        """Count it no more."""
        if socket.tenant is not None and socket.subject is not None:
            await self.census(socket.tenant).part(socket.connection_id, socket.subject)

    async def remove(self, socket: Socket) -> bool:
        """Forget the connection itself, after all that it leads to; False if somebody else was faster."""
        try:
            await self._connections.commit([Delete(_socket_key(socket.connection_id), PRESENT, moved)])
        except MovedError:
            return False
        return True

    async def operations(self, socket: Socket) -> Operations | None:
        """The subscriptions it holds; None once it is gone, and for a socket that can hold none."""
        place = self._place(socket)
        if place is None:
            return None
        item = (await self._table(socket).batch_get([place], consistent=True)).get(place)
        return decode(Operations, item) if item else None

    async def hold(self, socket: Socket, held: Held, row: Write, most: int = MAX_SUBSCRIPTIONS) -> None:
        """Add a subscription to the socket together with its row in a topic; it may hold so many at most.

        Raises TooManyError, DuplicateIdError, or EndedBeforeError.
        """
        for attempt in range(MAX_CONTENTION):
            present = await self.operations(socket)
            if present is None:
                raise EndedBeforeError
            ended = any(one.id == held.id and one.until > self._seconds() for one in present.completed)
            try:
                if ended:
                    rest = [one for one in present.completed if one.id != held.id]
                    await self._store(socket, present, replace(present, completed=rest), ())
                    raise EndedBeforeError
                await self._store(socket, present, _with(present, held, min(most, MAX_SUBSCRIPTIONS)), [row])
            except MovedError:
                await pause(attempt)
            else:
                return
        raise StoreBusyError

    async def release(self, socket: Socket, operation_id: str, row_of: Callable[[Held], Write]) -> bool:
        """Take a subscription from the socket together with its row.

        False if it holds none of that id: then the id is remembered for a moment, for its `subscribe` may
        still be on its way.
        """
        for attempt in range(MAX_CONTENTION):
            present = await self.operations(socket)
            if present is None:
                return False
            released = [one for one in present.held if one.id == operation_id]
            until = int(self._seconds() + COMPLETED_FOR)
            noted = [*present.completed[1 - MAX_COMPLETED :], Completed(operation_id, until)]
            changed = replace(
                present,
                held=[one for one in present.held if one.id != operation_id],
                completed=present.completed if released else noted,
            )
            try:
                await self._store(socket, present, changed, [row_of(one) for one in released])
            except MovedError:
                await pause(attempt)
            else:
                return bool(released)
        raise StoreBusyError

    def census(self, tenant: str) -> Census:
        """The sockets of a tenant's people."""
        table = self._sources.control(tenant_family(tenant), self._deadline)
        return Census(table, tenant, self._sources.now)

    async def _store(self, socket: Socket, old: Operations, new: Operations, also: Sequence[Write]) -> None:
        place = self._place(socket)
        assert place is not None, "who has no tenant has no subscriptions"
        item = encode(replace(new, revision=old.revision + 1)) | expiry(socket.expires_at)
        await self._table(socket).commit([Put(place, item, moved, revision(old.revision)), *also])

    async def _replace(self, old: Socket, new: Socket) -> None:
        unmoved = Condition("#state = :state", {"#state": "state"}, {":state": {"S": old.state.value}})
        await self._connections.commit([Put(_socket_key(old.connection_id), _item(new), moved, unmoved)])

    def _table(self, socket: Socket) -> Table:
        assert socket.tenant is not None, "only a tenant's sockets have items of the tenant"
        return self._sources.control(tenant_family(socket.tenant), self._deadline)

    def _place(self, socket: Socket) -> Key | None:
        if socket.tenant is None:
            return None
        return Key(partition(tenant_family(socket.tenant), "SOCKET", socket.connection_id), "SOCKET")

    def _seconds(self) -> float:
        return self._sources.now().timestamp()


def _with(present: Operations, held: Held, most: int) -> Operations:
    if any(one.id == held.id for one in present.held):
        raise DuplicateIdError
    if len(present.held) >= most:
        raise TooManyError(f"A socket takes {most} subscriptions at once.")
    return replace(present, held=[*present.held, held])


def _socket_key(connection_id: str) -> Key:
    return Key(partition(CONNECTIONS, connection_id), "SOCKET")


def _item(socket: Socket) -> Item:
    return encode(socket) | expiry(socket.expires_at)
