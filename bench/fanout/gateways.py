"""A gateway that sends nothing: what an event costs besides its posts."""

from graphql_api.deadline import Deadline


class Unsent:
    """Counts frames in `posts` and keeps in `refusals` those that end a subscription or a connection."""

    def __init__(self) -> None:
        self.posts = 0
        self.refusals: list[bytes] = []

    async def open(self) -> None:
        return

    async def close(self) -> None:
        return

    async def post(self, connection_id: str, data: bytes, deadline: Deadline) -> None:
        self.posts += 1
        if b'"type":"next"' not in data and b"_ack" not in data:
            self.refusals.append(data)

    async def disconnect(self, connection_id: str, deadline: Deadline) -> None:
        self.refusals.append(f"{connection_id} is disconnected".encode())
