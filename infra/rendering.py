"""The template with its parameters filled in: what CloudFormation would make of it, as plain values.

What AWS would name or number is made up here: a resource is called what `names` says, else by its name's
property, else by its logical name, and ARNs are of the region and the account below. Whatever is not
understood is a RenderingError, so that no test judges half a template.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.reading import read

TEMPLATE = Path(__file__).parent / "template.yaml"
REGION, ACCOUNT = "us-east-1", "123456789012"
STACK = "graphql-api"

_PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
_NAME_PROPERTIES = ("TableName", "RoleName", "FunctionName", "QueueName", "LogGroupName", "AlarmName")
_ARNS = {
    "AWS::CloudFormation::Stack": f"cloudformation:{REGION}:{ACCOUNT}:stack/{{}}/1",
    "AWS::DynamoDB::Table": f"dynamodb:{REGION}:{ACCOUNT}:table/{{}}",
    "AWS::Events::Rule": f"events:{REGION}:{ACCOUNT}:rule/{{}}",
    "AWS::KMS::Key": f"kms:{REGION}:{ACCOUNT}:key/{{}}",
    "AWS::KinesisFirehose::DeliveryStream": f"firehose:{REGION}:{ACCOUNT}:deliverystream/{{}}",
    "AWS::IAM::Role": f"iam::{ACCOUNT}:role/{{}}",
    "AWS::Lambda::Function": f"lambda:{REGION}:{ACCOUNT}:function:{{}}",
    "AWS::Logs::LogGroup": f"logs:{REGION}:{ACCOUNT}:log-group:{{}}:*",
    "AWS::S3::Bucket": "s3:::{}",
    "AWS::SNS::Topic": f"sns:{REGION}:{ACCOUNT}:{{}}",
    "AWS::SQS::Queue": f"sqs:{REGION}:{ACCOUNT}:{{}}",
    "AWS::SecretsManager::Secret": f"secretsmanager:{REGION}:{ACCOUNT}:secret:{{}}",
    "AWS::Serverless::Function": f"lambda:{REGION}:{ACCOUNT}:function:{{}}",
}
_REF_IS_ARN = {"AWS::CloudFormation::Stack", "AWS::SNS::Topic", "AWS::SecretsManager::Secret"}
_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]+)\}")
_NOTHING = object()


class RenderingError(ValueError):
    """The template, or a parameter, is not understood."""


def render(
    path: Path = TEMPLATE, parameters: Mapping[str, str] | None = None, names: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """`Resources`, `Outputs` and `Conditions` of the template at `path`, without what a condition leaves out.

    `parameters` are as given to a deployment, `names` the physical names by logical name. Globals are merged
    into the functions.
    """
    return Rendering(read(path), parameters or {}, names or {}).document()


class Rendering:
    """One template with one set of parameters."""

    def __init__(
        self, template: Mapping[str, Any], parameters: Mapping[str, str], names: Mapping[str, str]
    ) -> None:
        self._template = template
        self._names = names
        self._parameters = _chosen(template.get("Parameters", {}), parameters)
        self._conditions = template.get("Conditions", {})
        self._resources = {
            name: resource
            for name, resource in template["Resources"].items()
            if "Condition" not in resource or self._condition(resource["Condition"])
        }
        if unknown := names.keys() - template["Resources"].keys():
            raise RenderingError(f"no resources: {sorted(unknown)}")

    def document(self) -> dict[str, Any]:
        outputs = {
            name: output
            for name, output in self._template.get("Outputs", {}).items()
            if "Condition" not in output or self._condition(output["Condition"])
        }
        return {
            "Conditions": {name: self._condition(name) for name in self._conditions},
            "Resources": {
                name: self.value(self._with_globals(each)) for name, each in self._resources.items()
            },
            "Outputs": self.value(outputs),
        }

    def value(self, node: Any) -> Any:
        """The node with its functions replaced by what they come to."""
        if isinstance(node, list):
            return [each for each in map(self.value, node) if each is not _NOTHING]
        if not isinstance(node, dict):
            return node
        for name in node:
            if name == "Ref" or name.startswith("Fn::"):
                return self._call(name, node)
        resolved = {name: self.value(each) for name, each in node.items()}
        return {name: each for name, each in resolved.items() if each is not _NOTHING}

    def _with_globals(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        kind = resource["Type"].removeprefix("AWS::Serverless::")
        shared = self._template.get("Globals", {}).get(kind, {})
        return {**resource, "Properties": _merged(shared, resource.get("Properties", {}))}

    def _call(self, name: str, node: Mapping[str, Any]) -> Any:
        functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Fn::GetAtt": lambda argument: self._attribute(*argument),
            "Fn::If": lambda argument: self.value(argument[1 if self._condition(argument[0]) else 2]),
            "Fn::Join": lambda argument: argument[0].join(self.value(argument[1])),
            "Fn::Select": lambda argument: self.value(argument[1])[int(argument[0])],
            "Fn::Split": lambda argument: self.value(argument[1]).split(argument[0]),
            "Fn::Sub": self._substitute,
        }
        if name not in functions or len(node) != 1:
            raise RenderingError(f"{name} is not understood in {node}")
        return functions[name](node[name])

    def _condition(self, node: Any) -> bool:
        if isinstance(node, str):
            if node not in self._conditions:
                raise RenderingError(f"no condition: {node}")
            return self._condition(self._conditions[node])
        ((name, argument),) = node.items()
        match name:
            case "Condition":
                return self._condition(argument)
            case "Fn::And":
                return all(map(self._condition, argument))
            case "Fn::Or":
                return any(map(self._condition, argument))
            case "Fn::Not":
                return not self._condition(argument[0])
            case "Fn::Equals":
                # CloudFormation compares text; a Number parameter is text as well.
                left, right = map(self.value, argument)
                return str(left) == str(right)
        raise RenderingError(f"{name} is not understood as a condition")

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NOTHING
        if name in self._parameters:
            return self._parameters[name]
        if name in _PSEUDO_PARAMETERS:
            return _PSEUDO_PARAMETERS[name]
        if name.endswith(".Alias"):
            return self._alias(name.removesuffix(".Alias"))
        kind = self._resource(name)["Type"]
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{self._name(name)}"
        return self._attribute(name, "Arn") if kind in _REF_IS_ARN else self._name(name)

    def _alias(self, name: str) -> str:
        alias = self._with_globals(self._resource(name))["Properties"]["AutoPublishAlias"]
        return f"{self._attribute(name, 'Arn')}:{alias}"

    def _attribute(self, name: str, attribute: str) -> str:
        kind = self._resource(name)["Type"]
        if attribute == "Arn" and kind in _ARNS:
            return "arn:aws:" + _ARNS[kind].format(self._name(name))
        if (kind, attribute) == ("AWS::DynamoDB::Table", "StreamArn"):
            return f"{self._attribute(name, 'Arn')}/stream/2026-01-01T00:00:00.000"
        if (kind, attribute) == ("AWS::SecretsManager::Secret", "Id"):
            return self._attribute(name, "Arn")
        if (kind, attribute) == ("AWS::SQS::Queue", "QueueName"):
            return self._name(name)
        if kind == "AWS::CloudFormation::Stack" and attribute.startswith("Outputs."):
            return f"https://{name}/{attribute.removeprefix('Outputs.')}"
        raise RenderingError(f"{name}.{attribute} is not known of {kind}")

    def _resource(self, name: str) -> Mapping[str, Any]:
        if name not in self._resources:
            raise RenderingError(f"neither a parameter nor a resource that is made: {name}")
        return self._resources[name]

    def _name(self, name: str) -> str:
        properties = self._resource(name).get("Properties", {})
        given = [self.value(properties[each]) for each in _NAME_PROPERTIES if each in properties]
        return self._names.get(name) or next(iter(given), name)

    def _substitute(self, argument: Any) -> str:
        text, own = (argument, {}) if isinstance(argument, str) else argument

        def replaced(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in own:
                return self.value(own[name])
            resource, _, attribute = name.partition(".")
            return str(self._attribute(resource, attribute) if attribute else self._ref(name))

        return _PLACEHOLDER.sub(replaced, text)


def _chosen(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    if unknown := given.keys() - declared.keys():
        raise RenderingError(f"no parameters: {sorted(unknown)}")
    chosen = {name: given.get(name, each.get("Default")) for name, each in declared.items()}
    for name, value in chosen.items():
        allowed = declared[name].get("AllowedValues")
        if value is None or (allowed and str(value) not in map(str, allowed)):
            raise RenderingError(f"{name} cannot be {value!r}")
    return {name: str(value) for name, value in chosen.items()}


def _merged(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        name: _merged(shared[name], own[name])
        for name in shared.keys() & own.keys()
        if isinstance(shared[name], dict) and isinstance(own[name], dict)
    }
    return {**shared, **own, **both}
