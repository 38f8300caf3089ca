from typing import Any

import pytest

from graphql_api.store.schema import INDEX_PARTITIONS, PARTITION, FamilyIndex, Index, table_definition
from tests.iam.access import Access, KeySchema, UnreadableCallError, accesses
from tests.iam.stub_client import TABLE, key_schema

SCHEMAS = {"data": KeySchema.of(TABLE)}
KEY = {"pk": {"S": "T#t1#a"}, "sk": {"S": "x"}}
OTHER = {"pk": {"S": "T#t2#b"}, "sk": {"S": "x"}}


def derive(operation: str, **params: Any) -> tuple[Access, ...]:
    return accesses(operation, params, SCHEMAS)


def update(expression: str, names: dict[str, str] | None = None, **values: str) -> dict[str, str | None]:
    """What the update writes, without its own key."""
    placeholders = {f":{name}": {"S": value} for name, value in values.items()}
    (access,) = derive(
        "UpdateItem",
        TableName="data",
        Key=KEY,
        UpdateExpression=expression,
        ExpressionAttributeNames=names or {},
        ExpressionAttributeValues=placeholders,
    )
    assert access.written[0] == ("pk", "T#t1#a")
    return dict(access.written[1:])


def test_the_key_schema_comes_from_the_arguments_of_create_table() -> None:
    schema = KeySchema.of(table_definition("tasks"))

    assert (schema.table, schema.partition) == ("tasks", PARTITION)
    listed = (*Index, FamilyIndex.INVENTORY)
    assert schema.indexes == {index.index_name: index.value.partition for index in listed}
    assert schema.partitions == {PARTITION, *INDEX_PARTITIONS, FamilyIndex.INVENTORY.value.partition}


def test_an_index_with_two_partition_attributes_is_refused() -> None:
    twofold = [{"AttributeName": name, "KeyType": "HASH"} for name in ("a", "b")]

    with pytest.raises(ValueError, match="unpack"):
        KeySchema.of({**TABLE, "LocalSecondaryIndexes": [{"IndexName": "i", "KeySchema": twofold}]})


def test_a_local_index_shares_the_partition_of_its_table() -> None:
    local = {"IndexName": "recent", "KeySchema": key_schema("pk", "seen")}

    assert KeySchema.of({**TABLE, "LocalSecondaryIndexes": [local]}).indexes["recent"] == "pk"


@pytest.mark.parametrize("operation", ["GetItem", "DeleteItem"])
def test_single_items_are_named_by_their_key(operation: str) -> None:
    assert derive(operation, TableName="data", Key=KEY) == (Access(operation, "data", None, ("T#t1#a",)),)


def test_a_put_writes_its_key_and_the_index_keys_it_holds() -> None:
    item = {**KEY, "title": {"S": "T#t2#"}, "assignee": {"S": "T#t1#u"}}

    (access,) = derive("PutItem", TableName="data", Item=item)

    assert access.leading_keys == ("T#t1#a",)
    assert access.written == (("assignee", "T#t1#u"), ("pk", "T#t1#a"))


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("SET project = :v", {"project": "T#t1#p"}),
        ("set title = :v, #p = :v", {"project": "T#t1#p"}),
        ("SET #p=if_not_exists(#p,:v)", {"project": "T#t1#p"}),
        ("SET #p = if_not_exists(title, :v)", {"project": None}),
        ("SET project = title", {"project": None}),
        ("SET project = list_append(:v, title), n = n + :v", {"project": None}),
        ("SET project.name = :v", {"project": None}),
        ("SET project[0] = :v", {"project": None}),
        ("SET title = :v REMOVE project, #a", {}),
        ("REMOVE title SET assignee = :v ADD n :v", {"assignee": "T#t1#p"}),
        ("ADD project :v", {"project": None}),
        ("DELETE title :v, assignee :v", {"assignee": None}),
        ("SET title = if_not_exists(project, :v), n = (n - :v) + :v", {}),
        ("", {}),
    ],
)
def test_an_update_writes_what_its_expression_assigns(
    expression: str, written: dict[str, str | None]
) -> None:
    assert update(expression, {"#p": "project", "#a": "assignee"}, v="T#t1#p") == written


@pytest.mark.parametrize(
    ("index", "condition", "leading"),
    [
        (None, "pk = :own", "T#t1#a"),
        (None, "#k=:own AND begins_with(sk, :other)", "T#t1#a"),
        (None, "sk = :other and pk = :own", "T#t1#a"),
        (None, "(#k = :own) AND (#s BETWEEN :other AND :other)", "T#t1#a"),
        ("agenda", "assignee = :own AND due >= :other", "T#t1#a"),
        ("by_position", "#p = :other", "T#t2#b"),
    ],
)
def test_a_query_reads_the_one_partition_it_names(index: str | None, condition: str, leading: str) -> None:
    (access,) = derive(
        "Query",
        TableName="data",
        **({} if index is None else {"IndexName": index}),
        KeyConditionExpression=condition,
        ExpressionAttributeNames={"#k": "pk", "#s": "sk", "#p": "project"},
        ExpressionAttributeValues={":own": {"S": "T#t1#a"}, ":other": {"S": "T#t2#b"}},
    )

    assert access == Access("Query", "data", index, (leading,))


@pytest.mark.parametrize(
    "condition",
    ["pk = :own OR pk = :own", "pk > :own", "pk <> :own", "pk BETWEEN :own AND :own", "sk = :own", "pk = sk"],
)
def test_a_query_that_names_no_single_partition_is_an_error(condition: str) -> None:
    with pytest.raises(UnreadableCallError):
        derive(
            "Query",
            TableName="data",
            KeyConditionExpression=condition,
            ExpressionAttributeValues={":own": {"S": "T#t1#a"}},
        )


def test_a_batch_names_all_its_partitions_at_once() -> None:
    (read,) = derive("BatchGetItem", RequestItems={"data": {"Keys": [KEY, OTHER]}})
    (write,) = derive(
        "BatchWriteItem",
        RequestItems={"data": [{"PutRequest": {"Item": KEY}}, {"DeleteRequest": {"Key": OTHER}}]},
    )

    assert read == Access("BatchGetItem", "data", None, ("T#t1#a", "T#t2#b"))
    assert write == Access("BatchWriteItem", "data", None, ("T#t1#a", "T#t2#b"), (("pk", "T#t1#a"),))


def test_a_transaction_needs_what_each_member_would_need_alone() -> None:
    found = derive(
        "TransactWriteItems",
        TransactItems=[
            {"Put": {"TableName": "data", "Item": KEY}},
            {"Update": {"TableName": "data", "Key": KEY, "UpdateExpression": "REMOVE title"}},
            {"Delete": {"TableName": "data", "Key": OTHER}},
            {"ConditionCheck": {"TableName": "data", "Key": OTHER, "ConditionExpression": "x"}},
        ],
    )
    reads = derive("TransactGetItems", TransactItems=[{"Get": {"TableName": "data", "Key": KEY}}])

    assert [(each.action, each.leading_keys) for each in found] == [
        ("PutItem", ("T#t1#a",)),
        ("UpdateItem", ("T#t1#a",)),
        ("DeleteItem", ("T#t2#b",)),
        ("ConditionCheckItem", ("T#t2#b",)),
    ]
    assert reads == (Access("GetItem", "data", None, ("T#t1#a",)),)


def test_a_scan_names_no_partition() -> None:
    assert derive("Scan", TableName="data", IndexName="agenda") == (Access("Scan", "data", "agenda"),)


@pytest.mark.parametrize(
    ("operation", "params", "actions"),
    [
        ("ExecuteStatement", {"Statement": "select * from data"}, ["PartiQLSelect"]),
        (
            "BatchExecuteStatement",
            {
                "Statements": [
                    {"Statement": "INSERT INTO data VALUE {}"},
                    {"Statement": "UPDATE data SET a=1"},
                ]
            },
            ["PartiQLInsert", "PartiQLUpdate"],
        ),
        (
            "ExecuteTransaction",
            {"TransactStatements": [{"Statement": "Delete FROM data"}]},
            ["PartiQLDelete"],
        ),
    ],
)
def test_partiql_has_actions_of_its_own(operation: str, params: dict[str, Any], actions: list[str]) -> None:
    assert derive(operation, **params) == tuple(Access(action, "data") for action in actions)


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("ExportTableToPointInTime", {"TableArn": "arn"}),
        ("ListTables", {}),
        ("TransactEverything", {"TableName": "data"}),
        ("GetItem", {"TableName": "elsewhere", "Key": KEY}),
        ("GetItem", {"TableName": "arn:aws:dynamodb:us-east-1:123456789012:table/data", "Key": KEY}),
        ("GetItem", {"TableName": "data", "Key": {"pk": {"N": "1"}}}),
        ("GetItem", {"TableName": "data", "Key": {"sk": {"S": "x"}}}),
        ("GetItem", {"TableName": "data", "Key": {"pk": {"S": "T#t1#a", "N": "1"}}}),
        ("GetItem", {"TableName": "data", "Key": None}),
        ("TransactGetItems", {"TransactItems": [{}]}),
        ("UpdateItem", {"TableName": "data", "Key": KEY, "AttributeUpdates": {}}),
        ("UpdateItem", {"TableName": "data", "Key": KEY, "UpdateExpression": "SET project = :absent"}),
        ("UpdateItem", {"TableName": "data", "Key": KEY, "UpdateExpression": "SET a = 'text'"}),
        ("BatchGetItem", {"RequestItems": {}}),
        ("TransactWriteItems", {"TransactItems": [{"Upsert": {"TableName": "data", "Key": KEY}}]}),
        ("Query", {"TableName": "data", "KeyConditions": {}}),
        ("Query", {"TableName": "data", "KeyConditionExpression": "pk = :v", "IndexName": "agenda"}),
        ("Query", {"TableName": "data", "KeyConditionExpression": "pk = :v", "IndexName": "absent"}),
        ("ExecuteStatement", {"Statement": ""}),
    ],
)
def test_what_cannot_be_read_is_an_error_never_nothing(operation: str, params: dict[str, Any]) -> None:
    with pytest.raises(UnreadableCallError):
        accesses(operation, params, SCHEMAS)
