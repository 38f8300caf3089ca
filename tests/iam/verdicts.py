"""Who may call what: by each of the shipped policies, on the data table, the control table and any other."""

from tests.iam.calls import (
    CONTROL,
    DATA,
    OTHER,
    CallParams,
    batch,
    batch_write,
    delete,
    get,
    get_item,
    inventory,
    listing,
    put,
    query,
    statements,
    transact_get,
    transaction,
    update,
    whole,
)
from tests.iam.guard import (
    CONNECTIONS_ROLE,
    PLATFORM_ROLE,
    REGISTRY_READER_ROLE,
    ROUNDS_ROLE,
    Principal,
    Role,
    TenantSession,
)
from tests.iam.shipped import table_arn

T1, LIFECYCLE, PLATFORM, READER, ROUNDS, CONNECTIONS = (
    TenantSession("t1"),
    TenantSession("t1", "lifecycle"),
    PLATFORM_ROLE,
    REGISTRY_READER_ROLE,
    ROUNDS_ROLE,
    CONNECTIONS_ROLE,
)
TABLES = (DATA, CONTROL)

# Prefixes that are another tenant's, or resemble t1's.
ALIKE = ("T#t2", "T#t10", "T#T1", "t#t1", "T#t1x", "xT#t1", " T#t1")

Case = tuple[Principal, CallParams]


def put_and_check(stored: str, checked: str, table: str = DATA) -> CallParams:
    return transaction(("Put", put(stored, table)), ("ConditionCheck", get_item(checked, table)))


def replacement(stored: str, gone: str) -> CallParams:
    return transaction(
        ("Put", put(stored, CONTROL)), ("Delete", delete(gone, CONTROL)), ("Update", update(gone, CONTROL))
    )


# What comes and goes in the control table, and what stays as it was written.
SOCKETS = ("BUDGET", "BUDGET#inviteUser#1", "GROUP#1", "SOCKET#1", "SOCKETS", "SOCKETS#COUNT", "TOPIC#TASKS")
USAGE = "USAGE#2026-11"
LOG = ("AUDIT", "LOG", "LOG#SIGNED", "LOG#SEGMENTS", "LOG#TIMELINE", "HISTORY#TASK#1", "task#1")

ALLOWED: list[Case] = [
    (T1, put_and_check("T#t1#a", "T#t1#b")),
    (T1, listing("T#t1#project#1")),
    (T1, listing("T#t1#LOG#TIMELINE", CONTROL)),
    (T1, query("T#t1#TOPIC#TASKS", CONTROL)),
    *((T1, call(f"T#t1#{path}", CONTROL)) for path in SOCKETS for call in (delete, update)),
    (T1, update(f"T#t1#{USAGE}", CONTROL)),
    (T1, update("T#t1#task#1")),
    (T1, replacement("T#t1#LOG", "T#t1#SOCKET#1")),
    *(
        case
        for table in TABLES
        for case in (
            (T1, get("T#t1#task#1", table)),
            (T1, put("T#t1#task#1", table)),
            (T1, batch("T#t1#a", "T#t1#b", table=table)),
            (TenantSession("t10"), get("T#t10#task#1", table)),
        )
    ),
    *(
        case
        for table in TABLES
        for case in (
            (LIFECYCLE, get("T#t1#task#1", table)),
            (LIFECYCLE, delete("T#t1#LOG", table)),
            (LIFECYCLE, inventory("T#t1#INVENTORY#0", table)),
            (T1, inventory("T#t1#INVENTORY#0", table)),
        )
    ),
    *((LIFECYCLE, call("T#t1#SOCKETS", CONTROL)) for call in (put, query, update)),
    (PLATFORM, get("P#tenant#t1")),
    (PLATFORM, put("P#tenant#t1")),
    (PLATFORM, update("P#tenant#t1")),
    (PLATFORM, listing("P#tenants")),
    (PLATFORM, update("P#BUDGET#signUp#192.0.2.1", CONTROL)),
    (PLATFORM, batch("P#tenant#t1", "P#tenant#t2")),
    (PLATFORM, put("P#AUDIT", CONTROL)),
    (PLATFORM, query("P#AUDIT", CONTROL)),
    (READER, get("P#tenant#t1")),
    (ROUNDS, listing("P#tenants")),
    (ROUNDS, get("P#ROUND", CONTROL)),
    (ROUNDS, put("P#ROUND", CONTROL)),
    (ROUNDS, put("P#AUDIT", CONTROL)),
    (CONNECTIONS, get("C#connection", CONTROL)),
    (CONNECTIONS, put("C#connection", CONTROL)),
    (CONNECTIONS, delete("C#connection", CONTROL)),
    (CONNECTIONS, query("C#connection", CONTROL)),
    (CONNECTIONS, batch("C#one", "C#other", table=CONTROL)),
]


def _lifecycle(table: str) -> list[Case]:
    """The role of whole tenants: another tenant's, nobody's, and what it has no need of."""
    untagged, ten = TenantSession(None, "lifecycle"), TenantSession("t10", "lifecycle")
    empty = TenantSession("", "lifecycle")
    return [
        *((LIFECYCLE, call(f"{each}#task#1", table)) for each in ALIKE for call in (get, delete)),
        *((LIFECYCLE, inventory(f"{each}#INVENTORY#0", table)) for each in ALIKE),
        (LIFECYCLE, batch("T#t1#a", "T#t2#a", table=table)),
        *((one, call("T#t1#a", table)) for one in (ten, untagged, empty) for call in (get, delete)),
        *((empty, call("T##a", table)) for call in (get, delete)),
        (empty, inventory("T##INVENTORY#0", table)),
        *((LIFECYCLE, call("T#t1#task#1", table)) for call in (put, update, query, listing, get_item)),
        (LIFECYCLE, batch_write("T#t1#a", table=table)),
        (LIFECYCLE, inventory("T#t1#PROJECT#1", table)),
        (LIFECYCLE, whole("Scan", table)),
        (LIFECYCLE, whole("Scan", table, IndexName="inventory")),
        (LIFECYCLE, whole("DeleteTable", table)),
        *statements_of(LIFECYCLE),
        *((one, call("T#t2#SOCKETS", table)) for one in (LIFECYCLE, ten) for call in (put, query, update)),
        *((empty, call("T##SOCKETS", table)) for call in (put, query, update)),
        *((LIFECYCLE, call("T#t1#SOCKETS", DATA)) for call in (put, query, update)),
        *((LIFECYCLE, call("P#tenant#t1", table)) for call in (get, delete, put, query)),
        *((LIFECYCLE, call("C#connection", table)) for call in (get, delete, put, query)),
        *((LIFECYCLE, call("T#t1#SOCKETS", OTHER)) for call in (get, put, delete, query, update, inventory)),
        (LIFECYCLE, inventory("T#t1#INVENTORY#0", OTHER)),
    ]


def statements_of(principal: Principal) -> list[Case]:
    return [(principal, call) for call in statements("SELECT * FROM data WHERE pk = 'T#t1#a'")]


def _foreign(table: str) -> list[Case]:
    """Another tenant's, in every form, alone and among a tenant's own; and names that resemble its own."""
    return [
        (T1, get("T#t2#task#1", table)),
        (T1, put("T#t2#task#1", table)),
        (T1, update("T#t2#task#1", table)),
        (T1, delete("T#t2#task#1", table)),
        (T1, query("T#t2#tasks", table)),
        (T1, listing("T#t2#project#1", table)),
        (T1, batch("T#t2#a", table=table)),
        (T1, batch("T#t1#a", "T#t2#a", table=table)),
        (T1, put_and_check("T#t1#a", "T#t2#b", table)),
        (T1, put_and_check("T#t2#a", "T#t1#b", table)),
        (T1, transact_get("T#t1#a", "T#t2#a", table=table)),
        (TenantSession("t10"), get("T#t1#task#1", table)),
        *(
            (T1, read(partition, table))
            for read in (get, listing)
            for partition in (
                "T#t10#task#1",
                "T#T1#task#1",
                "t#t1#task#1",
                "T#t1",
                "T#t1x#task#1",
                "xT#t1#task#1",
                " T#t1#task#1",
            )
        ),
    ]


def _untagged(table: str) -> list[Case]:
    """Sessions without a usable tag."""
    return [
        (TenantSession(tag), read(partition, table))
        for read in (get, listing)
        for tag, partition in (
            (None, "T#t1#a"),
            (None, "T##a"),
            (None, "T#${aws:PrincipalTag/tenant}#a"),
            ("", "T##a"),
            ("", "T#t1#a"),
            ("*", "T#t1#a"),
            ("?", "T#a#a"),
            ("t?", "T#t1#a"),
            ("t*", "T#t1#a"),
            ("${*}", "T#t1#a"),
        )
    ]


def _between_families(table: str) -> list[Case]:
    registry = dict.fromkeys((PLATFORM, READER, ROUNDS), "P#tenant#t1")
    own = {T1: "T#t1#a", **registry, CONNECTIONS: "C#connection"}
    calls = (get, put, update, delete, query, listing)
    return [
        *(
            (principal, call(partition, table))
            for principal in own
            for partition in sorted(set(own.values()) - {own[principal]})
            for call in calls
        ),
        *((principal, get(own[principal][0], table)) for principal in (*registry, CONNECTIONS)),
        *((principal, listing(own[principal][0], table)) for principal in (*registry, CONNECTIONS)),
        (T1, put_and_check("T#t1#a", "P#tenant#t1", table)),
        (T1, batch("T#t1#a", "C#connection", table=table)),
        (PLATFORM, batch("P#tenant#t1", "T#t1#a", table=table)),
        (READER, batch("P#tenant#t1", "T#t1#a", table=table)),
        (ROUNDS, batch("P#ROUND", "T#t1#a", table=table)),
        (CONNECTIONS, batch("C#connection", "T#t1#a", table=table)),
        (TenantSession("P"), get("P#tenant#t1", table)),
        (TenantSession("C"), get("C#connection", table)),
    ]


def _without_partition(table: str) -> list[Case]:
    index = "timeline" if table == CONTROL else "by_position"
    return [
        (principal, call)
        for principal in (T1, PLATFORM, READER, ROUNDS, CONNECTIONS)
        for call in (
            whole("Scan", table),
            whole("Scan", table, IndexName=index),
            whole("DescribeTable", table),
            whole("UpdateTable", table),
            whole("DeleteTable", table),
            *statements("SELECT * FROM data WHERE pk = 'T#t1#a'"),
            *statements("DELETE FROM control"),
        )
    ]


def _unused() -> list[Case]:
    """What nothing here uses, on one's own keys."""
    return [
        (T1, ("ListTables", {})),
        (T1, ("ExportTableToPointInTime", {"TableArn": table_arn(DATA), "S3Bucket": "out"})),
        (T1, delete("T#t1#a")),
        (T1, query("T#t1#tasks")),
        *((T1, call(f"T#t1#{path}", CONTROL)) for path in LOG for call in (delete, update)),
        (T1, delete(f"T#t1#{USAGE}", CONTROL)),
        (T1, replacement("T#t1#SOCKET#1", "T#t1#LOG")),
        (T1, put_and_check("T#t1#a", "T#t1#b", CONTROL)),
        *(
            case
            for table in TABLES
            for case in (
                (T1, get_item("T#t1#a", table)),
                (T1, transact_get("T#t1#a", "T#t1#b", table=table)),
                (T1, batch_write("T#t1#a", table=table)),
            )
        ),
        *((PLATFORM, call("P#tenants")) for call in (query, delete, get_item, batch_write)),
        *((PLATFORM, call("P#AUDIT", CONTROL)) for call in (get, update, delete)),
        *((ROUNDS, call("P#AUDIT", CONTROL)) for call in (get, query, update, delete)),
        *((ROUNDS, call("P#ROUND", CONTROL)) for call in (query, update, delete)),
        *((ROUNDS, call("P#a")) for call in (get, put, update, delete, query)),
        *((READER, call("P#a")) for call in (put, update, delete, query, listing, get_item, batch_write)),
        *((CONNECTIONS, call("C#one", CONTROL)) for call in (update, get_item, batch_write)),
    ]


def _sockets() -> list[Case]:
    """Deletions and updates of what may be deleted and updated, but of another tenant or in another table."""
    return [
        *((T1, call(f"T#t2#{path}", CONTROL)) for path in SOCKETS for call in (delete, update)),
        (TenantSession("t10"), delete("T#t1#SOCKET#1", CONTROL)),
        (TenantSession(None), delete("T#t1#SOCKET#1", CONTROL)),
        (TenantSession(""), delete("T##SOCKET#1", CONTROL)),
        (T1, update(f"T#t2#{USAGE}", CONTROL)),
        (T1, update(f"T#t1#{USAGE}", OTHER)),
        (TenantSession(None), update(f"T#t1#{USAGE}", CONTROL)),
        (TenantSession(""), update(f"T##{USAGE}", CONTROL)),
        *((T1, delete("T#t1#SOCKET#1", table)) for table in (DATA, OTHER)),
    ]


def _elsewhere() -> list[Case]:
    """One's own keys, in a table that is not one's own."""
    return [
        *((T1, call("T#t1#a", OTHER)) for call in (get, put, update, delete, query, listing)),
        *(
            (PLATFORM, call("P#a", table))
            for table in (CONTROL, OTHER)
            for call in (get, put, update, listing)
        ),
        *((READER, get("P#a", table)) for table in (CONTROL, OTHER)),
        *((ROUNDS, call("P#a", table)) for table in (CONTROL, OTHER) for call in (get, put, listing)),
        *((ROUNDS, call("P#ROUND", table)) for table in (DATA, OTHER) for call in (get, put)),
        *((role, put("P#AUDIT", table)) for role in (ROUNDS, PLATFORM) for table in (OTHER,)),
        (ROUNDS, put("P#AUDIT", DATA)),
        *((PLATFORM, query("P#AUDIT", table)) for table in (DATA, OTHER)),
        (PLATFORM, update("P#BUDGET#signUp#192.0.2.1", OTHER)),
        *((ROUNDS, call("T#t1#AUDIT", CONTROL)) for call in (get, put)),
        *((PLATFORM, call("T#t1#AUDIT", CONTROL)) for call in (put, query)),
        *(
            (CONNECTIONS, call("C#a", table))
            for table in (DATA, OTHER)
            for call in (get, put, delete, query, listing)
        ),
        (CONNECTIONS, listing("C#a", CONTROL)),
    ]


DENIED: list[Case] = [
    *(
        case
        for table in TABLES
        for group in (_lifecycle, _foreign, _untagged, _between_families, _without_partition)
        for case in group(table)
    ),
    *_unused(),
    *_sockets(),
    *_elsewhere(),
]


def label(case: object) -> str:
    match case:
        case TenantSession(tenant):
            return f"tag={tenant}"
        case Role():
            return case.policy
        case (operation, _):
            return str(operation)
        case _:
            return str(case)
