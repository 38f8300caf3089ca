"""The door of a world, with the clock by which it remembers what the tenants' records say of a caller."""

import dataclasses

from graphql_api.auth.membership import TTL, Memberships
from graphql_api.readers import MembershipReader
from tests.auth.clock import Clock
from tests.world import Answer, World

ANYTHING = "{ __typename }"


class Door:
    """The same table and guard as the world's, behind a door whose clock stands still until it is moved."""

    def __init__(self, world: World) -> None:
        self._clock = Clock()
        memberships = Memberships(MembershipReader(world.services.sources.database).read, clock=self._clock)
        self.world = World(dataclasses.replace(world.services, memberships=memberships), world.guard)
        self.world.caller = world.caller

    def forget_members(self) -> None:
        """Let as much time pass as a suspension or demotion may take to be noticed."""
        self._clock.advance(TTL)

    async def lets_in(self, caller: World) -> bool:
        """Whether this caller of `self.world` gets past the door; who does not is told FORBIDDEN."""
        answer = await caller.execute(ANYTHING)
        if answer.reply.status == 200:
            return True
        assert is_refusal(answer)
        return False


def is_refusal(answer: Answer) -> bool:
    """403 with the one code, and nothing of what was asked for."""
    return answer.reply.status == 403 and answer.codes == ["FORBIDDEN"] and answer.data is None
