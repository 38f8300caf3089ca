"""A tenant's use in the control table, by hour, by day, and by day and operation.

T#<tenant>#USAGE#<month> / DAY <day> <shard>                      all of a day
T#<tenant>#USAGE#<month> / HOUR <hour> <shard>                    all of an hour
T#<tenant>#USAGE#<month> / OPERATION <day> <operation> <shard>    one operation's of a day

Times are UTC. What is written together is one transaction, so totals and operations never disagree; it goes
to one shard of the eight by chance, so that an item takes every eighth of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from graphql_api.errors import InvalidInputError
from graphql_api.metering.figures import Figures, total
from graphql_api.store.codec import Item
from graphql_api.store.keys import LAST, SORT_SEPARATOR, Family, Key, partition, sort_key
from graphql_api.store.repository import together
from graphql_api.store.schema import EXPIRY, SORT
from graphql_api.store.table import MAX_TRANSACTION_ITEMS, Table
from graphql_api.store.writes import Tally

SHARDS = 8
KEPT_FOR = timedelta(days=400)
MAX_OPERATIONS = MAX_TRANSACTION_ITEMS - 2  # written together with their day and their hour
MAX_ROWS = 20_000  # of operations in one report: some 8 MB
_DAY, _HOUR, _OPERATION = "DAY", "HOUR", "OPERATION"
_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Period:
    """Days in UTC, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def months(self) -> Iterator["Period"]:
        """The part of each calendar month that is in it."""
        first = self.first
        while first <= self.last:
            following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
            yield Period(first, min(self.last, following - timedelta(days=1)))
            first = following


def month_of(day: date) -> Period:
    """The whole calendar month of a day."""
    following = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return Period(day.replace(day=1), following - timedelta(days=1))


def tallies(family: Family, hour: int, operations: Mapping[str, Figures], shard: int) -> list[Tally]:
    """The writes that add figures of an hour of Unix time; MAX_OPERATIONS at most."""
    at = datetime.fromtimestamp(hour * _SECONDS, UTC)
    day, where = at.date().isoformat(), str(shard)
    path = partition(family, "USAGE", day[:7])
    kept: Item = {EXPIRY: {"N": str(int((at + KEPT_FOR).timestamp()))}}
    all_of_it = total(operations.values())
    return [
        Tally(Key(path, sort_key(_DAY, day, where)), all_of_it, kept),
        Tally(Key(path, sort_key(_HOUR, f"{at:%Y-%m-%dT%H}", where)), all_of_it, kept),
        *(
            Tally(Key(path, sort_key(_OPERATION, day, name, where)), figures, kept)
            for name, figures in operations.items()
        ),
    ]


class Ledger:
    """Reads one tenant's use, through the control table with the tenant's rights: a Query for each calendar
    month that a period touches. Raises StoreBusyError.
    """

    def __init__(self, table: Table, family: Family) -> None:
        self._table = table
        self._family = family

    async def by_day(self, period: Period) -> dict[str, Counter[str]]:
        """The figures of each day on which there were any, as 2026-11-20."""
        return _added_up(await self._rows(_DAY, period, MAX_ROWS))

    async def by_hour(self, period: Period) -> dict[str, Counter[str]]:
        """The figures of each hour in which there were any, as 2026-11-20T23."""
        return _added_up(await self._rows(_HOUR, period, MAX_ROWS))

    async def by_operation(self, period: Period) -> dict[str, Counter[str]]:
        """The figures of each operation. Raises InvalidInputError where that is too much to read at once."""
        rows = await self._rows(_OPERATION, period, MAX_ROWS + 1)
        if len(rows) > MAX_ROWS:
            raise InvalidInputError("Too many operations were used in that time; ask for fewer days.", "from")
        return _added_up(rows, of=2)

    async def points_in_month(self, day: date) -> int:
        """The cost points that were used in the calendar month of that day, as far as they are flushed: one
        Query of 248 small items at most.
        """
        return total((await self.by_day(month_of(day))).values())["points"]

    async def _rows(self, kind: str, period: Period, most: int) -> Sequence[Item]:
        pages = await together(
            self._table.read(
                partition(self._family, "USAGE", f"{part.first:%Y-%m}"),
                SORT_SEPARATOR.join((kind, part.first.isoformat())),
                SORT_SEPARATOR.join((kind, part.last.isoformat())) + LAST,
                most,
            )
            for part in period.months()
        )
        return [item for page in pages for item in page]


def _added_up(rows: Sequence[Item], of: int = 1) -> dict[str, Counter[str]]:
    """By that part of the sort key, in order."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for item in rows:
        found[item[SORT]["S"].split(SORT_SEPARATOR)[of]].update(
            {name: int(value["N"]) for name, value in item.items() if "N" in value and name != EXPIRY}
        )
    return dict(sorted(found.items()))
