"""Where a Query may start and in which order it answers, asked of the engine that the suite runs on."""

from collections.abc import AsyncIterator, Sequence

import pytest

from graphql_api.store.schema import Index
from tests.store.engine_table import Table, key, open_table

INDEX = Index.BY_POSITION
PROJECT = "T#acme#project"
POSITIONS = [f"{number:03}" for number in range(0, 40, 2)]
RANGES: dict[str, tuple[str, list[str]]] = {
    "all": ("", []),
    "between": ("BETWEEN", ["008", "030"]),
    "begins_with": ("begins_with", ["01"]),
    "less": ("<", ["030"]),
    "at least": (">=", ["008"]),
}


@pytest.fixture
async def table(engine_endpoint: str) -> AsyncIterator[Table]:
    async with open_table(engine_endpoint) as opened:
        yield opened


async def page(
    table: Table, kind: str, start: dict[str, str] | None = None, *, forward: bool = True, limit: int = 100
) -> tuple[list[str], bool]:
    operator, bounds = RANGES[kind]
    names = {"#p": INDEX.value.partition}
    condition = "#p = :p"
    if operator:
        names["#s"] = INDEX.value.sort
        condition += {
            "BETWEEN": " AND #s BETWEEN :b0 AND :b1",
            "begins_with": " AND begins_with(#s, :b0)",
        }.get(operator, f" AND #s {operator} :b0")
    values = {":p": PROJECT} | {f":b{number}": bound for number, bound in enumerate(bounds)}
    answer = await table.client.query(
        TableName=table.name,
        IndexName=INDEX.index_name,
        KeyConditionExpression=condition,
        ExpressionAttributeNames=names,
        ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
        ScanIndexForward=forward,
        Limit=limit,
        **({"ExclusiveStartKey": {name: {"S": value} for name, value in start.items()}} if start else {}),
    )
    return [item["position_sk"]["S"] for item in answer["Items"]], "LastEvaluatedKey" in answer


def start_at(position: str, pk: str = "nobody") -> dict[str, str]:
    return {"pk": pk, "sk": "item", "project_pk": PROJECT, "position_sk": position}


def expected(kind: str, position: str, *, forward: bool) -> list[str]:
    operator, bounds = RANGES[kind]
    holds = {
        "": lambda one: one in POSITIONS,
        "BETWEEN": lambda one: bounds[0] <= one <= bounds[1],
        "begins_with": lambda one: one.startswith(bounds[0]),
        "<": lambda one: one < bounds[0],
        ">=": lambda one: one >= bounds[0],
    }[operator]
    rest = [one for one in POSITIONS if holds(one) and (one > position if forward else one < position)]
    return rest if forward else rest[::-1]


async def fill(table: Table, positions: Sequence[str] = POSITIONS) -> None:
    for position in positions:
        await table.put(f"task{position}", project_pk=PROJECT, position_sk=position)


@pytest.mark.parametrize("forward", [True, False], ids=["ascending", "descending"])
@pytest.mark.parametrize("kind", RANGES)
async def test_a_page_starts_at_a_position_that_no_item_has(table: Table, kind: str, forward: bool):
    await fill(table)
    answer, _ = await page(table, kind, start_at("017"), forward=forward)
    assert answer == expected(kind, "017", forward=forward)


@pytest.mark.parametrize("forward", [True, False], ids=["ascending", "descending"])
async def test_a_page_starts_after_an_item_that_was_deleted_meanwhile(table: Table, forward: bool):
    await fill(table)
    await table.client.delete_item(TableName=table.name, Key=key("task016"))
    answer, _ = await page(table, "all", start_at("016", "task016"), forward=forward)
    assert answer == expected("all", "016", forward=forward)


async def test_a_page_starts_after_the_item_itself_when_its_whole_key_is_given(table: Table):
    await fill(table)
    answer, _ = await page(table, "all", start_at("016", "task016"), limit=2)
    assert answer == ["018", "020"]


async def test_a_page_that_ends_with_the_list_still_names_a_next_key(table: Table):
    await fill(table, POSITIONS[:3])
    assert await page(table, "all", limit=3) == (POSITIONS[:3], True)
    assert await page(table, "all", limit=4) == (POSITIONS[:3], False)


async def test_sort_keys_are_ordered_by_their_utf8_bytes(table: Table):
    keys = ["a", "a!", "a#", "a\x7f", "aé", "a\ue000", "a\uffff", "a\U0001f600", "b"]
    await fill(table, keys[::-1])
    assert await page(table, "all") == (keys, False)
