"""A template without its tables speaks of the restored ones where it spoke of them, and is else the same."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from infra.reading import read
from infra.rendering import TEMPLATE, render
from infra.restored import MARK, RestoredTable, UnknownAttributeError, adopting, detached, imports

ROOT = Path(__file__).parents[2]
STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/data-restored/stream/2030-05-17T12:00:00.000"
PARAMETERS = {
    "Stage": "prod",
    "JwtIssuer": "https://issuer.example",
    "JwtAudience": "graphql-api",
    "JwksUrl": "https://issuer.example/jwks.json",
    "Canary": "true",
}


@pytest.fixture
def tables() -> dict[str, RestoredTable]:
    data = RestoredTable.of_stream(STREAM)
    return {"Table": data, "ControlTable": data.neighbour("control-restored")}


@pytest.fixture
def template(tables: dict[str, RestoredTable]) -> dict[str, Any]:
    return detached(read(TEMPLATE), tables)


def rendered(tmp_path: Path, template: dict[str, Any]) -> dict[str, Any]:
    (tmp_path / "template.json").write_text(json.dumps(template))
    return render(tmp_path / "template.json", PARAMETERS)


def environment(rendered: dict[str, Any], function: str) -> dict[str, str]:
    return rendered["Resources"][function]["Properties"]["Environment"]["Variables"]


def test_the_functions_and_policies_name_the_restored_tables(
    tmp_path: Path, template: dict[str, Any]
) -> None:
    found = rendered(tmp_path, template)
    text = json.dumps(found)

    assert not {"Table", "ControlTable"} & found["Resources"].keys()
    for function in ("HttpFunction", "WebSocketFunction", "StreamFunction", "SweepFunction", "JobsFunction"):
        assert environment(found, function)["TABLE_NAME"] == "data-restored"
        assert environment(found, function)["CONTROL_TABLE_NAME"] == "control-restored"
    assert found["Resources"]["StreamMapping"]["Properties"]["EventSourceArn"] == STREAM
    assert found["Outputs"]["ControlTableName"]["Value"] == "control-restored"
    for arn in ("table/data-restored/index/*", "table/control-restored/index/*"):
        assert f"arn:aws:dynamodb:us-east-1:123456789012:{arn}" in text


def test_nothing_else_changes_but_the_mark_and_the_canary(
    tmp_path: Path, template: dict[str, Any], tables: dict[str, RestoredTable]
) -> None:
    names = {logical: table.name for logical, table in tables.items()}
    before, after = render(TEMPLATE, PARAMETERS, names), rendered(tmp_path, template)
    for logical in tables:
        del before["Resources"][logical]
    text = json.dumps(after["Resources"]).replace(MARK, "").replace(STREAM, "STREAM")
    text = text.replace('"Enabled": false, "Type": ', '"Enabled": "true", "Type": ')
    arn = before["Resources"]["StreamMapping"]["Properties"]["EventSourceArn"]

    assert json.loads(text) == json.loads(json.dumps(before["Resources"]).replace(arn, "STREAM"))
    assert text.count('"Enabled": "true", "Type": ') == 6
    assert json.dumps(after).count(MARK) == 6


def test_no_canary_keeps_calls_on_the_old_tables(template: dict[str, Any]) -> None:
    assert template["Globals"]["Function"]["DeploymentPreference"]["Enabled"] is False
    assert read(TEMPLATE)["Globals"]["Function"]["DeploymentPreference"]["Enabled"] != False  # noqa: E712


def test_what_a_restored_table_cannot_tell_is_an_error(tables: dict[str, RestoredTable]) -> None:
    for asked in (
        {"Fn::GetAtt": ["ControlTable", "StreamArn"]},
        {"Fn::Sub": "a ${ControlTable.StreamArn}"},
        {"Fn::GetAtt": ["Table", "TableId"]},
    ):
        with pytest.raises(UnknownAttributeError):
            detached({"Resources": {}, "Outputs": {"Asked": asked}}, tables)


def test_substitutions_with_values_of_their_own_are_understood(tables: dict[str, RestoredTable]) -> None:
    asked = {"Fn::Sub": ["${Table}/${Name}/${Tables}", {"Name": {"Ref": "ControlTable"}}]}

    found = detached({"Resources": {}, "Outputs": asked}, tables)
    assert found["Outputs"] == {"Fn::Sub": ["data-restored/${Name}/${Tables}", {"Name": "control-restored"}]}


def test_the_import_adds_the_tables_and_changes_nothing_else(tables: dict[str, RestoredTable]) -> None:
    template = read(TEMPLATE)
    processed = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"One": {"Value": "1"}}}
    adopted = adopting(processed, template, tables)

    assert adopted["Outputs"] == processed["Outputs"]
    assert adopted["Resources"].keys() == {"Queue", "Table", "ControlTable"}
    for logical in tables:
        # CloudFormation imports nothing that it would delete with the stack, nor under another name.
        assert adopted["Resources"][logical]["DeletionPolicy"] == "Retain"
        assert "TableName" not in adopted["Resources"][logical]["Properties"]
    assert [one["ResourceIdentifier"]["TableName"] for one in imports(tables)] == [
        "data-restored",
        "control-restored",
    ]


def test_the_steps_are_commands(tables: dict[str, RestoredTable], template: dict[str, Any]) -> None:
    def printed(step: str, given: str = "") -> Any:
        command = [sys.executable, "-m", "infra.restored", step, "--stream", STREAM]
        ended = subprocess.run(
            [*command, "--control-table", "control-restored"],
            cwd=ROOT,
            input=given,
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(ended.stdout)

    assert printed("detach") == template
    assert printed("imports") == imports(tables)
    for given in ('{"Resources": {}}', json.dumps('{"Resources": {}}')):
        assert printed("adopt", given)["Resources"].keys() == tables.keys()


@pytest.mark.parametrize("arn", ["", "arn:aws:dynamodb:us-east-1:123456789012:table/data", "x/stream/y"])
def test_what_is_no_stream_is_refused(arn: str) -> None:
    with pytest.raises(ValueError, match="no stream"):
        RestoredTable.of_stream(arn)
