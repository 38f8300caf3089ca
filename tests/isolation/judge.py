"""What one tenant must never notice of another, looked for in answers, log lines and rows."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from graphql_api.store.schema import INDEX_PARTITIONS, PARTITION
from tests.asgi import Reply
from tests.isolation.founding import Rows
from tests.isolation.party import IsolationError, Party, global_id, legible, objects, plain
from tests.isolation.request import Request
from tests.isolation.stage import Stage
from tests.world import OPERATOR, Caller

PLATFORM = "P#"
_OWNER = re.compile(r"\A(?:T#([a-z0-9-]+)#|P#)")
# Creations: an answer under an idempotency key that its user has not used before must hold a new thing.
CREATIONS = frozenset({"createProject", "createTask", "inviteUser", "addComment"})


def owner_of(partition: str) -> str:
    """The tenant's slug, or PLATFORM."""
    found = _OWNER.match(partition)
    if found is None:
        raise IsolationError(f"a partition that is nobody's: {partition}")
    return found[1] or PLATFORM


def owned(rows: Rows, owner: str) -> Rows:
    return {key: row for key, row in rows.items() if owner_of(key[0]) == owner}


def uids_in(rows: Iterable[tuple[str, str]], owner: str) -> set[str]:
    """Of everything the owner has; a partition key ends in one."""
    return {partition.rpartition("#")[2] for partition, _ in rows if owner_of(partition) == owner}


def ids_in(rows: Rows, owner: str) -> set[str]:
    """The global ids of everything the owner has."""
    return {
        global_id(kind.capitalize(), partition.rpartition("#")[2])
        for partition, kind in rows
        if owner_of(partition) == owner
    }


class Judge:
    """Looks at a stage after each request. Raises IsolationError for the first thing that is wrong."""

    def __init__(self, stage: Stage, rows: Rows) -> None:
        self.rows = rows
        self._stage = stage
        self._keys_used: set[tuple[Caller, str, str]] = set()
        self._made: defaultdict[str | None, set[str]] = defaultdict(set)
        self._placed: dict[tuple[str, str], dict[str, Any]] = {}
        self._require_places(rows)

    def heard(self, party: Party, caller: Caller, request: Request, reply: Reply) -> None:
        """What a caller was answered."""
        answer = reply.json()
        self._require_no_secrets(party, answer, reply, plain(request.arguments))
        if caller.tenant is not None and caller not in party.people:
            self._require_nothing(reply, answer)
        result = (answer.get("data") or {}).get("result")
        if request.root in CREATIONS and isinstance(result, dict):
            self._require_own_effect(caller, request, result)

    def logged(self, party: Party, caller: Caller) -> None:
        """What was written down while a caller was served."""
        lines = self._stage.log.lines
        self._stage.log.lines = [each for each in lines if each[0] != caller.tenant]
        for line in (line for tenant, line in lines if tenant == caller.tenant):
            found = self._secrets_in(party, line)
            if found or json.loads(line).get("tenant") not in (None, caller.tenant):
                raise IsolationError(f"logged for {party.slug}: {found or 'another tenant'} in {line}")

    def stored(self, rows: Rows, *served: Party) -> None:
        """What requests of these parties left in the table."""
        if rows is self.rows:
            return
        slugs = {party.slug for party in served}
        if self._stage.operator in served:
            slugs |= {PLATFORM} | self._founded(rows)
        for key in self.rows.keys() | rows.keys():
            if self.rows.get(key) != rows.get(key) and owner_of(key[0]) not in slugs:
                raise IsolationError(f"{slugs} changed {key}: {self.rows.get(key)} -> {rows.get(key)}")
        self._require_places(rows)
        self.rows = rows

    def _founded(self, rows: Rows) -> set[str]:
        """Tenants that have come to be."""
        return {owner_of(partition) for partition, _ in rows} - {owner_of(pk) for pk, _ in self.rows}

    def _require_no_secrets(self, party: Party, answer: Any, reply: Reply, given: str) -> None:
        shown = legible("\n".join([plain(answer), plain(reply.headers)]))
        if found := self._secrets_in(party, shown, given=legible(given)):
            raise IsolationError(f"{party.slug} was shown {found}: {shown}")

    def _secrets_in(self, party: Party, shown: str, given: str = "") -> list[str]:
        found: list[str] = []
        for other in self._stage.parties:
            if other is not party:
                registered = () if party is self._stage.operator else (other.registered,)
                found += [secret for secret in (*other.secrets, *registered) if secret in shown]
                strange = uids_in(self.rows, other.slug) - uids_in(self.rows, party.slug)
                found += [uid for uid in strange if len(uid) == 26 and uid in shown and uid not in given]
        return [secret for secret in found if secret not in given]

    def _require_nothing(self, reply: Reply, answer: dict[str, Any]) -> None:
        """A valid token for a tenant whose member its subject is not."""
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        if reply.status != 403 or codes != {"FORBIDDEN"} or "data" in answer:
            raise IsolationError(f"a stranger was let in: {plain(answer)}")

    def _require_own_effect(self, caller: Caller, request: Request, result: dict[str, Any]) -> None:
        made = {node["id"] for node in objects(result) if "id" in node}
        key = request.arguments["input"].get("idempotencyKey")
        if key is not None and (caller, request.root, key) not in self._keys_used:
            entity = next((each for each in result.values() if isinstance(each, dict)), {})
            if result.get("code") == "IDEMPOTENCY_MISMATCH" or entity.get("id") in self._made[caller.tenant]:
                raise IsolationError(f"{key} of {caller} was used by somebody else: {plain(result)}")
        if key is not None:
            self._keys_used.add((caller, request.root, key))
        self._made[caller.tenant] |= made

    def _require_places(self, rows: Rows) -> None:
        """Each row, index keys included, is in its owner's family and names only what the owner has."""
        for key, row in rows.items():
            if self._placed.get(key) != row:
                owner = owner_of(key[0])
                self._require_place(row, owner, uids_in(rows, owner) | {OPERATOR, ""})
        self._placed = rows

    def _require_place(self, row: dict[str, Any], owner: str, uids: set[str]) -> None:
        for name in (PARTITION, *INDEX_PARTITIONS):
            if name in row and owner_of(row[name]["S"]) != owner:
                raise IsolationError(f"a row of {owner} stands elsewhere by its {name}: {row}")
        if owner == PLATFORM:
            return
        if row["sk"]["S"] == "TENANT" and row["uid"]["S"] != owner:
            raise IsolationError(f"the tenant in {owner} is another: {row}")
        if strange := set(_references(row)) - uids:
            raise IsolationError(f"a row of {owner} names {strange}, which {owner} has not: {row}")
        text = plain(row)
        for party in self._stage.parties:
            if party.slug != owner and any(secret in text for secret in party.secrets):
                raise IsolationError(f"a row of {owner} holds the words of {party.slug}: {row}")


def _references(row: dict[str, Any]) -> Iterator[str]:
    """Every uid by which a row names something else."""
    for name, value in row.items():
        if name.endswith(("_uid", "_uids", "uids")):
            yield from [value["S"]] if "S" in value else [each["S"] for each in value["L"]]
