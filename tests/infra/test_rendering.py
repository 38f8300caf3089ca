from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.reading import TagError, read
from infra.rendering import RenderingError, render

TEMPLATE = """
Parameters:
  Stage: {Type: String, AllowedValues: [dev, prod], Default: dev}
  Size: {Type: Number, Default: 0}
  Owner: {Type: String}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsSized: !Not [!Equals [!Ref Size, 0]]
  IsBoth: !And [!Condition IsProd, !Condition IsSized]
  IsEither: !Or [!Condition IsProd, !Condition IsSized]
Globals:
  Function:
    Timeout: 3
    AutoPublishAlias: live
    Environment: {Variables: {A: shared, B: shared}}
Resources:
  Data:
    Type: AWS::DynamoDB::Table
  Queue:
    Type: AWS::SQS::Queue
  Key:
    Type: AWS::SecretsManager::Secret
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/${AWS::StackName}/logs"}
  Spare:
    Type: AWS::SQS::Queue
    Condition: IsProd
  Work:
    Type: AWS::Serverless::Function
    Properties:
      Timeout: 9
      Environment: {Variables: {B: own}}
  Probe:
    Type: Test::Probe
    Properties:
      Value: %s
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "template.yaml"


def rendered(path: Path, value: str, **parameters: str) -> Any:
    """What the value comes to as a property."""
    path.write_text(TEMPLATE % value)
    document = render(path, {"Owner": "me", **parameters})
    return document["Resources"]["Probe"]["Properties"].get("Value")


TABLE_ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/Data"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("!Ref Owner", "me"),
        ("!Ref Size", "0"),
        ("!Ref Data", "Data"),
        ("!Ref Queue", "https://sqs.us-east-1.amazonaws.com/123456789012/Queue"),
        ("!Ref Key", "arn:aws:secretsmanager:us-east-1:123456789012:secret:Key"),
        ("!Ref Work.Alias", "arn:aws:lambda:us-east-1:123456789012:function:Work:live"),
        ("!Ref Logs", "/graphql-api/logs"),
        ("!GetAtt Data.Arn", TABLE_ARN),
        ("!GetAtt [Data, Arn]", TABLE_ARN),
        ("{Fn::GetAtt: [Data, Arn]}", TABLE_ARN),
        ("!GetAtt Queue.QueueName", "Queue"),
        ("!GetAtt Logs.Arn", "arn:aws:logs:us-east-1:123456789012:log-group:/graphql-api/logs:*"),
        ("!Sub '${Data.Arn}/index/*'", f"{TABLE_ARN}/index/*"),
        ("!Sub ['${Who}-${Stage}', {Who: !Ref Owner}]", "me-dev"),
        ("!Sub '${!aws:PrincipalTag/tenant}'", "${aws:PrincipalTag/tenant}"),
        ("'T#${aws:PrincipalTag/tenant}#*'", "T#${aws:PrincipalTag/tenant}#*"),
        ("!Join ['-', [a, !Ref Owner, !Ref AWS::NoValue]]", "a-me"),
        ("!Select [1, !Split [':', 'a:b:c']]", "b"),
        ("!If [IsProd, a, !Ref Owner]", "me"),
        ("!If [IsProd, a, !Ref AWS::NoValue]", None),
        ("{a: !If [IsProd, 1, !Ref AWS::NoValue], b: [!Ref AWS::NoValue, 2]}", {"b": [2]}),
        ("2012-10-17", "2012-10-17"),
    ],
)
def test_a_function_comes_to_its_value(written: Path, value: str, expected: object) -> None:
    assert rendered(written, value) == expected


@pytest.mark.parametrize(
    ("stage", "size", "both", "either"),
    [
        ("dev", "0", False, False),
        ("dev", "1", False, True),
        ("prod", "0", False, True),
        ("prod", "1", True, True),
    ],
)
def test_conditions_follow_the_parameters(
    written: Path, stage: str, size: str, both: bool, either: bool
) -> None:
    written.write_text(TEMPLATE % "x")

    conditions = render(written, {"Owner": "me", "Stage": stage, "Size": size})["Conditions"]

    assert (conditions["IsBoth"], conditions["IsEither"]) == (both, either)


def test_a_resource_is_made_where_its_condition_holds(written: Path) -> None:
    written.write_text(TEMPLATE % "x")

    assert "Spare" not in render(written, {"Owner": "me"})["Resources"]
    assert "Spare" in render(written, {"Owner": "me", "Stage": "prod"})["Resources"]


def test_globals_are_what_a_function_does_not_say_itself(written: Path) -> None:
    written.write_text(TEMPLATE % "x")

    resources = render(written, {"Owner": "me"})["Resources"]

    assert resources["Work"]["Properties"] == {
        "Timeout": 9,
        "AutoPublishAlias": "live",
        "Environment": {"Variables": {"A": "shared", "B": "own"}},
    }
    assert "Timeout" not in resources["Data"]["Properties"]


def test_names_can_be_given(written: Path) -> None:
    written.write_text(TEMPLATE % "!GetAtt Data.Arn")

    properties = render(written, {"Owner": "me"}, {"Data": "mine"})["Resources"]["Probe"]["Properties"]

    assert properties["Value"] == "arn:aws:dynamodb:us-east-1:123456789012:table/mine"


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("!ImportValue x", "Fn::ImportValue is not understood"),
        ("!GetAZs ''", "Fn::GetAZs is not understood"),
        ("{Ref: Data, More: 1}", "Ref is not understood"),
        ("!Ref Nothing", "Nothing"),
        ("!Ref Spare", "Spare"),
        ("!GetAtt Data.Colour", "Data.Colour is not known"),
        ("!Sub '${Nothing}'", "Nothing"),
        ("!If [IsNothing, 1, 2]", "no condition: IsNothing"),
    ],
)
def test_what_is_not_understood_is_an_error(written: Path, value: str, complaint: str) -> None:
    with pytest.raises(RenderingError, match=complaint):
        rendered(written, value)


@pytest.mark.parametrize(
    ("parameters", "names", "complaint"),
    [
        ({}, {}, "Owner cannot be None"),
        ({"Owner": "me", "Stage": "moon"}, {}, "Stage cannot be 'moon'"),
        ({"Owner": "me", "Colour": "red"}, {}, "no parameters: .*Colour"),
        ({"Owner": "me"}, {"Dta": "x"}, "no resources: .*Dta"),
    ],
)
def test_parameters_and_names_must_be_the_template_s(
    written: Path, parameters: dict[str, str], names: dict[str, str], complaint: str
) -> None:
    written.write_text(TEMPLATE % "x")

    with pytest.raises(RenderingError, match=complaint):
        render(written, parameters, names)


def test_a_condition_that_is_no_condition_is_an_error(written: Path) -> None:
    written.write_text((TEMPLATE % "x").replace("!Equals [!Ref Stage, prod]", "!Join ['', [a]]"))

    with pytest.raises(RenderingError, match="Fn::Join is not understood as a condition"):
        render(written, {"Owner": "me"})


def test_a_tag_before_a_mapping_is_refused(written: Path) -> None:
    written.write_text("Resources: !Sub {a: b}")

    with pytest.raises(TagError, match="!Sub of a mapping"):
        read(written)


def test_python_objects_are_not_made(written: Path) -> None:
    written.write_text("Resources: !!python/object/apply:os.getcwd []")

    with pytest.raises(yaml.YAMLError):
        read(written)
