"""The examples of docs/access.md, pasted one after the other: how a newcomer comes in."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.local.server import Server, serving

PAGE = Path(__file__).parents[2] / "docs" / "access.md"
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("newcomer")) as running:
        yield running


def pasted(server: Server, example: str, **variables: str) -> Any:
    """What the one field of an example answers."""
    script = f"{BLOCKS[0]}\n{example}".replace("http://127.0.0.1:8000", server.origin)
    ran = subprocess.run(
        ["bash", "-c", script], capture_output=True, timeout=60, check=True, env=variables | PATH
    )
    answer = json.loads(ran.stdout)
    assert "errors" not in answer, answer
    (result,) = answer["data"].values()
    assert "code" not in result, result
    return result


PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
VIEWER = "{ viewer { name role isMachine } tenant { slug } entitlements { plan } }"


def test_a_newcomer_signs_up_invites_a_colleague_and_lets_programs_in(server: Server) -> None:
    _, sign_up, invite, accept, key, machine = BLOCKS

    signed_up = pasted(server, sign_up)
    invited = pasted(server, invite, SECRET=signed_up["secret"])
    joined = pasted(server, accept, TOKEN=invited["token"])
    lasting = pasted(server, key, SECRET=signed_up["secret"])
    program = pasted(server, machine, SECRET=lasting["secret"])

    assert signed_up["tenant"] == {"slug": "initech", "plan": "FREE"}
    bill = server.data(lasting["secret"], VIEWER)
    assert bill == {
        "viewer": {"name": "Bill", "role": "ADMIN", "isMachine": False},
        "tenant": {"slug": "initech"},
        "entitlements": {"plan": "FREE"},
    }
    assert server.data(joined["secret"], VIEWER)["viewer"]["name"] == "Peter Gibbons"
    assert program["user"]["isMachine"]
    assert pasted(server, sign_up)["isRepetition"]
