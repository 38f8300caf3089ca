"""A task's comment count and latest comments, kept beside the comments themselves, never drift from them."""

import asyncio
from random import Random
from typing import Any

from tests.reliability.network import Network
from tests.reliability.scene import Scene, set_scene
from tests.reliability.seeds import chance, naming, seeds
from tests.reliability.weather import Weather
from tests.world import World

COMMENTS = """query ($id: ID!, $first: Int, $after: String) { task(id: $id) { commentCount
    comments(first: $first, after: $after) {
        edges { cursor node { id body } } pageInfo { hasNextPage } } } }"""
ADD = """mutation ($input: AddCommentInput!) { result: addComment(input: $input) {
    __typename ... on AddCommentPayload { comment { id body } } } }"""
DELETE = """mutation ($input: DeleteCommentInput!) { result: deleteComment(input: $input) {
    __typename ... on DeleteCommentPayload { comment { id } } } }"""
WRITERS, WRITES = 3, 6


async def insist(scene: Scene, query: str, key: str, **payload: Any) -> Any:
    """What a client does whose request failed: send it again under the same key, until it is answered."""
    for _ in range(100):
        answer = await scene.caller().execute(query, input=payload | {"idempotencyKey": key})
        if not answer.errors:
            result = answer.data["result"]
            assert result["__typename"].endswith("Payload"), result
            return result["comment"]
        assert answer.codes == ["DEADLINE_EXCEEDED"]
    raise AssertionError("never answered")


async def writer(scene: Scene, dice: Random, name: str) -> dict[str, str]:
    """The comments somebody has left, body by id, after adding some and deleting some of them again."""
    left: dict[str, str] = {}
    for number in range(WRITES):
        key = f"{name} {number}"
        if left and dice.random() < 0.4:
            gone = dice.choice(sorted(left))
            await insist(scene, DELETE, key, id=gone)
            del left[gone]
        else:
            comment = await insist(scene, ADD, key, taskId=scene.task, body=key)
            left[comment["id"]] = comment["body"]
    return left


async def test_counts_and_latest_comments_are_those_of_the_list_whatever_the_weather(
    world: World, network: Network
):
    for seed in seeds(share=0.05):
        dice, scene = chance(seed), await set_scene(world)
        with naming(seed):
            network.accident = Weather(dice, dice.choice([0.05, 0.2, 0.4]))
            writers = (writer(scene, dice, f"writer {number}") for number in range(WRITERS))
            left = {uid: body for each in await asyncio.gather(*writers) for uid, body in each.items()}
            network.script()
            whole = (await scene.caller().data(COMMENTS, id=scene.task, first=50))["task"]
            nodes = [edge["node"] for edge in whole["comments"]["edges"]]
            assert {node["id"]: node["body"] for node in nodes[: -len(FIRST)]} == left
            assert [node["body"] for node in nodes[-len(FIRST) :]] == FIRST
            assert whole["commentCount"] == len(nodes)
            await latest_are_the_first_of_the_list(scene, nodes)


FIRST = ["second", "first"]  # the scene's own, older than all others


async def latest_are_the_first_of_the_list(scene: Scene, nodes: list[dict[str, str]]) -> None:
    """The few that the task itself knows, and the list behind them."""
    known = (await scene.caller().data(COMMENTS, id=scene.task, first=2))["task"]["comments"]
    assert [edge["node"] for edge in known["edges"]] == nodes[:2]
    assert known["pageInfo"]["hasNextPage"] == (len(nodes) > 2)
    rest = await scene.caller().data(COMMENTS, id=scene.task, first=50, after=known["edges"][-1]["cursor"])
    assert [edge["node"] for edge in rest["task"]["comments"]["edges"]] == nodes[2:]
