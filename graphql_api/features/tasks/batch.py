"""Many tasks in one call: each row stands or falls by itself, and a repeated call adds nothing."""

from collections.abc import Sequence

from graphql_api.context import Info, RequestContext
from graphql_api.errors import ApiError, InvalidInputError
from graphql_api.feature import mark_of
from graphql_api.features.tasks.inputs import CreateTaskPayload, CreateTasksInput, TaskRowInput
from graphql_api.features.tasks.rules import new_task
from graphql_api.features.tasks.task import Task
from graphql_api.metering.quota import no_room, take_room
from graphql_api.results import Problem, problem_of
from graphql_api.store.idempotency import UNMARKED, AlreadyDoneError, Mark
from graphql_api.store.repository import Repository, together

MAX_ROWS = 100
# A transaction takes 100 items, of which one is the record; 4 MB are out of reach of a request of 256 KB.
ROWS_PER_COMMIT = 50
REFUSED = ""

RowResult = CreateTaskPayload | Problem


async def create_all(info: Info, payload: CreateTasksInput) -> list[RowResult]:
    """A result for each row. Every 50 rows are one transaction with its own idempotency record, so a
    call that failed half-way can be repeated under the same key.
    """
    if not 1 <= len(payload.tasks) <= MAX_ROWS:
        raise InvalidInputError(f"1 to {MAX_ROWS} tasks at once.", "tasks")
    repository = info.context.repository
    mark, fresh = mark_of(repository, info, payload), repository.fresh()
    drafts = await together(_draft(fresh, row) for row in payload.tasks)
    results = list[RowResult]()
    # Without a key nothing could be continued: all rows stand or fall together then, as 100 items allow.
    rows = MAX_ROWS if mark is UNMARKED else ROWS_PER_COMMIT
    # One after the other: the first record decides whether the key is new before any other row is written.
    for start in range(0, len(drafts), rows):
        results += await _create_part(info.context, drafts[start : start + rows], mark.part(start))
    return results


async def _draft(fresh: Repository, row: TaskRowInput) -> Task | ApiError:
    try:
        return await new_task(fresh, row)
    except ApiError as error:
        if problem_of(error) is None:
            raise
        return error


async def _create_part(
    context: RequestContext, drafts: Sequence[Task | ApiError], mark: Mark
) -> list[RowResult]:
    repository = context.repository
    try:
        await mark.require_new(repository.table)
        drafts = await _with_room(context, drafts)
        tasks = [draft for draft in drafts if isinstance(draft, Task)]
        uids = [draft.uid if isinstance(draft, Task) else REFUSED for draft in drafts]
        writes = [*mark.record(uids), *map(repository.put, tasks)]
        if writes:
            await repository.commit(*writes, leaves=tasks)
    except AlreadyDoneError as done:
        return await _replayed(repository.fresh(), drafts, done.uids)
    return [_result(draft) for draft in drafts]


async def _with_room(context: RequestContext, drafts: Sequence[Task | ApiError]) -> Sequence[Task | ApiError]:
    """The drafts, of which those that the tenant's plan leaves no room for are refused: the last ones."""
    tasks = [draft.uid for draft in drafts if isinstance(draft, Task)]
    room = await take_room(context, Task, len(tasks)) if tasks else 0
    allowed = frozenset(tasks[:room])
    return [
        draft if isinstance(draft, ApiError) or draft.uid in allowed else no_room(context, Task)
        for draft in drafts
    ]


async def _replayed(
    fresh: Repository, drafts: Sequence[Task | ApiError], uids: Sequence[str]
) -> list[RowResult]:
    """The results of an earlier call: its tasks as they are now; a refused row stays refused."""
    tasks = await together(fresh.find(Task, uid) for uid in uids if uid != REFUSED)
    stored = {task.uid: task for task in tasks if task is not None}
    refused = InvalidInputError("This row was refused; send it again under another key.", "tasks")
    return [
        _result(stored[uid] if uid != REFUSED else draft if isinstance(draft, ApiError) else refused)
        for uid, draft in zip(uids, drafts, strict=True)
    ]


def _result(outcome: Task | ApiError) -> RowResult:
    if isinstance(outcome, Task):
        return CreateTaskPayload(task=outcome)
    problem = problem_of(outcome)
    assert problem is not None
    return problem
