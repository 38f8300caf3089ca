"""What a tenant is billed for a period that is over: made once, and the same whenever it is asked for again.

T#<tenant>#USAGE#<month of the first day> / STATEMENT <first day> <last day>

The first export of a period keeps its statement, so that neither new prices nor expired figures change it.
"""

import json
from datetime import UTC, datetime, time, timedelta
from typing import Any

from graphql_api.metering import prices
from graphql_api.metering.figures import Figures, total
from graphql_api.metering.latency import is_bucket
from graphql_api.metering.ledger import KEPT_FOR, Ledger, Period
from graphql_api.store.codec import Item
from graphql_api.store.keys import Family, Key, partition, sort_key, tenant_of
from graphql_api.store.table import Table
from graphql_api.store.writes import Put

# Figures come for the hour after their own at most, and a token's ten minutes later.
SETTLED_AFTER = timedelta(hours=2)


class NotBillableError(Exception):
    """The period's figures may still change, or are partly expired."""


class _MadeBeforeError(Exception):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


async def statement(table: Table, family: Family, period: Period, now: datetime) -> str | None:
    """A line of JSON, byte for byte as it was first made; None where nothing was used. `table` is the control
    table, as the tenant may use it. Raises NotBillableError, or StoreBusyError.
    """
    first, last = period.first.isoformat(), period.last.isoformat()
    key = Key(partition(family, "USAGE", first[:7]), sort_key("STATEMENT", first, last))
    made = (await table.batch_get([key], consistent=True)).get(key)
    if made is not None:
        return made["text"]["S"]
    _require_settled(period, now)
    figures = total((await Ledger(table, family).by_day(period)).values())
    if not figures:
        return None
    text = json.dumps(_told(family, period, figures), separators=(",", ":"))
    try:
        await table.commit([Put(key, {"text": {"S": text}}, _made_before)])
    except _MadeBeforeError as before:
        return before.text
    return text


def _require_settled(period: Period, now: datetime) -> None:
    over = datetime.combine(period.last + timedelta(days=1), time(), UTC) + SETTLED_AFTER
    if now < over:
        raise NotBillableError(f"The period can be billed from {over:%Y-%m-%d %H:%M} UTC on.")
    if datetime.combine(period.first, time(), UTC) < now - KEPT_FOR:
        raise NotBillableError(f"Some of the period's figures have expired after {KEPT_FOR.days} days.")


def _made_before(standing: Item | None) -> Exception:
    return _MadeBeforeError(standing["text"]["S"] if standing else "")


def _told(family: Family, period: Period, figures: Figures) -> dict[str, Any]:
    lines = prices.bill(figures)
    return {
        "tenant": tenant_of(family),
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "currency": prices.CURRENCY,
        "total": prices.written(prices.dollars(lines)),
        "prices": f"{prices.REGION} {prices.AS_OF}",
        "lines": [
            {
                "item": line.price.item,
                "quantity": prices.written(line.quantity),
                "unit": line.price.unit,
                "unitPrice": f"{line.price.dollars:f}",
                "amount": prices.written(line.amount),
            }
            for line in lines
        ],
        "figures": {name: figures[name] for name in sorted(figures) if not is_bucket(name)},
    }
