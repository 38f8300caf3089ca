"""What a stream record tells, and what it does not."""

import copy
import dataclasses
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphql_api.auth.identity import Role
from graphql_api.changes.change import Change, ChangeAction, MalformedRecordError, change_of
from graphql_api.features.projects import Project
from graphql_api.features.tasks.task import RecentComment, Task
from graphql_api.features.tenants import TenantRegistration, TenantStatus
from graphql_api.features.users import EmailAddress, User
from graphql_api.store.codec import Item
from graphql_api.store.entity import Entity, stored_attributes, to_item
from graphql_api.store.idempotency import mark
from graphql_api.store.keys import PLATFORM
from graphql_api.store.writes import key_attributes
from tests.changes.records import ACME, SEEN, WRITTEN, a_task, record_of, stored, told

CREATED, UPDATED, DELETED = ChangeAction
LATER = WRITTEN.replace(hour=13)


def later(task: Task, **changes: Any) -> Task:
    """The task's next version, by bob."""
    stamp = {"updated_at": LATER, "updated_by_uid": "bob", "request_id": "request-2"}
    return dataclasses.replace(task, version=task.version + 1, **{**stamp, **changes})


def entity(cls: type[Any], uid: str, **attributes: Any) -> Any:
    task = a_task()
    stamp = {name: getattr(task, name) for name in ("created_by_uid", "updated_by_uid", "request_id")}
    return cls(uid=uid, created_at=WRITTEN, updated_at=WRITTEN, **stamp, **attributes)


def whose(change: Change) -> tuple[str | None, str | None, datetime]:
    return change.actor_uid, change.request_id, change.at


def test_a_new_task_is_created_for_all_who_can_hear_of_it() -> None:
    task = a_task(assignee_uid="eve")
    change = told(None, task)

    assert (change.kind, change.uid, change.version, change.action) == ("TASK", "weld", 1, CREATED)
    assert change.topics == {
        ("TASKS",): CREATED,
        ("TASK", "weld"): CREATED,
        ("PROJECT", "site", "TASKS"): CREATED,
        ("USER", "eve", "TASKS"): CREATED,
    }
    assert whose(change) == ("ada", "request-1", WRITTEN)
    assert (change.before, change.after) == (None, stored_attributes(stored(task)))
    assert change.entity == task


def test_an_image_holds_no_keys_and_no_expiry() -> None:
    task = a_task(assignee_uid="eve", due_on=date(2030, 6, 1), deleted_at=WRITTEN)
    change = told(None, task)

    assert change.after is not None
    assert set(change.after) == {
        *("uid", "created_by_uid", "updated_by_uid", "request_id", "created_at", "updated_at", "version"),
        *("deleted_at", "project_uid", "assignee_uid", "title", "status", "priority", "due_on", "position"),
        *("comment_count", "recent_comments", "comments_version"),
    }


def test_a_task_that_changes_hands_leaves_one_list_and_enters_another() -> None:
    task = a_task(assignee_uid="eve")
    change = told(task, later(task, assignee_uid="joe"))

    assert (change.action, change.version) == (UPDATED, 2)
    assert change.topics[("USER", "eve", "TASKS")] is DELETED
    assert change.topics[("USER", "joe", "TASKS")] is CREATED
    assert change.topics[("PROJECT", "site", "TASKS")] is UPDATED
    assert whose(change) == ("bob", "request-2", LATER)


def test_a_deletion_is_one_though_the_item_stays_and_a_restoration_a_creation() -> None:
    task = a_task()
    gone = later(task, deleted_at=LATER)
    deletion, restoration = told(task, gone), told(gone, later(gone, deleted_at=None))

    assert (deletion.action, deletion.version) == (DELETED, 2)
    assert set(deletion.topics.values()) == {DELETED}
    assert deletion.entity == gone
    assert whose(deletion) == ("bob", "request-2", LATER)
    assert (restoration.action, restoration.version) == (CREATED, 3)
    assert set(restoration.topics.values()) == {CREATED}
    assert deletion.topics.keys() == restoration.topics.keys()


def test_a_write_of_what_is_deleted_reaches_nobody() -> None:
    gone = a_task(deleted_at=WRITTEN)
    change = told(gone, later(gone, title="x"))

    assert (change.action, dict(change.topics)) == (DELETED, {})


def test_an_item_that_is_taken_away_is_deleted_by_nobody_known() -> None:
    task = a_task()
    change = told(task, None)

    assert (change.action, change.after, change.entity) == (DELETED, None, task)
    assert set(change.topics.values()) == {DELETED}
    assert whose(change) == (None, None, SEEN)


@pytest.mark.parametrize("deleted_at", [WRITTEN, None])
def test_what_ttl_sweeps_up_is_no_change(deleted_at: datetime | None) -> None:
    record = record_of(stored(a_task(deleted_at=deleted_at)), None)
    identity = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}

    assert change_of(record) is not None
    assert change_of({**record, "userIdentity": identity}) is None
    assert change_of({**record, "userIdentity": identity | {"principalId": "somebody"}}) is not None


def test_a_write_past_the_api_has_no_author() -> None:
    task = a_task()
    change = told(task, stored(task) | {"title": {"S": "By hand"}})

    assert (change.action, change.version, change.entity.title) == (UPDATED, 1, "By hand")
    assert whose(change) == (None, None, SEEN)


def test_a_task_hears_of_its_comments_by_their_author_and_with_no_new_version() -> None:
    task = a_task()
    counted = dataclasses.replace(
        task,
        comment_count=1,
        comments_version=1,
        recent_comments=[RecentComment("c", "bob")],
        updated_by_uid="bob",
        request_id="request-2",
    )

    change = told(task, counted)
    assert (change.action, change.version) == (UPDATED, 1)
    assert whose(change) == ("bob", "request-2", SEEN)


def test_attributes_that_nobody_knows_are_kept() -> None:
    task = a_task()
    change = told(task, stored(task) | {"colour": {"S": "red"}})

    assert change.after is not None
    assert change.after["colour"] == {"S": "red"}
    assert change.entity == task


@pytest.mark.parametrize("attribute", ["expires_at", "agenda_sk", "listing_pk", None])
def test_a_write_that_moves_keys_alone_is_no_change(attribute: str | None) -> None:
    item = stored(a_task())
    other = {} if attribute is None else {attribute: {"S": "elsewhere"}}

    assert change_of(record_of(item, item | other)) is None


def test_bookkeeping_is_no_change() -> None:
    marked = mark(ACME, "ada", "createTask", "once", {}, WRITTEN)
    (whole,), (part,) = marked.record(["weld"]), marked.part(3).record(["weld"])
    address = entity(EmailAddress, "ada@acme.example", user_uid="ada")

    for put in (whole, part):
        assert change_of(record_of(None, key_attributes(put.key) | put.item)) is None
    assert change_of(record_of(None, stored(address))) is None


def test_what_is_no_entity_of_ours_is_no_change() -> None:
    item: Item = {"pk": {"S": "T#acme#SURPRISE#1"}, "sk": {"S": "SURPRISE"}, "a": {"S": "b"}}

    assert change_of(record_of(None, item)) is None
    assert change_of(record_of(None, item | {"sk": {"S": "TASK"}})) is None


def test_a_registration_is_the_platforms() -> None:
    registration = entity(
        TenantRegistration, "acme", name="Acme", status=TenantStatus.ACTIVE, admin_uid="ada"
    )
    keys = {"pk": {"S": "P#REGISTRATION#acme"}, "sk": {"S": "REGISTRATION"}}
    found = change_of(record_of(None, keys | to_item(PLATFORM, registration)))

    assert found is not None
    assert (found[0], found[1].uid, found[1].kind) == (PLATFORM, "acme", "REGISTRATION")


@pytest.mark.parametrize(
    ("kind", "made"),
    [
        ("PROJECT", entity(Project, "site", name="Site")),
        ("USER", entity(User, "ada", name="Ada", email="ada@acme.example", role=Role.ADMIN)),
    ],
)
def test_every_kind_of_entity_is_told(kind: str, made: Entity) -> None:
    change = told(None, made)

    assert (change.kind, change.uid, change.entity) == (kind, made.uid, made)


def test_records_of_one_item_are_numbered_in_order() -> None:
    records = [record_of(None, stored(a_task())) for _ in range(2)]
    for record, number in zip(records, ("9", "10"), strict=True):
        record["dynamodb"]["SequenceNumber"] = number
    first, second = (found[1].record for found in map(change_of, records) if found)

    assert first < second
    assert len(first) == len(second) == 40


def set_image(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda record: record["dynamodb"]["NewImage"].update({name: value})


MALFORMED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no keys": lambda record: record["dynamodb"].pop("Keys"),
    "no id": lambda record: record.pop("eventID"),
    "no number": lambda record: record["dynamodb"].pop("SequenceNumber"),
    "no time": lambda record: record["dynamodb"].pop("ApproximateCreationDateTime"),
    "no such time": lambda record: record["dynamodb"].update(ApproximateCreationDateTime=float("inf")),
    "no images": lambda record: record["dynamodb"].pop("NewImage"),
    "no title": lambda record: record["dynamodb"]["NewImage"].pop("title"),
    "no number for a version": set_image("version", {"S": "1"}),
    "half a version": set_image("version", {"N": "1.5"}),
    "no such priority": set_image("priority", {"S": "NONE"}),
    "no such day": set_image("due_on", {"S": "tomorrow"}),
    "a topic that is no key": set_image("assignee_uid", {"S": "eve#TASKS"}),
    "an actor that is no key": set_image("updated_by_uid", {"S": ""}),
    "a list for an item": lambda record: record["dynamodb"].update(NewImage=[1]),
    "no such uid": lambda record: record["dynamodb"]["Keys"].update(pk={"S": "T#acme#TASK#\n"}),
    "no such tenant": lambda record: record["dynamodb"]["Keys"].update(pk={"S": "T#Acme!#TASK#weld"}),
    "no such family": lambda record: record["dynamodb"]["Keys"].update(pk={"S": "X#acme#TASK#weld"}),
}


@pytest.mark.parametrize("spoil", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_record_that_cannot_be_read_is_said_to_be_one(spoil: Callable[[dict[str, Any]], Any]) -> None:
    record = copy.deepcopy(record_of(None, stored(a_task())))
    assert change_of(record) is not None
    spoil(record)

    with pytest.raises(MalformedRecordError):
        change_of(record)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
ATTRIBUTES = st.sampled_from(sorted(stored(a_task(assignee_uid="eve", due_on=date(2030, 1, 1)))))


@given(
    ATTRIBUTES,
    st.dictionaries(st.sampled_from(["S", "N", "BOOL", "L", "M", "NULL"]), JSON, max_size=1) | JSON,
)
def test_whatever_an_attribute_holds_the_record_is_a_change_or_malformed(name: str, value: Any) -> None:
    record = record_of(None, stored(a_task()) | {name: value})
    try:
        found = change_of(record)
    except MalformedRecordError:
        return
    assert found is None or found[1].kind == "TASK"
