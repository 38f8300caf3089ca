"""Each gate finds the fault that was planted for it, and says so when it could not look."""

import base64
import json
from pathlib import Path

import pytest

from infra import supply_chain
from infra.supply_chain import ToolError, bill_of_materials, insecure_code, secrets, workflow_flaws

ROOT = Path(__file__).parents[2]
HERE = pytest.mark.skipif(
    not (ROOT / supply_chain.TOOLS / "zizmor").exists(),
    reason="** The gates are not installed: `make gates` makes .venv-supply-chain.",
)
pytestmark = [HERE, pytest.mark.slow]

WORKFLOW = """name: planted
on: pull_request
permissions: {{}}
concurrency: {{ group: planted, cancel-in-progress: true }}
jobs:
  build:
    name: build
    runs-on: ubuntu-24.04
    steps:
      - {step}
"""
KEY_ID = "AKIA" + "7QXZ2M4TPLK9WJ3N"
TOKEN = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"HS256"}', b'{"sub":"1"}', b"seal" * 8)
)
ENTROPY = "kT9vQ2xLr8" + "ZbN4mWc7YhJ1pS6dFg3aUe"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory of the test's own, as if the gates were run there."""
    monkeypatch.setattr(supply_chain, "TOOLS", ROOT / supply_chain.TOOLS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("subprocess.call(command, shell=True)", "B602"),
        ("pickle.loads(command)", "B301"),
        ("eval(command)", "B307"),
    ],
)
def test_insecure_code_is_found(tmp_path: Path, line: str, code: str) -> None:
    (tmp_path / "planted.py").write_text(
        f"import pickle\nimport subprocess\n\ndef run(command):\n    {line}\n"
    )

    (found,) = insecure_code([tmp_path])
    assert found.startswith(f"{tmp_path}/planted.py:5: {code} ")


def test_code_that_cannot_be_read_is_no_clean_code(tmp_path: Path) -> None:
    with pytest.raises(ToolError):
        list(insecure_code([tmp_path]))
    (tmp_path / "planted.py").write_text("def run(:\n")
    with pytest.raises(ToolError):
        list(insecure_code([tmp_path]))


@pytest.mark.parametrize(
    ("name", "line", "kind"),
    [
        ("settings.py", f'REGION_KEY = "{KEY_ID}"', "AWS Access Key"),
        ("notes.md", f"curl -H 'authorization: Bearer {TOKEN}'", "JSON Web Token"),
        ("key.txt", "-----BEGIN PRIVATE" + " KEY-----", "Private Key"),
        ("template.yaml", "  JWT_SECRET: hunter2hunter2", "Secret Keyword"),
        ("main.py", f'SEAL = "{ENTROPY}"', "Base64 High Entropy String"),
    ],
)
def test_a_secret_is_found_whatever_the_file(elsewhere: Path, name: str, line: str, kind: str) -> None:
    (elsewhere / name).write_text(f"{line}\n")

    assert f"{name}:1: {kind}" in list(secrets([name]))


def test_what_is_allowed_in_tests_is_not_allowed_elsewhere_and_no_key_is_allowed_anywhere(
    elsewhere: Path,
) -> None:
    for folder in ("tests", "graphql_api"):
        (elsewhere / folder).mkdir()
        (elsewhere / folder / "planted.py").write_text(f'password = "correct-horse"\nname = "{KEY_ID}"\n')

    found = list(secrets(["tests/planted.py", "graphql_api/planted.py"]))
    assert sorted(found) == [
        "graphql_api/planted.py:1: Secret Keyword",
        "graphql_api/planted.py:2: AWS Access Key",
        "tests/planted.py:2: AWS Access Key",
    ]
    assert list((elsewhere / "build").iterdir()) == []


def test_a_template_may_ask_for_a_secret_but_not_hold_one(elsewhere: Path) -> None:
    asking = "GenerateSecretString: { PasswordLength: 64 }\nAction: secretsmanager:GetSecretValue\n"
    (elsewhere / "template.yaml").write_text(f"{asking}SECRET: correct-horse\n")

    assert list(secrets(["template.yaml"])) == ["template.yaml:3: Secret Keyword"]


def test_a_scan_that_finds_not_even_what_it_planted_is_no_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "detect-secrets").write_text("#!/bin/sh\necho '{\"results\": {}}'\n")
    (tmp_path / "detect-secrets").chmod(0o755)
    monkeypatch.setattr(supply_chain, "TOOLS", tmp_path)

    with pytest.raises(ToolError, match="not even what was planted"):
        list(secrets(["pyproject.toml"]))


def test_nothing_to_look_into_is_no_clean_tree() -> None:
    with pytest.raises(ToolError):
        list(secrets([]))


def test_what_git_would_track_is_looked_into(tmp_path: Path) -> None:
    listed = set(supply_chain.tracked())

    assert {"pyproject.toml", "infra/supply_chain.py", "requirements/runtime.txt"} <= listed
    assert not [path for path in listed if path.startswith((".venv", "build/"))]


def test_the_bill_names_each_package_of_the_lambda_and_is_the_same_each_time(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"

    assert list(bill_of_materials(output=first)) == list(bill_of_materials(output=second)) == []
    assert first.read_bytes() == second.read_bytes()
    bill = json.loads(first.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    named = {component["name"] for component in bill["components"]}
    assert {"aiobotocore", "cryptography", "mangum", "starlette", "strawberry-graphql"} <= named
    assert "pytest" not in named


def test_packages_that_are_not_pinned_are_found(tmp_path: Path) -> None:
    lock, pin = tmp_path / "runtime.txt", f"--hash=sha256:{'1' * 64}"
    lock.write_text(f"mangum==0.22.0 \\\n    {pin}\norjson\nstarlette==1.10.0\npyjwt>=2 {pin}\n")

    assert sorted(bill_of_materials(lock, tmp_path / "bill.json")) == [
        f"{lock}: {name} is not pinned by version and hash" for name in ("orjson", "pyjwt", "starlette")
    ]


def test_packages_of_other_machines_are_not_in_the_bill(tmp_path: Path) -> None:
    lock, output = tmp_path / "runtime.txt", tmp_path / "bill.json"
    pin = f"--hash=sha256:{'1' * 64}"
    lock.write_text(
        f"mangum==0.22.0 {pin}\ncolorama==0.4.6 ; sys_platform == 'win32' {pin}\n"
        f"uvloop==0.22.0 ; python_full_version < '3.12' {pin}\n"
    )

    assert list(bill_of_materials(lock, output)) == []
    assert [component["name"] for component in json.loads(output.read_text())["components"]] == ["mangum"]


def test_an_empty_lock_has_no_bill(tmp_path: Path) -> None:
    (tmp_path / "runtime.txt").write_text("# nothing\n")

    with pytest.raises(ToolError):
        list(bill_of_materials(tmp_path / "runtime.txt", tmp_path / "bill.json"))


@pytest.mark.parametrize(
    ("step", "flaw"),
    [
        ("uses: actions/checkout@v5", "unpinned-uses"),
        ("uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0", "artipacked"),
        ("run: echo ${{ github.event.pull_request.title }}", "template-injection"),
    ],
)
def test_a_flaw_of_a_workflow_is_found(tmp_path: Path, step: str, flaw: str) -> None:
    directory = tmp_path / ".github/workflows"
    directory.mkdir(parents=True)
    (directory / "planted.yml").write_text(WORKFLOW.format(step=step))

    assert any(f": {flaw}: " in found for found in workflow_flaws(directory))


def test_workflows_that_cannot_be_read_are_no_clean_workflows(tmp_path: Path) -> None:
    with pytest.raises(ToolError):
        list(workflow_flaws(tmp_path))
    (tmp_path / "planted.yml").write_text("jobs: [\n")
    with pytest.raises(ToolError):
        list(workflow_flaws(tmp_path))


def test_a_tool_that_fails_fails_its_gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zizmor").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    (tmp_path / "zizmor").chmod(0o755)
    monkeypatch.setattr(supply_chain, "TOOLS", tmp_path)

    with pytest.raises(ToolError, match="zizmor ended with 1: broken"):
        list(workflow_flaws())


def test_one_fault_fails_them_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gates = {"clean": lambda: iter(()), "dirty": lambda: iter(["a fault"])}
    monkeypatch.setattr(supply_chain, "GATES", gates)

    assert supply_chain.main() == 1
    assert capsys.readouterr().out.splitlines() == ["passed  clean", "FAILED  dirty", "  a fault"]
    monkeypatch.setattr(supply_chain, "GATES", {"clean": gates["clean"]})
    assert supply_chain.main() == 0
