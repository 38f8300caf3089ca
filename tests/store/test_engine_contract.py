"""Which writes and batches the store relies on, asked of the engine that the suite runs on."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from graphql_api.store.schema import Index
from tests.store.engine_table import Table, key, open_table, wire


def error(failure: pytest.ExceptionInfo[ClientError]) -> str:
    return failure.value.response.get("Error", {}).get("Code", "")


@pytest.fixture
async def table(engine_endpoint: str) -> AsyncIterator[Table]:
    async with open_table(engine_endpoint) as opened:
        yield opened


async def test_a_failed_condition_answers_with_the_item_as_it_is(table: Table):
    await table.put("task", version=1, title="old", note="x")
    update: dict[str, Any] = {
        "ConditionExpression": "#v = :seen",
        "ExpressionAttributeNames": {"#v": "version", "#t": "title", "#n": "note"},
        "ExpressionAttributeValues": {":seen": wire(1), ":next": wire(2), ":t": wire("é 😀")},
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    updated = await table.update("task", "SET #v = :next, #t = :t REMOVE #n", **update)
    assert updated == key("task") | {"version": wire(2), "title": wire("é 😀")}
    with pytest.raises(ClientError) as failure:
        await table.update("task", "SET #v = :next, #t = :t REMOVE #n", **update)
    assert error(failure) == "ConditionalCheckFailedException"
    assert failure.value.response.get("Item") == updated


async def test_a_failed_condition_on_an_absent_item_answers_without_one(table: Table):
    with pytest.raises(ClientError) as failure:
        await table.update(
            "nobody",
            "SET title = :t",
            ConditionExpression="attribute_exists(pk)",
            ExpressionAttributeValues={":t": wire("x")},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert error(failure) == "ConditionalCheckFailedException"
    assert "Item" not in failure.value.response
    assert await table.get("nobody") is None


def put_new(table: Table, pk: str) -> dict[str, Any]:
    return {
        "Put": {
            "TableName": table.name,
            "Item": key(pk),
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def count_up(table: Table, pk: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": table.name,
            "Key": key(pk),
            "UpdateExpression": "ADD #n :one",
            "ExpressionAttributeNames": {"#n": "counter"},
            "ExpressionAttributeValues": {":one": wire(1)},
        }
    }


def needs(table: Table, pk: str) -> dict[str, Any]:
    return {
        "ConditionCheck": {
            "TableName": table.name,
            "Key": key(pk),
            "ConditionExpression": "attribute_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


async def test_a_transaction_takes_a_hundred_actions_and_no_more(table: Table):
    await table.put("there")
    await table.put("leaving")
    actions = [
        needs(table, "there"),
        {"Delete": {"TableName": table.name, "Key": key("leaving")}},
        *[count_up(table, f"counter{number}") for number in range(48)],
        *[put_new(table, f"task{number}") for number in range(50)],
    ]
    with pytest.raises(ClientError) as failure:
        await table.client.transact_write_items(TransactItems=[*actions, put_new(table, "too many")])
    assert error(failure) == "ValidationException"
    await table.client.transact_write_items(TransactItems=actions)
    assert await table.get("leaving") is None
    assert await table.get("task49") == key("task49")
    assert await table.get("counter47") == key("counter47") | {"counter": wire(1)}


async def test_a_cancelled_transaction_gives_a_reason_per_action_and_changes_nothing(table: Table):
    await table.put("taken", title="mine")
    with pytest.raises(ClientError) as failure:
        await table.client.transact_write_items(
            TransactItems=[put_new(table, "taken"), count_up(table, "counter"), needs(table, "nobody")]
        )
    assert error(failure) == "TransactionCanceledException"
    reasons: Any = failure.value.response.get("CancellationReasons")
    assert [reason["Code"] for reason in reasons] == [
        "ConditionalCheckFailed",
        "None",
        "ConditionalCheckFailed",
    ]
    assert reasons[0]["Item"] == key("taken") | {"title": wire("mine")}
    assert "Item" not in reasons[2]
    assert await table.get("counter") is None


async def test_a_repeated_token_has_one_effect_and_refuses_other_input(table: Table):
    token = str(uuid.uuid4())
    for _ in range(3):
        await table.client.transact_write_items(
            TransactItems=[count_up(table, "counter")], ClientRequestToken=token
        )
    assert await table.get("counter") == key("counter") | {"counter": wire(1)}
    with pytest.raises(ClientError) as failure:
        await table.client.transact_write_items(
            TransactItems=[count_up(table, "other")], ClientRequestToken=token
        )
    assert error(failure) == "IdempotentParameterMismatchException"


async def test_an_item_stands_in_an_index_exactly_while_it_has_both_its_keys(table: Table):
    await table.put("placed", project_pk="p", position_sk="1")
    await table.put("dated", project_pk="p", agenda_sk="1")
    await table.put("assigned", project_pk="p", assignee_pk="u", agenda_sk="2", status_sk="1")
    await table.put("adrift", agenda_sk="3", position_sk="3")
    assert await table.members(Index.BY_POSITION, "p") == ["placed"]
    assert await table.members(Index.BY_STATUS, "p") == ["assigned"]
    assert await table.members(Index.PROJECT_AGENDA, "p") == ["dated", "assigned"]
    assert await table.members(Index.ASSIGNEE_AGENDA, "u") == ["assigned"]
    assert await table.members(Index.LISTING, "p") == []
    await table.update("assigned", "REMOVE #p", ExpressionAttributeNames={"#p": "project_pk"})
    assert await table.members(Index.BY_STATUS, "p") == []
    assert await table.members(Index.PROJECT_AGENDA, "p") == ["dated"]
    assert await table.members(Index.ASSIGNEE_AGENDA, "u") == ["assigned"]


@pytest.mark.parametrize(
    ("expression", "values", "left"),
    [
        ("SET #l = list_append(:new, #l)", {":new": ["c"]}, ["c", "a", "b"]),
        (
            "SET #l = list_append(if_not_exists(#l, :none), :new)",
            {":new": ["c"], ":none": []},
            ["a", "b", "c"],
        ),
        ("SET #l = :new", {":new": []}, []),
        ("REMOVE #l[0]", {}, ["b"]),
        ("REMOVE #l[10]", {}, ["a", "b"]),
    ],
)
async def test_a_list_attribute_can_be_edited_in_place(
    table: Table, expression: str, values: dict[str, list[str]], left: list[str]
):
    await table.put("task", recent=["a", "b"])
    bound = {name: wire(value) for name, value in values.items()}
    options = {"ExpressionAttributeValues": bound} if bound else {}
    updated = await table.update("task", expression, ExpressionAttributeNames={"#l": "recent"}, **options)
    assert updated["recent"] == wire(left)


async def test_a_map_entry_is_set_only_inside_a_map_that_exists(table: Table):
    await table.client.put_item(TableName=table.name, Item=key("task") | {"seen": {"M": {"a": wire(1)}}})
    options: dict[str, Any] = {"ExpressionAttributeValues": {":x": wire(2)}}
    updated = await table.update(
        "task", "SET #m.#k = :x", ExpressionAttributeNames={"#m": "seen", "#k": "b.c"}, **options
    )
    assert updated["seen"] == {"M": {"a": wire(1), "b.c": wire(2)}}
    with pytest.raises(ClientError) as failure:
        await table.update(
            "task", "SET #m.#k = :x", ExpressionAttributeNames={"#m": "absent", "#k": "b"}, **options
        )
    assert error(failure) == "ValidationException"


async def test_a_batch_takes_a_hundred_distinct_keys_and_leaves_out_what_is_absent(table: Table):
    wanted = [key(f"task{number}") for number in range(10)]
    for number in range(10):
        await table.put(f"task{number}", title="x")
    keys = [*wanted, *[key(f"nobody{number}") for number in range(100 - len(wanted))]]
    request = {"Keys": keys, "ConsistentRead": True, "ProjectionExpression": "pk, sk"}
    answer = await table.client.batch_get_item(RequestItems={table.name: request})
    found = answer["Responses"][table.name]
    assert sorted(found, key=lambda item: item["pk"]["S"]) == wanted
    assert answer["UnprocessedKeys"] == {}
    for refused in ([*keys, key("one more")], [keys[0], keys[0]]):
        with pytest.raises(ClientError) as failure:
            await table.client.batch_get_item(RequestItems={table.name: {"Keys": refused}})
        assert error(failure) == "ValidationException"


async def test_an_index_key_is_removed_and_never_emptied(table: Table):
    with pytest.raises(ClientError) as failure:
        await table.put("task", project_pk="p", position_sk="")
    assert error(failure) == "ValidationException"
