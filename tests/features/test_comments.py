import asyncio
from typing import Any

import pytest

from graphql_api.auth.identity import Role
from graphql_api.features.comments import Comment
from graphql_api.features.tasks.task import RECENT_COMMENTS, Task
from tests.features.builders import (
    COMMENTS,
    a_comment,
    a_project,
    a_task,
    before,
    connection_of,
    done,
    every,
    outcome,
    refusal,
    seen,
    stored,
)
from tests.world import World


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


async def bodies(world: World, task: str, first: int = 100) -> list[str]:
    """What a task's comments say, page by page."""
    return [comment["body"] for comment in await every(world, COMMENTS, first, task=task)]


async def counted(world: World, task: str) -> int:
    return (await seen(world, task, "commentCount"))["commentCount"]


async def some_comments(world: World, task: str, count: int) -> list[str]:
    """The ids of comments that say their own number, made one after the other."""
    return [await a_comment(world, task, str(number)) for number in range(count)]


async def test_a_comment_shows_its_author_and_its_task(world: World) -> None:
    task = await a_task(world)
    member = world.as_("acme", Role.MEMBER)
    comment = await a_comment(member, task, "  Done?\n\tYes. ")
    data = await world.data(
        """query ($id: ID!) { node(id: $id) { ... on Comment {
            body version author { name } task { id title } } } }""",
        id=comment,
    )

    assert data["node"] == {
        "body": "Done?\n\tYes.",
        "version": 1,
        "author": {"name": "Acme Member"},
        "task": {"id": task, "title": "Weld"},
    }


@pytest.mark.parametrize("body", ["", " \n ", "x" * 10_001, "bell\x07", "\u2066turned"])
async def test_a_body_out_of_its_bounds_is_refused(world: World, body: str) -> None:
    task = await a_task(world)
    comment = await a_comment(world, task)

    for mutation, selection, payload in (
        ("addComment", "comment { id }", {"taskId": task}),
        ("updateComment", "comment { id }", {"id": comment}),
    ):
        answer = await outcome(world, mutation, selection, body=body, **payload)
        assert (answer["code"], answer["field"]) == ("BAD_USER_INPUT", "body")
    assert await counted(world, task) == 1


@pytest.mark.parametrize("count", [1, 9, 10, 11, 25])
async def test_comments_come_latest_first_whatever_their_number(world: World, count: int) -> None:
    task = await a_task(world)
    await some_comments(world, task, count)
    latest_first = [str(number) for number in reversed(range(count))]

    assert await counted(world, task) == count
    for first in (1, 3, 10, 100):
        assert await bodies(world, task, first) == latest_first


async def test_a_task_keeps_its_ten_latest_comments_by_itself(world: World) -> None:
    task = await a_task(world)
    await some_comments(world, task, 13)
    item = await stored(world, Task, task)

    assert len(item["recent_comments"]["L"]) == RECENT_COMMENTS == 10
    assert item["comment_count"] == {"N": "13"}


async def test_the_same_rows_and_cursors_come_from_the_task_and_from_the_list(world: World) -> None:
    task = await a_task(world)
    await some_comments(world, task, 12)
    listed = connection_of(await world.data(COMMENTS, task=task, first=11))["edges"]
    for first in (1, 5, 10):
        page = connection_of(await world.data(COMMENTS, task=task, first=first))
        assert page["edges"] == listed[:first]
        assert page["pageInfo"]["hasNextPage"] is True


@pytest.mark.parametrize("place", [0, 4, 9, 10, 12])
async def test_a_deleted_comment_is_nowhere_and_the_rest_stays_in_order(world: World, place: int) -> None:
    task = await a_task(world)
    comments = await some_comments(world, task, 13)
    latest_first = [str(number) for number in reversed(range(13))]
    gone = latest_first.pop(place)
    deleted = await done(world, "deleteComment", "comment { body version }", id=comments[int(gone)])

    assert deleted == {"body": gone, "version": 2}
    assert await counted(world, task) == 12
    for first in (1, 9, 10, 100):
        assert await bodies(world, task, first) == latest_first
    answer = await world.execute("query ($id: ID!) { node(id: $id) { id } }", id=comments[int(gone)])
    assert answer.codes == ["NOT_FOUND"]


async def test_comments_go_on_after_all_the_latest_ones_are_deleted(world: World) -> None:
    task = await a_task(world)
    comments = await some_comments(world, task, 12)
    for comment in comments[2:]:
        await done(world, "deleteComment", "comment { id }", id=comment)
    assert await bodies(world, task, 1) == await bodies(world, task, 5) == ["1", "0"]
    await a_comment(world, task, "new")

    for first in (1, 2, 3, 10):
        assert await bodies(world, task, first) == ["new", "1", "0"]
    assert await counted(world, task) == 3


async def test_twenty_comments_at_once_are_all_kept_and_counted(world: World) -> None:
    task = await a_task(world)
    comments = await asyncio.gather(*(a_comment(world, task, str(number)) for number in range(20)))

    assert len(set(comments)) == 20
    assert await counted(world, task) == 20
    order = await bodies(world, task)
    assert sorted(order, key=int) == [str(number) for number in range(20)]
    for first in (1, 7, 10):
        assert await bodies(world, task, first) == order


async def test_comments_added_and_deleted_at_once_are_counted_right(world: World) -> None:
    task = await a_task(world)
    comments = await some_comments(world, task, 6)
    await asyncio.gather(
        *(done(world, "deleteComment", "comment { id }", id=comment) for comment in comments[:4]),
        *(a_comment(world, task, f"new {number}") for number in range(6)),
    )

    assert await counted(world, task) == 8
    order = await bodies(world, task)
    assert order[-2:] == ["5", "4"]
    assert await bodies(world, task, 3) == order


async def test_a_comment_deleted_by_many_at_once_is_counted_once(world: World) -> None:
    task = await a_task(world)
    comment, _ = await some_comments(world, task, 2)
    answers = await asyncio.gather(
        *(outcome(world, "deleteComment", "comment { id }", id=comment) for _ in range(6))
    )

    assert [answer["__typename"] for answer in answers].count("DeleteCommentPayload") == 1
    assert await counted(world, task) == 1


@pytest.mark.parametrize(("added", "deleted"), [(2, 0), (11, 0), (12, 5), (12, 12)])
async def test_a_comment_that_others_overtook_takes_its_place_behind_them(
    world: World, added: int, deleted: int
) -> None:
    task = await a_task(world)

    async def meanwhile() -> None:
        comments = await some_comments(world, task, added)
        for comment in comments[added - deleted :]:
            await done(world, "deleteComment", "comment { id }", id=comment)

    with before(world, "TransactWriteItems", 0, meanwhile):
        await a_comment(world, task, "overtaken")

    latest_first = [*map(str, reversed(range(added - deleted))), "overtaken"]
    assert await counted(world, task) == len(latest_first)
    for first in (1, 6, 10, 100):
        assert await bodies(world, task, first) == latest_first


async def test_a_deletion_takes_effect_on_a_comment_that_changes_meanwhile(world: World) -> None:
    task = await a_task(world)
    comment, minded = await some_comments(world, task, 2)

    async def meanwhile() -> None:
        for changed in (comment, minded):
            await done(world, "updateComment", "comment { id }", id=changed, body="No")

    with before(world, "TransactWriteItems", 0, meanwhile):
        deleted = await done(world, "deleteComment", "comment { body version }", id=comment)
    assert deleted == {"body": "No", "version": 3}
    assert await refusal(world, "deleteComment", id=minded, expectedVersion=1) == "CONFLICT"
    assert await bodies(world, task) == ["No"]
    assert await counted(world, task) == 1


async def test_a_comment_is_no_new_version_of_its_task(world: World) -> None:
    task = await a_task(world)
    before = await seen(world, task, "version updatedAt")
    comments = await some_comments(world, task, 2)
    await done(world, "updateComment", "comment { id }", id=comments[0], body="No")
    await done(world, "deleteComment", "comment { id }", id=comments[1])

    assert await seen(world, task, "version updatedAt") == before
    await done(world, "updateTask", "task { id }", id=task, title="x", expectedVersion=1)


async def test_comments_and_updates_of_a_task_at_once_lose_nothing(world: World) -> None:
    task = await a_task(world)
    await asyncio.gather(
        *(a_comment(world, task, str(number)) for number in range(8)),
        *(done(world, "updateTask", "task { id }", id=task, title=f"t{number}") for number in range(8)),
    )

    assert await seen(world, task, "version commentCount") == {"version": 9, "commentCount": 8}
    assert len(await bodies(world, task)) == 8


async def test_an_update_changes_the_words_and_nothing_else(world: World) -> None:
    task = await a_task(world)
    comments = await some_comments(world, task, 3)
    changed = await done(world, "updateComment", "comment { body version }", id=comments[1], body="No")

    assert changed == {"body": "No", "version": 2}
    assert await bodies(world, task) == ["2", "No", "0"]
    assert await counted(world, task) == 3


@pytest.mark.parametrize(
    ("author", "role", "allowed"),
    [
        (Role.MEMBER, Role.MEMBER, True),
        (Role.ADMIN, Role.MEMBER, False),
        (Role.MEMBER, Role.MANAGER, True),
        (Role.MEMBER, Role.ADMIN, True),
        (Role.MEMBER, Role.VIEWER, False),
    ],
)
@pytest.mark.parametrize(("mutation", "words"), [("updateComment", {"body": "No"}), ("deleteComment", {})])
async def test_a_comment_is_changed_by_its_author_or_a_manager(
    world: World, mutation: str, words: dict[str, str], author: Role, role: Role, allowed: bool
) -> None:
    task = await a_task(world)
    comment = await a_comment(world.as_("acme", author), task)
    answer = await outcome(world.as_("acme", role), mutation, "comment { id }", id=comment, **words)

    assert answer.get("code") == (None if allowed else "FORBIDDEN")
    left = {"updateComment": ["No"], "deleteComment": []}[mutation] if allowed else ["Done?"]
    assert await bodies(world, task) == left


async def test_a_viewer_reads_comments_and_adds_none(world: World) -> None:
    task, viewer = await a_task(world), world.as_("acme", Role.VIEWER)
    await a_comment(world, task)

    assert await bodies(viewer, task) == ["Done?"]
    assert await refusal(viewer, "addComment", taskId=task, body="x") == "FORBIDDEN"


async def test_another_tenant_neither_reads_nor_changes_a_comment(world: World) -> None:
    task = await a_task(world)
    comment = await a_comment(world, task)
    globex = world.as_("globex", Role.ADMIN)

    assert await refusal(globex, "addComment", taskId=task, body="x") == "NOT_FOUND"
    assert await refusal(globex, "updateComment", id=comment, body="x") == "NOT_FOUND"
    assert await refusal(globex, "deleteComment", id=comment) == "NOT_FOUND"
    answer = await globex.execute("query ($id: ID!) { node(id: $id) { id } }", id=comment)
    assert (answer.data, answer.codes) == ({"node": None}, ["NOT_FOUND"])
    assert await counted(world, task) == 1


@pytest.mark.parametrize("mutation", ["addComment", "updateComment", "deleteComment"])
async def test_an_id_of_something_else_is_not_found(world: World, mutation: str) -> None:
    task = await a_task(world)
    comment = await a_comment(world, task)
    payload: dict[str, Any] = {
        "addComment": {"taskId": comment, "body": "x"},
        "updateComment": {"id": task, "body": "x"},
        "deleteComment": {"id": task},
    }[mutation]

    assert await refusal(world, mutation, **payload) == "NOT_FOUND"


async def test_a_deleted_comment_expires_and_takes_no_writes(world: World) -> None:
    comment = await a_comment(world, await a_task(world))
    await done(world, "deleteComment", "comment { id }", id=comment)

    assert "expires_at" in await stored(world, Comment, comment)
    assert await refusal(world, "updateComment", id=comment, body="x") == "NOT_FOUND"
    assert await refusal(world, "deleteComment", id=comment) == "NOT_FOUND"


async def test_comments_of_many_tasks_come_each_with_its_own(world: World) -> None:
    project = await a_project(world)
    tasks = [await a_task(world, project, title) for title in "abc"]
    for number, task in enumerate(tasks):
        await some_comments(world, task, 2 * number)
    cards = "edges { node { title comments(first: 3) { edges { node { body } } } } }"
    data = await world.data(
        f"query ($id: ID!) {{ tasks(filter: {{projectId: $id}}) {{ {cards} }} }}", id=project
    )

    shown = {
        edge["node"]["title"]: [row["node"]["body"] for row in edge["node"]["comments"]["edges"]]
        for edge in data["tasks"]["edges"]
    }
    assert shown == {"a": [], "b": ["1", "0"], "c": ["3", "2", "1"]}
