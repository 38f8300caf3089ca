import ast
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from aiobotocore.awsrequest import AioAWSResponse
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ParamValidationError

from graphql_api.settings import Profile, Settings
from graphql_api.store.client import PRINCIPAL, Database
from tests.reliability.network import answer_of
from tests.store.notes import NoteStore
from tests.world import settings

PACKAGE = Path(__file__).parent.parent.parent / "graphql_api"


def production() -> Settings:
    return settings("https://127.0.0.1:1", profile=Profile.PRODUCTION)


@pytest.mark.parametrize("profile", Profile)
async def test_every_call_is_bounded(profile: Profile):
    database = await Database(settings("https://127.0.0.1:1", profile=profile)).open()
    try:
        config: Any = database.client.meta.config
        assert (config.connect_timeout, config.read_timeout) == (1, 2)
        assert config.retries == {"mode": "standard", "total_max_attempts": 3}
        assert config.max_pool_connections == 50
        assert config.tcp_keepalive is True
    finally:
        await database.close()


@pytest.mark.parametrize("profile", Profile)
async def test_only_development_pays_for_checking_parameters(profile: Profile):
    database = await Database(settings("https://127.0.0.1:1", profile=profile)).open()
    sent: list[object] = []

    def answer(request: AWSPreparedRequest, **_: object) -> AioAWSResponse:
        sent.append(request)
        return answer_of(request, 200, b"{}")

    events: Any = database.client.meta.events
    events.register("before-send.dynamodb", answer)
    without_table: Any = {"Key": {"pk": {"S": "x"}}}
    checked = pytest.raises(ParamValidationError) if profile is Profile.DEVELOPMENT else nullcontext()
    with checked:
        await database.client.delete_item(**without_table)
    assert len(sent) == (0 if profile is Profile.DEVELOPMENT else 1)
    await database.close()


def test_clients_are_made_where_their_settings_are_known():
    """Each with `client_config`, so the settings above are those of every client."""
    makers = {"create_client", "client", "resource", "get_session", "AioSession"}
    found = {
        file.relative_to(PACKAGE).as_posix()
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in makers
    }
    assert found == {"store/client.py", "local/pump/pump.py"}


async def test_a_database_has_one_client_until_it_is_closed():
    database = Database(production())
    with pytest.raises(RuntimeError, match="not open"):
        _ = database.client
    client = (await database.open()).client
    assert (await database.open()).client is client
    await database.close()
    with pytest.raises(RuntimeError, match="not open"):
        _ = database.client
    assert (await database.open()).client is not client
    await database.close()


async def test_a_call_names_its_principal_and_leaves_none_behind(store: NoteStore):
    (note,) = await store.written()
    assert await store.repository().find(type(note), note.uid) == note
    assert {call.principal for call in store.guard.calls} == {store.guard.calls[0].principal} != {None}
    assert PRINCIPAL.get() is None
