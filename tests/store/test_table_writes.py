"""The table's commits, on a network where everything can go wrong."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import pytest
from botocore.exceptions import ClientError

from graphql_api.errors import DeadlineExceededError
from graphql_api.store.codec import Item
from graphql_api.store.table import BASE_DELAY, MAX_ATTEMPTS, MAX_DELAY, StoreBusyError
from graphql_api.store.writes import Check, Condition, Put, Update, Write
from tests.reliability.network import Accident, Network, cancelled, hangs, lost_answer, refused
from tests.reliability.weather import OUR_FAULT, SDK_ATTEMPTS, UNREAD, WEATHER
from tests.store.notes import Note, NoteStore, item, key

KINDS = ["put", "update", "transaction"]
CONFLICTS: dict[str, Accident] = {
    "conflict": cancelled("TransactionConflict", "None", "None"),
    "throttled member": cancelled("None", "ThrottlingError", "None"),
    "member over throughput": cancelled("None", "None", "ProvisionedThroughputExceeded"),
    "several": cancelled("TransactionConflict", "ThrottlingError", "TransactionConflict"),
    "another region": refused("ReplicatedWriteConflictException"),
}


class RefusedError(Exception):
    """What a write's failed condition is turned into, with the item that stood in its way."""

    def __init__(self, name: str, standing: Item | None) -> None:
        super().__init__(name)
        self.name = name
        self.standing = standing


def refusal(name: str) -> Callable[[Item | None], Exception]:
    return lambda standing: RefusedError(name, standing)


def put(note: Note) -> Put:
    return Put(key(note), item(note), refusal("put"))


def unchanged(note: Note) -> Condition:
    return Condition("#v = :v", {"#v": "version"}, {":v": item(note)["version"]})


def count_up(note: Note) -> Update:
    later = replace(note, count=note.count + 1, version=note.version + 1)
    changes = {name: value for name, value in item(later).items() if item(note).get(name) != value}
    return Update(key(note), changes, frozenset(), unchanged(note), refusal("update"))


def check(note: Note) -> Check:
    return Check(key(note), unchanged(note), refusal("check"))


@dataclass(frozen=True, slots=True)
class Commit:
    writes: Sequence[Write]
    effects: Callable[[], Awaitable[int]]


async def a_commit(store: NoteStore, kind: str) -> Commit:
    """A commit of one kind, and how often it has had its effect. A part of one is no effect."""
    new = store.repository().new(Note)
    old, watched = await store.written(2)

    async def puts() -> int:
        return 0 if await store.current(new) is None else 1

    async def updates() -> int:
        current = await store.current(old)
        assert current is not None
        assert current.count == current.version - 1
        return current.count

    async def both() -> int:
        assert await puts() == await updates()
        return await updates()

    return {
        "put": Commit([put(new)], puts),
        "update": Commit([count_up(old)], updates),
        "transaction": Commit([put(new), check(watched), count_up(old)], both),
    }[kind]


async def commit_through(
    store: NoteStore, network: Network, commit: Commit, *accidents: Accident | None, seconds: float = 60
) -> int:
    """Commit while these accidents happen; how many attempts it took."""
    network.attempts.clear()
    network.script(*accidents)
    try:
        await store.table(seconds=seconds).commit(commit.writes)
    finally:
        network.script()
    return len(network.attempts)


@pytest.mark.parametrize("accident", WEATHER.values(), ids=WEATHER)
async def test_a_commit_comes_through_bad_weather_once(
    store: NoteStore, network: Network, accident: Accident
):
    for kind, times in product(KINDS, range(SDK_ATTEMPTS)):
        commit = await a_commit(store, kind)
        assert await commit_through(store, network, commit, *[accident] * times) == times + 1
        assert await commit.effects() == 1


@pytest.mark.parametrize("accident", UNREAD.values(), ids=UNREAD)
async def test_a_commit_that_never_arrives_is_a_typed_error_without_effect(
    store: NoteStore, network: Network, accident: Accident
):
    for kind in KINDS:
        commit = await a_commit(store, kind)
        with pytest.raises(StoreBusyError):
            await commit_through(store, network, commit, *[accident] * 100)
        assert len(network.attempts) == SDK_ATTEMPTS
        assert await commit.effects() == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_a_commit_whose_answers_are_all_lost_is_a_typed_error_with_one_effect(
    store: NoteStore, network: Network, kind: str
):
    commit = await a_commit(store, kind)
    with pytest.raises(StoreBusyError):
        await commit_through(store, network, commit, *[lost_answer] * 100)
    assert await commit.effects() == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_answers_lost_and_requests_lost_in_any_order_are_one_effect(
    store: NoteStore, network: Network, kind: str
):
    throttled = UNREAD["throttled"]
    for accidents in ([lost_answer, throttled], [throttled, lost_answer]):
        commit = await a_commit(store, kind)
        assert await commit_through(store, network, commit, *accidents) == 3
        assert await commit.effects() == 1


@pytest.mark.parametrize("kind", ["put", "update"])
async def test_a_lone_write_waits_for_a_transaction_that_holds_its_item(
    store: NoteStore, network: Network, kind: str
):
    held = refused("TransactionConflictException")
    for times in (1, 3, MAX_ATTEMPTS - 1):
        commit = await a_commit(store, kind)
        assert await commit_through(store, network, commit, *[held] * times) == times + 1
        assert await commit.effects() == 1
    commit = await a_commit(store, kind)
    with pytest.raises(StoreBusyError):
        await commit_through(store, network, commit, *[held] * 100)
    assert len(network.attempts) == MAX_ATTEMPTS
    assert await commit.effects() == 0


@pytest.mark.parametrize("conflict", CONFLICTS.values(), ids=CONFLICTS)
async def test_a_transaction_in_conflict_is_tried_again_as_it_is(
    store: NoteStore, network: Network, conflict: Accident
):
    for times in (1, 3, MAX_ATTEMPTS - 1):
        commit = await a_commit(store, "transaction")
        assert await commit_through(store, network, commit, *[conflict] * times) == times + 1
        assert await commit.effects() == 1
        first, *others = network.attempts[: times + 1]
        assert first.body["ClientRequestToken"]
        assert [each.body for each in others] == [first.body] * times


@pytest.mark.parametrize("conflict", CONFLICTS.values(), ids=CONFLICTS)
async def test_a_conflict_that_stays_is_a_typed_error_without_effect(
    store: NoteStore, network: Network, conflict: Accident
):
    commit = await a_commit(store, "transaction")
    with pytest.raises(StoreBusyError):
        await commit_through(store, network, commit, *[conflict] * 100)
    assert len(network.attempts) == MAX_ATTEMPTS
    longest = [min(MAX_DELAY, BASE_DELAY * 2**number) for number in range(MAX_ATTEMPTS - 1)]
    assert all(wait <= most + 1e-6 for wait, most in zip(network.waits, longest, strict=True))
    assert await commit.effects() == 0


async def test_a_transaction_still_in_progress_is_waited_for(store: NoteStore, network: Network):
    in_progress = refused("TransactionInProgressException")
    for times in (1, SDK_ATTEMPTS, 2 * SDK_ATTEMPTS):
        commit = await a_commit(store, "transaction")
        assert await commit_through(store, network, commit, *[in_progress] * times) == times + 1
        assert await commit.effects() == 1
        assert len({each.body["ClientRequestToken"] for each in network.attempts[: times + 1]}) == 1


async def test_two_commits_never_share_a_token(store: NoteStore, network: Network):
    tokens = set[str]()
    for _ in range(5):
        await commit_through(store, network, await a_commit(store, "transaction"))
        tokens.add(network.attempts[0].body["ClientRequestToken"])
    assert len(tokens) == 5


@pytest.mark.parametrize("code", [*OUR_FAULT, "IdempotentParameterMismatchException"])
async def test_what_is_wrong_with_the_commit_itself_is_no_weather(
    store: NoteStore, network: Network, code: str
):
    for kind in KINDS:
        commit = await a_commit(store, kind)
        with pytest.raises(ClientError, match=code):
            await commit_through(store, network, commit, refused(code))
        assert len(network.attempts) == 1


@pytest.mark.parametrize(
    "codes",
    [
        ("ValidationError", "None", "None"),
        ("TransactionConflict", "ValidationError", "None"),
        ("None", "ItemCollectionSizeLimitExceeded", "ThrottlingError"),
        ("None", "None", "None"),
    ],
)
async def test_a_transaction_cancelled_for_a_bug_is_not_tried_again(
    store: NoteStore, network: Network, codes: tuple[str, ...]
):
    commit = await a_commit(store, "transaction")
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        await commit_through(store, network, commit, cancelled(*codes))
    assert len(network.attempts) == 1


async def test_a_failed_condition_is_the_error_of_its_write_with_what_stands_there(store: NoteStore):
    old, absent = (await store.written())[0], store.repository().new(Note)
    stale = replace(old, version=7)
    for write, standing in (
        (put(stale), old),
        (count_up(stale), old),
        (count_up(absent), None),
        (check(stale), old),
        (check(absent), None),
    ):
        for others in ([], [put(store.repository().new(Note))]):
            if isinstance(write, Check) and not others:
                continue
            with pytest.raises(RefusedError) as failure:
                await store.table().commit([*others, write])
            assert failure.value.name == {Put: "put", Update: "update", Check: "check"}[type(write)]
            found = failure.value.standing
            assert (found or {}).get("uid") == (None if standing is None else item(standing)["uid"])


async def test_the_first_failed_condition_decides(store: NoteStore, network: Network):
    one, other = await store.written(2)
    writes: list[Write] = [put(store.repository().new(Note)), check(replace(one, version=7)), put(other)]
    with pytest.raises(RefusedError, match="check"):
        await store.table().commit(writes)
    network.script(cancelled("TransactionConflict", "None", "ConditionalCheckFailed"))
    with pytest.raises(RefusedError, match="put"):
        await store.table().commit(writes)


async def test_a_repeated_write_that_finds_anothers_effect_has_failed(store: NoteStore, network: Network):
    """What stands there is like its own, but for who wrote it."""
    (old,) = await store.written()
    other = replace(old, count=1, version=2, request_id="another request")
    own = replace(other, request_id="this request")
    changes = {name: value for name, value in item(own).items() if item(old).get(name) != value}
    await store.table().commit([Update(key(old), item(other), frozenset(), unchanged(old), refusal("first"))])
    network.script(lost_answer)
    with pytest.raises(RefusedError, match="second"):
        await store.table().commit(
            [Update(key(old), changes, frozenset(), unchanged(old), refusal("second"))]
        )


@pytest.mark.parametrize(
    "accident", [*WEATHER.values(), *CONFLICTS.values(), hangs], ids=[*WEATHER, *CONFLICTS, "hangs"]
)
async def test_no_commit_outlives_its_deadline(store: NoteStore, network: Network, accident: Accident):
    loop = asyncio.get_running_loop()
    for kind, seconds in product(KINDS, (0.0, 0.001, 0.2)):
        commit, start = await a_commit(store, kind), loop.time()
        with pytest.raises(DeadlineExceededError):
            await commit_through(store, network, commit, *[accident] * 100, seconds=seconds)
        took = loop.time() - start
        assert took <= seconds + 1e-6
        assert accident is not hangs or took == pytest.approx(seconds)
        assert await commit.effects() in {0, 1}
