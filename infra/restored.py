"""`python -m infra.restored`: a stack goes over to tables restored under other names, and owns them again.

detach    the template without its tables; what spoke of them names the restored ones; its deployment is the
          switch
adopt     the stack's processed template with the tables in it again, for a change set of type IMPORT
imports   what that change set is to import

DynamoDB restores into new tables only, and CloudFormation takes an existing table into a stack only by an
import that changes nothing else: hence two steps, and then an ordinary deployment (docs/operations.md).
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from infra.reading import read
from infra.rendering import TEMPLATE

MARK = " Over restored tables."


class UnknownAttributeError(LookupError):
    """The template asks something of a table that is not known of a restored one."""


@dataclass(frozen=True, slots=True)
class RestoredTable:
    """A table that was restored; `stream` is the ARN of its stream, where it has one."""

    name: str
    arn: str
    stream: str | None = None

    @classmethod
    def of_stream(cls, arn: str) -> Self:
        """arn:…:table/NAME/stream/LABEL tells all."""
        table, separator, _ = arn.partition("/stream/")
        if not separator or ":table/" not in table:
            raise ValueError(f"{arn!r} is no stream of a table")
        return cls(table.partition(":table/")[2], table, arn)

    def neighbour(self, name: str) -> "RestoredTable":
        """A table without a stream, of the same account and region."""
        return RestoredTable(name, self.arn.partition(":table/")[0] + f":table/{name}")

    def attribute(self, name: str | None) -> str:
        """What Ref (None) or GetAtt says of it."""
        known = {None: self.name, "Arn": self.arn, "StreamArn": self.stream}.get(name)
        if known is None:
            raise UnknownAttributeError(f"{name} of {self.name}")
        return known


Tables = dict[str, RestoredTable]


def detached(template: dict[str, Any], tables: Tables) -> dict[str, Any]:
    """The template without those tables, by logical name.

    Functions are marked, because a version is published only of one that differs.
    """
    kept = {name: resource for name, resource in template["Resources"].items() if name not in tables}
    for resource in kept.values():
        if resource["Type"] == "AWS::Serverless::Function":
            described = resource["Properties"].get("Description", "") + MARK
            resource["Properties"] = {**resource["Properties"], "Description": described}
    globals_ = template.get("Globals", {})
    if "DeploymentPreference" in globals_.get("Function", {}):
        # A canary would keep most of the traffic on the old tables for a while.
        preference = {**globals_["Function"]["DeploymentPreference"], "Enabled": False}
        globals_ = {**globals_, "Function": {**globals_["Function"], "DeploymentPreference": preference}}
    changed = {**template, "Resources": kept} | ({"Globals": globals_} if globals_ else {})
    return _replaced(changed, tables)


def adopting(processed: dict[str, Any], template: dict[str, Any], tables: Tables) -> dict[str, Any]:
    """What the stack is, and the tables as the template describes them, to stay if the import fails."""
    described = {name: {**template["Resources"][name], "DeletionPolicy": "Retain"} for name in tables}
    return {**processed, "Resources": {**processed["Resources"], **described}}


def imports(tables: Tables) -> list[dict[str, Any]]:
    """The change set's ResourcesToImport."""
    return [
        {
            "ResourceType": "AWS::DynamoDB::Table",
            "LogicalResourceId": logical,
            "ResourceIdentifier": {"TableName": table.name},
        }
        for logical, table in tables.items()
    ]


def _replaced(node: Any, tables: Tables) -> Any:
    match node:
        case {"Ref": str(name)} if name in tables:
            return tables[name].attribute(None)
        case {"Fn::GetAtt": [str(name), str(attribute)]} if name in tables:
            return tables[name].attribute(attribute)
        case {"Fn::Sub": substituted}:
            return {"Fn::Sub": _substituted(substituted, tables)}
        case dict():
            return {key: _replaced(value, tables) for key, value in node.items()}
        case list():
            return [_replaced(value, tables) for value in node]
    return node


def _substituted(substituted: Any, tables: Tables) -> Any:
    """The argument of Sub: a text, or a text and values for it."""
    if isinstance(substituted, list):
        text, values = substituted
        return [_substituted(text, tables), _replaced(values, tables)]
    for logical, table in tables.items():
        for name in (None, "Arn", "StreamArn"):
            placeholder = f"${{{logical}}}" if name is None else f"${{{logical}.{name}}}"
            if placeholder in substituted:
                substituted = substituted.replace(placeholder, table.attribute(name))
    return substituted


def _detach(arguments: argparse.Namespace, tables: Tables) -> Any:
    return detached(read(arguments.template), tables)


def _adopt(arguments: argparse.Namespace, tables: Tables) -> Any:
    processed = json.load(sys.stdin)
    if isinstance(processed, str):  # so the AWS CLI prints what it takes for no JSON
        processed = json.loads(processed)
    return adopting(processed, read(arguments.template), tables)


def _imports(_: argparse.Namespace, tables: Tables) -> Any:
    return imports(tables)


STEPS: dict[str, Callable[[argparse.Namespace, Tables], Any]] = {
    "detach": _detach,
    "adopt": _adopt,
    "imports": _imports,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="infra.restored", description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("--stream", required=True, metavar="ARN", help="of the restored data table")
    parser.add_argument("--control-table", required=True, metavar="NAME", help="the restored control table")
    parser.add_argument("--template", type=Path, default=TEMPLATE)
    arguments = parser.parse_args()
    data = RestoredTable.of_stream(arguments.stream)
    tables = {"Table": data, "ControlTable": data.neighbour(arguments.control_table)}
    print(json.dumps(STEPS[arguments.step](arguments, tables), indent=1))


if __name__ == "__main__":
    main()
