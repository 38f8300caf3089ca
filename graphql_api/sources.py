"""What every request of a process draws from: the database, the clock, what this installation allows."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from graphql_api.auth.identity import Identity, Role
from graphql_api.changes.counts import Counts
from graphql_api.changes.log import ChangeLog
from graphql_api.deadline import Deadline
from graphql_api.outbound.outbound import Outbound
from graphql_api.store.capacity import Consumed, Meter
from graphql_api.store.client import Database
from graphql_api.store.cursor import CursorCodec, Seals
from graphql_api.store.entity import Topic
from graphql_api.store.exports import Exports
from graphql_api.store.keys import Family
from graphql_api.store.table import Table


class SubscriptionText(NamedTuple):
    """A subscription that somebody wants to be kept, and the role that it is executed with."""

    query: str
    operation_name: str | None
    variables: Mapping[str, Any]
    role: Role


def nobodys(_: Family) -> Meter:
    """Where nobody asks what was consumed."""
    return Consumed()


@dataclass(frozen=True, slots=True)
class Sources:
    """What every request of a process draws from. Holds nothing of any tenant but under its name.

    `renewed`: a caller with what its tenant may use by now. `sign_up`: whether tenants can be signed up for
    by whoever comes. `overhead` is the meter of what is consumed for a tenant, but for no request of it.
    `topic_of` tries out a subscription for a request's context, and tells what it listens to.
    """

    database: Database
    seals: Seals
    now: Callable[[], datetime]
    new_uid: Callable[[], str]
    log_retention: timedelta
    counts: Counts
    renewed: Callable[[Identity], Awaitable[Identity]]
    sign_up: bool
    exports: Exports
    overhead: Callable[[Family], Meter] = nobodys
    outbound: Outbound = Outbound()  # noqa: RUF009 - it holds nothing
    topic_of: Callable[[Any, SubscriptionText], Awaitable[Topic]] | None = None

    @property
    def cursors(self) -> CursorCodec:
        """The cursors of lists."""
        return CursorCodec(self.seals, lambda: int(self.now().timestamp()) // 3600)

    def data(self, family: Family, deadline: Deadline, meter: Meter | None = None) -> Table:
        """The data table with the rights of that family; without a meter it is overhead."""
        meter = meter or self.overhead(family)
        return Table(self.database, family, deadline, meter=meter)

    def control(self, family: Family, deadline: Deadline, meter: Meter | None = None) -> Table:
        """The control table with the rights of that family; without a meter it is overhead."""
        meter = meter or self.overhead(family)
        return Table(self.database, family, deadline, self.database.control_table_name, meter)

    def change_log(self, family: Family, deadline: Deadline, meter: Meter | None = None) -> ChangeLog:
        """The change log of a tenant."""
        table = self.control(family, deadline, meter)
        return ChangeLog(table, family, now=self.now, new_epoch=self.new_uid, retention=self.log_retention)
