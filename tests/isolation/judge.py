"""What one tenant must never notice of another, looked for in answers, frames, log lines and rows."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from graphql_api.errors import ErrorCode
from graphql_api.store.entity import entity_class, is_logged
from graphql_api.store.schema import EXPIRY, INDEX_PARTITIONS, PARTITION, SORT, FamilyIndex, LogIndex
from tests.asgi import Reply
from tests.isolation.founding import Rows
from tests.isolation.party import IsolationError, Party, global_id, legible, objects, plain
from tests.isolation.request import Request
from tests.isolation.sockets import Client
from tests.isolation.stage import Stage
from tests.world import OPERATOR, Caller

PLATFORM, CONNECTIONS = "P#", "C#"
PLATFORM_AUDIT = "P#AUDIT"
# What comes from one network address, or from anywhere, is counted whoever sends it; and what tenants change
# of their own registrations and jobs is known again by a hash in which their names are.
SHARED = ("P#BUDGET#", "P#IDEMPOTENCY#")
_OWNER = re.compile(r"\A(?:T#([a-z0-9-]+)#|(P#|C#))")
PARTITIONS = (
    PARTITION,
    *INDEX_PARTITIONS,
    LogIndex.TIMELINE.value.partition,
    FamilyIndex.INVENTORY.value.partition,
)
# All that is kept of a connection outside its tenant: who it is, until when, and why it was refused.
OF_A_SOCKET = {
    *(PARTITION, SORT, EXPIRY, "connection_id", "opened_at", "state", "refusal"),
    *("tenant", "subject", "role", "token_expires_at", "key"),
}
OVER_A_SOCKET = 200
BREAKDOWN = ErrorCode.INTERNAL_SERVER_ERROR.value
# Creations: an answer under an idempotency key that its user has not used before must hold a new thing.
CREATIONS = frozenset({"createProject", "createTask", "inviteUser", "addComment"})


def owner_of(partition: str) -> str:
    """The tenant's slug, or PLATFORM, or CONNECTIONS."""
    found = _OWNER.match(partition)
    if found is None:
        raise IsolationError(f"a partition that is nobody's: {partition}")
    return found[1] or found[2]


def owned(rows: Rows, owner: str) -> Rows:
    return {key: row for key, row in rows.items() if owner_of(key[0]) == owner}


def uids_in(rows: Iterable[tuple[str, str]], owner: str) -> set[str]:
    """Of everything the owner has; a partition key ends in one."""
    return {partition.rpartition("#")[2] for partition, _ in rows if owner_of(partition) == owner}


def ids_in(rows: Rows, owner: str) -> set[str]:
    """The global ids of everything the owner has."""
    return {
        global_id(entity_class(kind).__name__, partition.rpartition("#")[2])
        for partition, kind in rows
        if owner_of(partition) == owner and is_logged(kind)
    }


class Judge:
    """Looks at a stage after each request. Raises IsolationError for the first thing that is wrong."""

    def __init__(self, stage: Stage, rows: Rows, control_rows: Rows) -> None:
        self.rows, self.control_rows = rows, control_rows
        self._stage = stage
        self._strange: dict[str, dict[str, set[str]]] = {}
        self._keys_used: set[tuple[Caller, str, str]] = set()
        self._made: defaultdict[str | None, set[str]] = defaultdict(set)
        self._placed: dict[tuple[str, str], dict[str, Any]] = {}
        self._require_places(rows)
        self._require_control_places({}, control_rows)

    def heard(self, party: Party, caller: Caller, request: Request, reply: Reply) -> None:
        """What a caller was answered."""
        answer = reply.json()
        given = plain([request.arguments, *(self._refused(answer) if party is self._stage.operator else ())])
        self._require_no_secrets(party, answer, reply, given)
        if caller.tenant is not None and caller not in party.people:
            self._require_nothing(reply, answer)
        result = (answer.get("data") or {}).get("result")
        if request.root in CREATIONS and isinstance(result, dict):
            self._require_own_effect(caller, request, result)

    def _refused(self, answer: Any) -> Iterator[str | None]:
        """Strangers: whom no tenant knows, the platform's log names as their tokens do."""
        strangers = {party.people[0].subject for party in self._stage.parties}
        refused = [each for each in objects(answer) if each.get("outcome") == "REFUSED"]
        yield from (str(entry["subject"]) for entry in refused if entry["subject"] in strangers)

    def logged(self, party: Party, caller: Caller) -> None:
        """What was written down while a caller was served."""
        lines = self._stage.log.lines
        self._stage.log.lines = [each for each in lines if each[0] != caller.tenant]
        for line in (line for tenant, line in lines if tenant == caller.tenant):
            found = self._secrets_in(party, line)
            if found or json.loads(line).get("tenant") not in (None, caller.tenant):
                raise IsolationError(f"logged for {party.slug}: {found or 'another tenant'} in {line}")

    def received(self, party: Party, client: Client, frame: dict[str, Any], said: str) -> None:
        """What came over a socket, asked for or not."""
        shown, given = legible(plain(frame)), legible(said)
        _require_no_breakdown(shown)
        if found := self._secrets_in(party, shown, given=given):
            raise IsolationError(f"{client.caller} was sent {found}: {shown}")
        if client.caller.tenant is not None and client.caller not in party.people:
            data = (frame.get("payload") or {}).get("data") if frame["type"] == "next" else None
            if data is not None or (frame["type"] == "pong" and "sequence" in frame.get("payload", {})):
                raise IsolationError(f"a stranger was sent {plain(frame)}")

    def stored(self, rows: Rows, control_rows: Rows, slugs: set[str]) -> None:
        """What was done for these owners in the tables."""
        if PLATFORM in slugs:
            slugs = slugs | self._founded(rows)
        if rows is not self.rows:
            _require_unchanged(self.rows, rows, slugs)
            self._require_places(rows)
        if control_rows is not self.control_rows:
            _require_unchanged(self.control_rows, control_rows, slugs)
            self._require_control_places(self.control_rows, control_rows)
        self.rows, self.control_rows = rows, control_rows
        self._strange.clear()

    def _founded(self, rows: Rows) -> set[str]:
        """Tenants that have come to be."""
        return {owner_of(partition) for partition, _ in rows} - {owner_of(pk) for pk, _ in self.rows}

    def _require_no_secrets(self, party: Party, answer: Any, reply: Reply, given: str) -> None:
        shown = legible("\n".join([plain(answer), plain(reply.headers)]))
        _require_no_breakdown(shown)
        if found := self._secrets_in(party, shown, given=legible(given)):
            raise IsolationError(f"{party.slug} was shown {found}: {shown}")

    def _secrets_in(self, party: Party, shown: str, given: str = "") -> list[str]:
        found: list[str] = []
        for other in self._stage.parties:
            if other is not party:
                registered = () if party is self._stage.operator else (other.registered,)
                found += [secret for secret in (*other.secrets, *registered) if secret in shown]
                found += [uid for uid in self._strangers(party, other) if uid in shown]
        return [secret for secret in found if secret not in given]

    def _strangers(self, party: Party, other: Party) -> set[str]:
        """The other's uids that the party has not as well; its log has one, which every place in it has."""
        known = self._strange.setdefault(party.slug, {})
        if other.slug not in known:
            theirs, ours = (
                uids_in(self.rows, slug) | _epochs(self.control_rows, slug)
                for slug in (other.slug, party.slug)
            )
            known[other.slug] = {uid for uid in theirs - ours if len(uid) == 26}
        return known[other.slug]

    def _require_nothing(self, reply: Reply, answer: dict[str, Any]) -> None:
        """A valid token for a tenant whose member its subject is not."""
        codes = {error["extensions"]["code"] for error in answer.get("errors", [])}
        if reply.status not in (403, OVER_A_SOCKET) or codes != {"FORBIDDEN"} or "data" in answer:
            raise IsolationError(f"a stranger was let in: {plain(answer)}")

    def _require_own_effect(self, caller: Caller, request: Request, result: dict[str, Any]) -> None:
        made = {node["id"] for node in objects(result) if "id" in node}
        key = request.arguments["input"].get("idempotencyKey")
        if key is not None and (caller, request.root, key) not in self._keys_used:
            refused = "code" in result
            entity = {} if refused else next((each for each in result.values() if isinstance(each, dict)), {})
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
        _require_one_owner(row, owner)
        if owner == PLATFORM:
            return
        if row["sk"]["S"] == "TENANT" and row["uid"]["S"] != owner:
            raise IsolationError(f"the tenant in {owner} is another: {row}")
        if strange := set(_references(row)) - uids:
            raise IsolationError(f"a row of {owner} names {strange}, which {owner} has not: {row}")
        self._require_own_words(row, owner)

    def _require_control_places(self, before: Rows, rows: Rows) -> None:
        """Each row of the control table is its owner's and says nothing but what its owner may know."""
        for key, row in rows.items():
            if before.get(key) == row:
                continue
            owner = owner_of(key[0])
            _require_one_owner(row, owner)
            self._require_own_words(row, owner)
            if owner == CONNECTIONS and not key[0].startswith("C#@") and not row.keys() <= OF_A_SOCKET:
                raise IsolationError(f"a socket's row holds {row.keys() - OF_A_SOCKET}")
            if strange := set(_logged_uids(row)) - uids_in(self.rows, owner) - {OPERATOR}:
                raise IsolationError(f"the log of {owner} is of {strange}, which {owner} has not: {row}")

    def _require_own_words(self, row: dict[str, Any], owner: str) -> None:
        text = plain(row)
        for party in self._stage.parties:
            if party.slug != owner and any(secret in text for secret in party.secrets):
                raise IsolationError(f"a row of {owner} holds the words of {party.slug}: {row}")


def _require_no_breakdown(shown: str) -> None:
    """What is half another's breaks as a rule, and the answer that would show it is masked."""
    if BREAKDOWN in shown:
        raise IsolationError(f"something broke: {shown}")


def _require_unchanged(before: Rows, rows: Rows, slugs: set[str]) -> None:
    """What is of none of these owners; a socket is its tenant's, and of nobody's before one is known. Whom no
    tenant knows may leave an entry in the platform's audit log.
    """
    for key in before.keys() | rows.keys():
        old, new = before.get(key), rows.get(key)
        if old == new or key[0] == PLATFORM_AUDIT or key[0].startswith(SHARED):
            continue
        owner = owner_of(key[0])
        if owner == CONNECTIONS:
            owner = next(
                (row["tenant"]["S"] for row in (old, new) if row and "S" in row.get("tenant", {})), ""
            )
        if owner == PLATFORM and PLATFORM not in slugs:
            owner = _who_began(key, old or new or {}, before | rows) or owner
        if owner and owner not in slugs:
            raise IsolationError(f"{slugs} changed {key}: {old} -> {new}")


def _who_began(key: tuple[str, str], row: dict[str, Any], rows: Rows) -> str | None:
    """The tenant that a job of the platform's is for, be it the job itself or the record of its request."""
    if key[1] == "IDEMPOTENCY":
        (uid,) = (each["S"] for each in row["uids"]["L"])
        row, key = rows.get((f"P#JOB#{uid}", "JOB"), {}), ("", "JOB")
    return row["slug"]["S"] if key[1] == "JOB" and row else None


def _require_one_owner(row: dict[str, Any], owner: str) -> None:
    for name in PARTITIONS:
        if name in row and owner_of(row[name]["S"]) != owner:
            raise IsolationError(f"a row of {owner} stands elsewhere by its {name}: {row}")


def _epochs(control_rows: Rows, slug: str) -> set[str]:
    head = control_rows.get((f"T#{slug}#LOG", "HEAD"))
    return {head["epoch"]["S"]} if head else set()


def _logged_uids(row: dict[str, Any]) -> Iterator[str]:
    """Of what changed and of who changed it, in a segment of the log or what leads to one."""
    _, _, kind, *path = [*row[PARTITION]["S"].split("#"), ""]
    if kind == "HISTORY":
        yield path[1]
    if kind == "LOG" and "texts" in row:
        for text in row["texts"]["L"]:
            parts = json.loads(text["S"])
            yield from (uid for uid in (parts["uid"], parts["actor"]) if uid)


def _references(row: dict[str, Any]) -> Iterator[str]:
    """Every uid by which a row names something else."""
    for name, value in row.items():
        if name.endswith(("_uid", "_uids", "uids")):
            yield from [value["S"]] if "S" in value else [each["S"] for each in value["L"]]
